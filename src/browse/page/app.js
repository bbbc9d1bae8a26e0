// The page: a grid of photos that is made only where it is seen, one photo large, and keys.
// What the server says is in `photos` (never changes) and `state` (comes anew with every version).

const at = (id) => document.getElementById(id);
const grid = at("grid"), scroller = at("scroller"), viewer = at("viewer"), stage = at("stage");

let photos = [];
let state = { version: 0, reading: true, read: 0, total: 0, scores: [], ratings: [], unreadable: [], teaching: [], learned: null, message: "" };
let unreadable = new Set();
let teaching = new Map(); // photo -> its place among those that teach most
let shown = [];        // photos by place, as ordered and filtered
let here = 0;          // the place of the cursor
let moved = false;     // somebody moved it: until then it is on the first photo, whichever that is
let tile = { columns: 1, width: 200, height: 200 };
const tiles = new Map(); // place -> element

// ---------------------------------------------------------------- the server

async function ask(path, body) {
  const answer = await fetch(path, body ? { method: "POST", body: JSON.stringify(body) } : {});
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error || `${answer.status} ${answer.statusText}`);
  return said;
}

function trouble(words) {
  at("trouble").textContent = words;
  at("trouble").hidden = !words;
}

let fetching = false, again = false;
async function refresh() {
  if (fetching) { again = true; return; }
  fetching = true;
  try {
    do {
      again = false;
      state = await ask("api/state");
      for (const [photo, score] of waiting) state.ratings[photo] = score;
      unreadable = new Set(state.unreadable);
      teaching = new Map(state.teaching.map((photo, place) => [photo, place]));
      arrange();
    } while (again);
    trouble(state.message);
  } catch (error) {
    trouble(`piaa does not answer (${error.message}). Is it still running?`);
  }
  fetching = false;
}

function listen() {
  const events = new EventSource("api/events");
  events.onmessage = () => refresh();
  events.onerror = () => { if (events.readyState === EventSource.CLOSED) trouble("piaa has ended. Your ratings are kept."); };
}

// ---------------------------------------------------------------- order and filter

const number = (value) => value === null || value === undefined ? NaN : value;
const rating = (photo) => number(state.ratings[photo]);
const predicted = (photo) => number(state.scores[photo]);

function keep(photo) {
  const own = rating(photo), show = at("show").value;
  const words = at("find").value.trim().toLowerCase();
  if (words && !photos[photo].name.toLowerCase().includes(words)) return false;
  switch (show) {
    case "all": return true;
    case "unrated": return Number.isNaN(own);
    case "rated": return !Number.isNaN(own);
    case "rejected": return own === 0;
    case "errors": return unreadable.has(photo);
    default: return own >= Number(show);
  }
}

// Photos without a score go last, and those that cannot be read behind them.
function compare(order) {
  const by = { score: (p) => -predicted(p), "score-up": predicted, time: (p) => -(photos[p].time ?? 0), teaching: (p) => teaching.get(p) ?? NaN }[order];
  return (a, b) => {
    const x = by(a), y = by(b);
    return unreadable.has(a) - unreadable.has(b) || Number.isNaN(x) - Number.isNaN(y) || (x - y) || (a - b);
  };
}

// The cursor stays on its photo, which stays where it is on the screen while the others find new places; where it is
// filtered away, on its place, so that the next one slides under it.
function arrange(toTop) {
  const photo = shown[here], seen = topOf(here) - scroller.scrollTop;
  const order = at("order").value;
  shown = photos.map((_, i) => i).filter(keep);
  if (order !== "name") shown.sort(compare(order));
  const place = shown.indexOf(photo);
  if (toTop || !moved) here = 0;
  else if (place >= 0) here = place;
  here = Math.max(0, Math.min(here, shown.length - 1));
  at("nothing").hidden = shown.length > 0 || !photos.length;
  describe();
  lay();
  scroller.scrollTop = toTop || !moved ? 0 : topOf(here) - seen; // where the eye is, nothing moves
  draw();
  if (viewer.open && shown.length) rate_shown(shown[here]);
}

