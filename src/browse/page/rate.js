// Ratings: given, taken back, and what they have changed.
import { page, rating, say, words } from "./page.js";
import { arrange, describe, filter, go, lay } from "./grid.js";
import { look, viewer } from "./large.js";
import { compare_redraw } from "./compare.js";
import { duel_undone } from "./duel.js";
import { bursts_draw, bursts_fetch, bursts_forget } from "./keepers.js";
import { ask, ask_numbers, change, trouble } from "./server.js";
import { why_draw } from "./why.js";

const waiting = new Map(); // photo -> {score, before}: a rating that the server has not confirmed yet, and the one that it has

// A rated photo that its filter hides goes away, and the next one has its place; else the cursor moves on to the next
// that is not rated.
export async function rate(score) {
  const photo = page.shown[page.here];
  if (photo === undefined) return;
  const kept = keep_rating(photo, score);
  const hidden = !filter()(photo);
  page.moved = true;
  if (hidden) { page.shown.splice(page.here, 1); page.here = Math.min(page.here, Math.max(0, page.shown.length - 1)); lay(); if (viewer.open) look(); }
  else if (score !== null) go(next_unrated(), true);
  else go(page.here, true);
  describe();
  await kept;
}

// On the page at once, and on the disk when this has ended.
export async function keep_rating(photo, score) {
  const own = { score, before: waiting.has(photo) ? waiting.get(photo).before : page.state.ratings[photo] };
  waiting.set(photo, own);
  page.state.ratings[photo] = score;
  say(`${page.photos[photo].name}: ${words(score ?? NaN)}`);
  let why = "";
  try {
    await change("api/rate", { photo, score });
  } catch (error) {
    why = `${page.photos[photo].name} was not rated: ${error.message}`;
  }
  if (waiting.get(photo) !== own) { // it was rated again meanwhile
    if (!why) waiting.get(photo).before = score;
  } else {
    waiting.delete(photo);
    if (why) page.state.ratings[photo] = own.before;
  }
  await refresh();
  if (why) { arrange(); trouble(why); }
}

function next_unrated() {
  for (let place = page.here + 1; place < page.shown.length; place++) if (Number.isNaN(rating(page.shown[place]))) return place;
  return page.here + 1;
}

export async function undo() {
  try {
    const { photo, pair, picks } = await change("api/undo", {});
    await refresh();
    if (pair) { duel_undone(pair); say("That comparison is taken back."); return; }
    if (picks) { bursts_draw(); say("What was decided of that burst is taken back."); return; }
    if (photo === null) { say("Nothing to undo."); return; }
    const place = page.shown.indexOf(photo);
    if (place >= 0) go(place, true);
    say(`${page.photos[photo].name}: ${words(rating(photo))} again`);
  } catch (error) {
    trouble(`That could not be undone: ${error.message}`);
  }
}

export async function fetch_list() {
  const list = await ask("api/list");
  page.grown = page.photos.length > 0;
  page.photos = list.photos;
  document.title = `piaa – ${page.photos.length} photos`;
  return list;
}

// New photos are behind the others, whose numbers stay.
async function take_new_photos(count) {
  const before = page.photos.length;
  await fetch_list();
  bursts_forget();
  if (page.times.length) page.times = await ask_numbers("api/times", Float64Array);
  say(count === before + 1 ? "A new photo has come." : `${count - before} new photos have come.`);
}

let again = false, running = null;

// One at a time; all who asked meanwhile wait for the same end, so that what they say comes in their order.  `fetched` is a
// state that was asked for before the page could show it.
export function refresh(fetched) {
  again = true;
  running ??= show_states(fetched).finally(() => { running = null; });
  return running;
}

// The state, and the scores where they are others.
export async function fetch_state() {
  const state = await ask("api/state");
  const same = page.scored === state.scored && page.scores.length === state.ratings.length;
  const scores = same ? page.scores : await ask_numbers("api/scores", Float32Array);
  if (scores.length !== state.ratings.length) state.scored = -1; // of the list that came meanwhile: asked for again with its state
  return { state, scores };
}

export async function by_date() {
  try {
    page.times = await ask_numbers("api/times", Float64Array);
    arrange(true);
  } catch (error) {
    trouble(error.message);
  }
}

async function show_states(fetched) {
  try {
    while (again) {
      again = false;
      const { state, scores } = await (fetched ?? fetch_state());
      fetched = null;
      if (state.ratings.length > page.photos.length) await take_new_photos(state.ratings.length);
      page.state = state;
      page.scores = scores;
      page.scored = state.scored;
      for (const [photo, { score }] of waiting) page.state.ratings[photo] = score;
      page.unreadable = new Set(page.state.unreadable);
      page.kept = new Set(page.state.kept);
      page.passed = new Set(page.state.passed);
      await bursts_fetch();
      page.teaching = new Map(page.state.teaching.map((photo, place) => [photo, place]));
      arrange();
      compare_redraw();
      why_draw();
    }
    trouble(page.state.message);
  } catch (error) {
    trouble(`piaa does not answer (${error.message}). Is it still running?`);
  }
}
