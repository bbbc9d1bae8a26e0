// What all parts of the page share: the photos (new ones come behind the others), what the server says of them (comes anew with every version),
// which are shown in which order, and where the cursor is.

export const at = (id) => document.getElementById(id);

export const page = {
  photos: [],
  grown: false,        // new ones came: numbers are not in the order of names
  state: { version: 0, reading: true, read: 0, total: 0, scored: 0, ratings: [], unreadable: [], teaching: [], learned: null, message: "" },
  scores: new Float32Array(0), // NaN: none
  scored: 0,           // which scores these are, of those that state.scored counts
  times: new Float64Array(0), // of the files, seconds since 1970, once they were asked for
  unreadable: new Set(),
  kept: new Set(), passed: new Set(), // what was decided of bursts
  bursts: [],          // {kind, photos}, as found
  burstOf: new Map(),  // photo -> its burst
  behind: new Map(),   // raw file -> the picture beside it, which is shown for both
  teaching: new Map(), // photo -> its place among those that teach most
  together: [],        // what is best for all, once it was asked for
  shown: [],           // photos by place, as ordered and filtered
  here: 0,             // the place of the cursor
  moved: false,        // somebody moved it: until then it is on the first photo, whichever that is
};

const number = (value) => value === null || value === undefined ? NaN : value;
export const rating = (photo) => number(page.state.ratings[photo]);
export const predicted = (photo) => page.scores[photo] ?? NaN;
// The browser keeps a picture for as long as the page is open: the next time its photo may have been changed.
const opened = Date.now();
export const picture = (size, photo) => `${size}/${photo}/${opened}`;

export const stars = (own) => Number.isNaN(own) ? "" : own === 0 ? "✕" : "★".repeat(Math.round(own));
export const words = (own) => Number.isNaN(own) ? "not rated" : own === 0 ? "rejected" : `${own} star${own === 1 ? "" : "s"}`;
export const say = (text) => { at("said").textContent = text; };