function describe() {
  const l = state.learned;
  const rated = state.ratings.filter((r) => r !== null).length;
  const more = rated < 10 ? `${rated} rated; ten show a first order.` : `${rated} rated.`;
  let words = more;
  if (l) {
    const error = `± ${l.plus_minus.toFixed(2)}`;
    const order = l.rank_correlation === null ? "" : `, order ${l.rank_correlation.toFixed(2)}`;
    words = l.verdict === "learned" ? `${rated} rated; photos left out are foreseen within ${error}${order}.`
      : `${rated} rated; nothing certain learned yet (${error}${order}).`;
  }
  at("learned").textContent = words;
  at("reading").hidden = !state.reading || state.read >= state.total;
  at("reading").max = Math.max(1, state.total);
  at("reading").value = state.read;
}

// ---------------------------------------------------------------- the grid

const gap = 8;

const topOf = (place) => Math.floor(place / tile.columns) * (tile.height + gap);

function lay() {
  const style = getComputedStyle(scroller);
  const width = scroller.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const columns = Math.max(2, Math.floor((width + gap) / (190 + gap)));
  const side = (width - gap * (columns - 1)) / columns;
  tile = { columns, width: side, height: side * 0.8 + 26 };
  grid.style.height = `${Math.ceil(shown.length / columns) * (tile.height + gap)}px`;
  draw();
}

function draw() {
  const row = tile.height + gap, spare = 3;
  const first = Math.max(0, Math.floor(scroller.scrollTop / row) - spare) * tile.columns;
  const last = Math.min(shown.length, (Math.ceil((scroller.scrollTop + scroller.clientHeight) / row) + spare) * tile.columns);
  for (const [place, element] of tiles) if (place < first || place >= last) { element.remove(); tiles.delete(place); }
  let added = false;
  for (let place = first; place < last; place++) {
    let element = tiles.get(place);
    if (!element) {
      added = true;
      element = document.createElement("div");
      element.className = "tile";
      element.id = `tile-${place}`;
      element.setAttribute("role", "option");
      element.append(document.createElement("div"));
      tiles.set(place, element);
    }
    fill(element, place);
  }
  if (added) grid.append(...[...tiles.keys()].sort((a, b) => a - b).map((place) => tiles.get(place))); // read in this order
  grid.setAttribute("aria-activedescendant", tiles.has(here) ? `tile-${here}` : "");
}

const stars = (own) => Number.isNaN(own) ? "" : own === 0 ? "✕" : "★".repeat(Math.round(own));
const words = (own) => Number.isNaN(own) ? "not rated" : own === 0 ? "rejected" : `${own} star${own === 1 ? "" : "s"}`;

function fill(element, place) {
  const photo = shown[place], own = rating(photo), score = predicted(photo);
  const failed = unreadable.has(photo);
  element.style.cssText = `width:${tile.width}px;height:${tile.height}px;left:${(place % tile.columns) * (tile.width + gap)}px;top:${topOf(place)}px`;
  element.classList.toggle("here", place === here);
  element.classList.toggle("rejected", own === 0);
  element.setAttribute("aria-selected", place === here);
  element.setAttribute("aria-posinset", place + 1);
  element.setAttribute("aria-setsize", shown.length);
  element.setAttribute("aria-label", `${photos[photo].name}, ${words(own)}${Number.isNaN(score) ? "" : `, foreseen ${score.toFixed(1)}`}`);
  if (element.dataset.photo !== String(photo)) {
    element.dataset.photo = photo;
    const image = document.createElement("img");
    image.alt = "";
    image.decoding = "async";
    image.src = picture("small", photo);
    image.onerror = () => {
      const note = document.createElement("span");
      note.className = "error";
      note.textContent = `${photos[photo].name} cannot be shown`;
      image.replaceWith(note);
    };
    const line = document.createElement("div");
    line.className = "line";
    line.append(document.createElement("span"), document.createElement("span"));
    line.firstChild.className = "own";
    element.replaceChildren(image, line);
  }
  const line = element.lastChild;
  line.firstChild.textContent = stars(own);
  line.lastChild.textContent = failed ? "not readable" : Number.isNaN(score) ? "" : score.toFixed(1);
}

