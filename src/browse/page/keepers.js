// Bursts: the one to keep, by this person's taste, for one key; and series, which are kept whole.
import { at, page, picture, predicted, rating, say, words } from "./page.js";
import { refresh } from "./rate.js";
import { ask, change, trouble } from "./server.js";

export const bursts = at("bursts");
let known = false, shown = null, chosen = 0;
const later = new Set();

export const bursts_forget = () => { known = false; }; // there are new photos

export async function bursts_fetch() {
  if (known || !page.state.bursts) return;
  const found = await ask("api/bursts");
  known = true;
  page.bursts = found.bursts;
  page.burstOf = new Map(found.bursts.flatMap((burst) => burst.photos.map((photo) => [photo, burst])));
  page.behind = new Map(found.behind);
  at("bursts-open").hidden = !page.bursts.length;
}

const decided = (burst) => burst.photos.some((photo) => page.kept.has(photo) || page.passed.has(photo));
const open_ones = () => page.bursts.filter((burst) => burst.kind === "burst" && !decided(burst) && !later.has(burst));

// A person's own stars go before what is foreseen.
const order = (a, b) => (rating(b) || 0) - (rating(a) || 0) || (predicted(b) || 0) - (predicted(a) || 0) || a - b;

// Both scores are as uncertain as the taste is; that of two photos so alike less so.
function closeness(best, next) {
  const apart = predicted(best) - predicted(next);
  if (!(apart > 0) || (rating(best) || 0) > (rating(next) || 0)) return "";
  const within = page.state.learned?.plus_minus;
  return within && apart < within / 4 ? " It hardly differs from the next." : ` It is foreseen ${apart.toFixed(1)} above the next.`;
}

function show(burst) {
  shown = burst;
  for (const id of ["burst-keep", "burst-all", "burst-skip"]) at(id).disabled = !burst;
  at("burst").replaceChildren();
  if (!burst) {
    at("burst-title").textContent = "Bursts";
    at("burst-words").textContent = page.bursts.length ? "No burst is left to decide." : "No bursts were found.";
    return;
  }
  const ranked = [...burst.photos].sort(order), whole = burst.kind !== "burst";
  const kept = burst.photos.findIndex((photo) => page.kept.has(photo));
  chosen = kept >= 0 ? kept : burst.photos.indexOf(ranked[0]);
  at("burst-title").textContent = `A ${burst.kind} of ${burst.photos.length}${whole ? "" : `; ${open_ones().length} to decide`}`;
  at("burst-words").textContent = whole ? "It belongs together and is kept whole." : Number.isNaN(predicted(ranked[0])) && Number.isNaN(rating(ranked[0])) ? "Once some photos are rated, the one that your taste would keep is marked."
    : `Marked: what your taste would keep.${closeness(ranked[0], ranked[1])}`;
  at("burst").append(...burst.photos.map((photo, place) => {
    const button = document.createElement("button"), image = document.createElement("img"), line = document.createElement("span");
    const score = predicted(photo);
    button.type = "button";
    button.setAttribute("role", "radio");
    image.src = picture("large", photo);
    image.alt = "";
    line.textContent = `${page.photos[photo].name}, ${words(rating(photo))}${Number.isNaN(score) ? "" : `, foreseen ${score.toFixed(1)}`}`;
    button.append(image, line);
    button.onclick = () => choose(place);
    return button;
  }));
  mark();
}

function mark() {
  [...at("burst").children].forEach((button, place) => {
    button.setAttribute("aria-checked", place === chosen);
    button.tabIndex = place === chosen ? 0 : -1;
  });
}

function choose(place) {
  chosen = Math.max(0, Math.min(place, shown.photos.length - 1));
  mark();
  const button = at("burst").children[chosen];
  button.scrollIntoView({ block: "nearest" });
  button.focus();
}

export function bursts_open() {
  if (!page.bursts.length) { say(page.state.bursts ? "No bursts were found." : "Bursts are looked for once all photos are read."); return; }
  later.clear();
  show(page.burstOf.get(page.shown[page.here]) ?? open_ones()[0] ?? null);
  bursts.showModal();
}

async function decide(kept) {
  if (!shown) return;
  const passed = shown.photos.filter((photo) => !kept.includes(photo));
  for (const photo of shown.photos) { page.kept.delete(photo); page.passed.delete(photo); }
  for (const photo of kept) page.kept.add(photo);
  for (const photo of passed) page.passed.add(photo);
  say(`${kept.length} kept, ${passed.length} passed over`);
  show(open_ones()[0] ?? null);
  try {
    await change("api/pick", { kept, passed });
    trouble("");
  } catch (error) {
    trouble(`That was not kept: ${error.message}`);
  }
  refresh();
}

function put_off() {
  if (!shown) return;
  later.add(shown);
  show(open_ones()[0] ?? null);
}

export function bursts_draw() {
  if (bursts.open) show(shown && !decided(shown) ? shown : open_ones()[0] ?? null);
}

export function burst_key(event, name) {
  if (event.altKey || !shown) return;
  const step = { ArrowLeft: -1, ArrowRight: 1 }[name];
  if (step) { event.preventDefault(); choose(chosen + step); }
  else if (name === "Enter" && !event.target.matches(".bar button")) { event.preventDefault(); keep_chosen(); }
  else if (/^[1-9]$/.test(name)) choose(Number(name) - 1);
  else if (name === "a") decide(shown.photos);
  else if (name === "s") put_off();
}

const keep_chosen = () => shown && decide(shown.kind === "burst" ? [shown.photos[chosen]] : shown.photos);

at("bursts-open").addEventListener("click", bursts_open);
at("burst-keep").addEventListener("click", keep_chosen);
at("burst-all").addEventListener("click", () => decide(shown.photos));
at("burst-skip").addEventListener("click", put_off);
at("burst-close").addEventListener("click", () => bursts.close());
bursts.addEventListener("close", () => at("grid").focus());
