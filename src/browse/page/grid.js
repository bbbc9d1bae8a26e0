// The grid: which photos are shown and in which order, and tiles that are made only where they are seen.
import { at, page, picture, predicted, rating, say, stars, words } from "./page.js";
import { look, rate_shown, viewer } from "./large.js";

const grid = at("grid"), scroller = at("scroller");
const gap = 8;
let tile = { columns: 1, width: 200, height: 200 };
const tiles = new Map(); // place -> element

// Whether a photo is shown.
export function filter() {
  const show = at("show").value, words = at("find").value.trim().toLowerCase();
  const stars = Number(show.replace("=", ""));
  const shows = {
    all: () => true,
    unrated: (photo) => Number.isNaN(rating(photo)),
    rated: (photo) => !Number.isNaN(rating(photo)),
    rejected: (photo) => rating(photo) === 0,
    errors: (photo) => page.unreadable.has(photo),
    bursts: (photo) => page.burstOf.has(photo),
    best: (photo) => !page.passed.has(photo),
    passed: (photo) => page.passed.has(photo),
  }[show] ?? (show.startsWith("=") ? (photo) => rating(photo) === stars : (photo) => rating(photo) >= stars);
  return (photo) => !page.behind.has(photo) && (!words || page.photos[photo].name.toLowerCase().includes(words)) && shows(photo);
}

// Photos without a score go last, and those that cannot be read behind them.  There may be 40,000 photos, and a rating waits
// for this: what they are ordered by is looked up once for each, and numbers are sorted.
function sorted(photos, order) {
  const by = { score: (p) => -predicted(p), "score-up": predicted, time: (p) => -(page.times[p] ?? NaN), teaching: (p) => page.teaching.get(p) ?? NaN, together: (p) => -(page.together[p] ?? NaN) }[order];
  const keys = new Float64Array(page.photos.length);
  for (const photo of photos) {
    const key = by(photo);
    keys[photo] = page.unreadable.has(photo) ? Infinity : Number.isNaN(key) ? Number.MAX_VALUE : key;
  }
  return Array.from(Uint32Array.from(photos).sort((a, b) => keys[a] - keys[b] || a - b));
}

// The cursor stays on its photo, which stays where it is on the screen while the others find new places; where it is
// filtered away, on its place, so that the next one slides under it.
export function arrange(toTop) {
  const photo = page.shown[page.here], seen = topOf(page.here) - scroller.scrollTop;
  const order = at("order").value;
  page.shown = page.photos.map((_, i) => i).filter(filter());
  if (order !== "name") page.shown = sorted(page.shown, order);
  else if (page.grown) page.shown.sort((a, b) => page.photos[a].name < page.photos[b].name ? -1 : 1);
  const place = page.shown.indexOf(photo);
  if (toTop || !page.moved) page.here = 0;
  else if (place >= 0) page.here = place;
  page.here = Math.max(0, Math.min(page.here, page.shown.length - 1));
  at("nothing").hidden = page.shown.length > 0 || !page.photos.length;
  describe();
  measure();
  scroller.scrollTop = toTop || !page.moved ? 0 : topOf(page.here) - seen; // where the eye is, nothing moves
  draw();
  if (viewer.open && page.shown.length) rate_shown(page.shown[page.here]);
}

export function describe() {
  const l = page.state.learned;
  const rated = page.state.ratings.filter((r) => r !== null).length;
  const more = rated < 10 ? `${rated} rated; ten show a first order.` : `${rated} rated.`;
  let words = more;
  if (l && !l.ratings) {
    words = `${l.pairs} compared` + (l.verdict === "learned" ? `; of those left out ${Math.round(100 * l.pairs_right)} % are told right.` : "; nothing certain learned yet.");
  } else if (l) {
    const error = `± ${l.plus_minus.toFixed(2)}`;
    const order = l.rank_correlation === null ? "" : `, order ${l.rank_correlation.toFixed(2)}`;
    words = l.verdict === "learned" ? `${rated} rated; photos left out are foreseen within ${error}${order}.`
      : `${rated} rated; nothing certain learned yet (${error}${order}).`;
    if (l.pairs) words = words.replace(" rated;", ` rated, ${l.pairs} compared;`);
    if (l.prior) words += " Other people's ratings count.";
    const more_error = l.ten_more === null ? "" : `± ${l.ten_more.toFixed(2)}`;
    if (more_error) words += more_error === error ? " Ten more would hardly help." : ` Ten more: ${more_error} at best.`;
  }
  at("learned").textContent = words;
}

const topOf = (place) => Math.floor(place / tile.columns) * (tile.height + gap);

export const screenful = (large) => ({ columns: large ? 1 : tile.columns, rows: Math.max(1, Math.floor(scroller.clientHeight / (tile.height + gap))) });