const picture = (size, photo) => `${size}/${photo}/${photos[photo].time ?? 0}`;

function go(place, silent) {
  if (!shown.length) return;
  moved = true;
  here = Math.max(0, Math.min(place, shown.length - 1));
  const top = topOf(here);
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  const bottom = top + tile.height + 20;
  if (bottom > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = bottom - scroller.clientHeight;
  draw();
  if (viewer.open) look();
  else if (!silent) say(tiles.get(here)?.getAttribute("aria-label") ?? "");
}

const say = (words) => { at("said").textContent = words; };

// ---------------------------------------------------------------- one photo

function look() {
  const photo = shown[here];
  if (photo === undefined) { viewer.close(); return; }
  const whole = at("zoom").getAttribute("aria-pressed") === "true";
  const image = at("photo");
  stage.classList.toggle("whole", whole);
  image.src = picture(whole ? "whole" : "large", photo);
  image.alt = photos[photo].name;
  at("name").textContent = photos[photo].name;
  rate_shown(photo);
  for (const next of [here + 1, here - 1, here + 2]) if (shown[next] !== undefined) new Image().src = picture("large", shown[next]);
}

function rate_shown(photo) {
  const own = rating(photo), score = predicted(photo), l = state.learned;
  const focused = document.activeElement?.getAttribute("aria-label");
  at("stars").replaceChildren(...[0, 1, 2, 3, 4, 5].map((value) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", own === value);
    button.setAttribute("aria-label", value ? words(value) : "reject");
    button.textContent = !value ? "✕" : own >= value ? "★" : "☆";
    button.onclick = () => rate(own === value ? null : value);
    return button;
  }));
  for (const button of at("stars").children) if (button.getAttribute("aria-label") === focused) button.focus();
  const within = l?.interval ? ` (${Math.max(0, score - l.interval).toFixed(1)} to ${(score + l.interval).toFixed(1)})` : "";
  at("score").textContent = (own === 0 ? "rejected; " : "") + (Number.isNaN(score) ? "" : `foreseen ${score.toFixed(1)}${within}`);
}

function open() {
  if (!shown.length) return;
  at("zoom").setAttribute("aria-pressed", "false");
  viewer.showModal();
  look();
}

viewer.addEventListener("close", () => { at("photo").removeAttribute("src"); draw(); grid.focus(); });

// ---------------------------------------------------------------- ratings

const waiting = new Map(); // photo -> rating that the server has not confirmed yet

// A rated photo that its filter hides goes away, and the next one has its place; else the cursor moves on to the next
// that is not rated.
async function rate(score) {
  const photo = shown[here];
  if (photo === undefined) return;
  waiting.set(photo, score);
  state.ratings[photo] = score;
  say(`${photos[photo].name}: ${words(number(score))}`);
  const hidden = !keep(photo);
  moved = true;
  if (hidden) { shown.splice(here, 1); here = Math.min(here, Math.max(0, shown.length - 1)); lay(); if (viewer.open) look(); }
  else if (score !== null) go(next_unrated(), true);
  else go(here, true);
  describe();
  try {
    await ask("api/rate", { photo, score });
    trouble("");
  } catch (error) {
    trouble(`${photos[photo].name} was not rated: ${error.message}`);
  }
  waiting.delete(photo);
  refresh();
}

function next_unrated() {
  for (let place = here + 1; place < shown.length; place++) if (Number.isNaN(rating(shown[place]))) return place;
  return here + 1;
}

async function undo() {
  try {
    const { photo } = await ask("api/undo", {});
    await refresh();
    if (photo === null) { say("Nothing to undo."); return; }
    const place = shown.indexOf(photo);
    if (place >= 0) go(place, true);
    say(`${photos[photo].name}: ${words(rating(photo))} again`);
  } catch (error) {
    trouble(`That could not be undone: ${error.message}`);
  }
}

// ---------------------------------------------------------------- stars

const count = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;

async function stars_plan(write) {
  at("stars-write").disabled = true;
  try {
    const plan = await ask("api/stars", { write, replace: at("replace").checked });
    const todo = plan.new + plan.update;
    const parts = [`${count(todo, "sidecar")} ${write ? "written" : "to write"}, ${plan.new} of them new`, `${plan.same} the same already`];
    if (plan.kept) parts.push(`${plan.kept} with other stars, which are kept`);
    if (plan.failed) parts.push(`${plan.failed} cannot be written (${plan.first})`);
    at("plan").textContent = `${parts.join("; ")}.` + (plan.log ? ` piaa stars --undo ${plan.log} puts everything back.` : "");
    at("stars-write").disabled = write || !todo;
  } catch (error) {
    at("plan").textContent = error.message;
  }
}

// ---------------------------------------------------------------- keys

function key(event) {
  if (event.target.matches("input, select") || at("help").open || at("writing").open) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") { event.preventDefault(); undo(); return; }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const columns = viewer.open ? 1 : tile.columns;
  const page = columns * Math.max(1, Math.floor(scroller.clientHeight / (tile.height + gap)));
  const whole = viewer.open && at("zoom").getAttribute("aria-pressed") === "true";
  const pan = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[name];
  if (whole && pan) { event.preventDefault(); stage.scrollBy(pan[0] * 200, pan[1] * 200); return; }
  const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -page, PageDown: page };
  const onButton = event.target.matches("button");
  if (moves[name]) { event.preventDefault(); go(here + moves[name]); }
  else if (name === "Home") { event.preventDefault(); go(0); }
  else if (name === "End") { event.preventDefault(); go(shown.length - 1); }
  else if (/^[1-5]$/.test(name)) rate(Number(name));
  else if (name === "0" || name === "u") rate(null);
  else if (name === "x") rate(0);
  else if (name === "z" && viewer.open) at("zoom").click();
  else if (name === "?") at("keys").click();
  else if ((name === "Enter" || name === " ") && !onButton && !viewer.open) { event.preventDefault(); open(); }
}

document.addEventListener("keydown", key);
grid.addEventListener("click", (event) => {
  const element = event.target.closest(".tile");
  if (!element) return;
  const place = Number(element.id.slice(5));
  const again = place === here;
  go(place);
  if (again) open();
});
let drawing = 0;
scroller.addEventListener("scroll", () => { if (!drawing) drawing = requestAnimationFrame(() => { drawing = 0; draw(); }); }, { passive: true });
new ResizeObserver(() => lay()).observe(scroller);
for (const id of ["order", "show"]) at(id).addEventListener("change", () => { arrange(true); grid.focus(); });
at("find").addEventListener("input", () => arrange(true));
at("undo").addEventListener("click", undo);
at("keys").addEventListener("click", () => at("help").showModal());
at("help-close").addEventListener("click", () => at("help").close());
at("stars-open").addEventListener("click", () => { at("replace").checked = false; at("writing").showModal(); stars_plan(false); });
at("replace").addEventListener("change", () => stars_plan(false));
at("stars-write").addEventListener("click", () => stars_plan(true));
at("stars-close").addEventListener("click", () => at("writing").close());
at("close").addEventListener("click", () => viewer.close());
at("before").addEventListener("click", () => go(here - 1));
at("after").addEventListener("click", () => go(here + 1));
at("zoom").addEventListener("click", () => {
  const on = at("zoom").getAttribute("aria-pressed") !== "true";
  at("zoom").setAttribute("aria-pressed", on);
  look();
});

photos = (await ask("api/list")).photos;
document.title = `piaa – ${photos.length} photos`;
await refresh();
if (state.ratings.filter((own) => own !== null).length < 10) { at("order").value = "teaching"; arrange(true); }
listen();
grid.focus();