function measure() {
  const style = getComputedStyle(scroller);
  const width = scroller.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const columns = Math.max(2, Math.floor((width + gap) / (190 + gap)));
  const side = (width - gap * (columns - 1)) / columns;
  tile = { columns, width: side, height: side * 0.8 + 26 };
  grid.style.height = `${Math.ceil(page.shown.length / columns) * (tile.height + gap)}px`;
}

export function lay() {
  measure();
  draw();
}

let top = 0, down = true; // as last drawn

// Where nothing but the place has changed, tiles that are there stay as they are.
export function draw(scrolled) {
  // More rows where the eye is going than where it comes from.  After a rating it goes nowhere, and the pictures of a new
  // order cost the processors that the next one is learned on.
  if (scroller.scrollTop !== top) [down, top] = [scroller.scrollTop > top, scroller.scrollTop];
  const row = tile.height + gap, far = scrolled ? 8 : 2, above = down ? 2 : far, below = down ? far : 2;
  const seen = [Math.floor(top / row) * tile.columns, Math.ceil((top + scroller.clientHeight) / row) * tile.columns];
  const first = Math.max(0, seen[0] - above * tile.columns), last = Math.min(page.shown.length, seen[1] + below * tile.columns);
  for (const [place, element] of tiles) if (place < first || place >= last) {
    element.querySelector("img")?.removeAttribute("src"); // or those that were scrolled past are waited for by those that are seen
    element.remove();
    tiles.delete(place);
  }
  let next = grid.firstElementChild; // they are read in this order
  for (let place = first; place < last; place++) {
    let element = tiles.get(place);
    if (element) {
      next = element.nextElementSibling;
      if (scrolled) continue;
    } else {
      element = document.createElement("div");
      element.className = "tile";
      element.id = `tile-${place}`;
      element.setAttribute("role", "option");
      element.append(document.createElement("div"));
      tiles.set(place, element);
      grid.insertBefore(element, next);
    }
    fill(element, place, place >= seen[0] && place < seen[1]);
  }
  grid.setAttribute("aria-activedescendant", tiles.has(page.here) ? `tile-${page.here}` : "");
}

const burst_mark = (photo) => page.kept.has(photo) ? " ✓" : page.burstOf.has(photo) && !page.passed.has(photo) ? ` ❐${page.burstOf.get(photo).photos.length}` : "";

function burst_words(photo) {
  const burst = page.burstOf.get(photo);
  return burst ? `, ${page.kept.has(photo) ? "kept" : page.passed.has(photo) ? "passed over" : "one"} of a ${burst.kind} of ${burst.photos.length}` : "";
}

function fill(element, place, seen) {
  const photo = page.shown[place], own = rating(photo), score = predicted(photo);
  const failed = page.unreadable.has(photo);
  element.style.cssText = `width:${tile.width}px;height:${tile.height}px;left:${(place % tile.columns) * (tile.width + gap)}px;top:${topOf(place)}px`;
  element.classList.toggle("here", place === page.here);
  element.classList.toggle("rejected", own === 0 || page.passed.has(photo));
  element.setAttribute("aria-selected", place === page.here);
  element.setAttribute("aria-posinset", place + 1);
  element.setAttribute("aria-setsize", page.shown.length);
  element.setAttribute("aria-label", `${page.photos[photo].name}, ${words(own)}${burst_words(photo)}${Number.isNaN(score) ? "" : `, foreseen ${score.toFixed(1)}`}`);
  const mended = element.dataset.failed === "true" && !failed; // its copy was not whole
  element.dataset.failed = failed;
  if (element.dataset.photo !== String(photo) || mended) {
    element.dataset.photo = photo;
    const image = document.createElement("img");
    image.alt = "";
    image.decoding = "async";
    if (seen) image.fetchPriority = "high"; // before those ahead of the eye
    image.src = picture("small", photo);
    image.onerror = () => {
      const note = document.createElement("span");
      note.className = "error";
      note.textContent = `${page.photos[photo].name} cannot be shown`;
      image.replaceWith(note);
    };
    const line = document.createElement("div");
    line.className = "line";
    line.append(document.createElement("span"), document.createElement("span"));
    line.firstChild.className = "own";
    element.replaceChildren(image, line);
  }
  const line = element.lastChild;
  line.firstChild.textContent = stars(own) + burst_mark(photo);
  line.lastChild.textContent = failed ? "not readable" : Number.isNaN(score) ? "" : score.toFixed(1);
}

export function go(place, silent) {
  if (!page.shown.length) return;
  page.moved = true;
  page.here = Math.max(0, Math.min(place, page.shown.length - 1));
  const top = topOf(page.here);
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  const bottom = top + tile.height + 20;
  if (bottom > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = bottom - scroller.clientHeight;
  draw();
  if (viewer.open) look();
  else if (!silent) say(tiles.get(page.here)?.getAttribute("aria-label") ?? "");
}
