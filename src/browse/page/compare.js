// Two or four photos side by side: zoom and pan are linked, one can stay while the others go on.
import { at, page, picture, predicted, rating, say, stars, words } from "./page.js";
import { go } from "./grid.js";
import { keep_rating } from "./rate.js";

export const comparing = at("comparing");
let panes = [];      // {photo, frozen}; photos by their number
let focus = 0, whole = false;
let position = [0.5, 0.5]; // of what is seen in the middle, as a share of the photo

const element = (name, className) => Object.assign(document.createElement(name), { className });

export function compare_open(count) {
  if (page.shown.length < 2) { say("There is nothing to compare it with."); return; }
  const first = Math.min(page.here, Math.max(0, page.shown.length - count));
  panes = page.shown.slice(first, first + count).map((photo) => ({ photo, frozen: false }));
  focus = Math.max(0, panes.findIndex(({ photo }) => photo === page.shown[page.here]));
  whole = false;
  position = [0.5, 0.5];
  if (!comparing.open) comparing.showModal();
  build();
}

function build() {
  const box = at("panes");
  box.className = panes.length > 2 ? "four" : "two";
  box.replaceChildren(...panes.map((_, i) => {
    const pane = element("section", "pane");
    const view = element("div", "view");
    const image = document.createElement("img");
    image.addEventListener("load", place);
    image.draggable = false;
    view.append(image);
    pane.tabIndex = 0;
    pane.append(view, element("p", "line"));
    pane.addEventListener("focus", () => { focus = i; mark(); });
    return pane;
  }));
  draw();
  box.children[focus].focus();
}

function draw() {
  panes.forEach(({ photo }, i) => {
    const pane = at("panes").children[i], image = pane.querySelector("img");
    const from = picture(whole ? "whole" : "large", photo);
    if (image.getAttribute("src") !== from) image.src = from;
    image.alt = page.photos[photo].name;
    pane.firstChild.classList.toggle("whole", whole);
  });
  mark();
  place();
}

function mark() {
  panes.forEach(({ photo, frozen }, i) => {
    const pane = at("panes").children[i], score = predicted(photo);
    const foreseen = Number.isNaN(score) ? "" : `foreseen ${score.toFixed(1)}`;
    pane.classList.toggle("here", i === focus);
    pane.setAttribute("aria-label", [page.photos[photo].name, words(rating(photo)), foreseen, frozen ? "stays" : ""].filter(Boolean).join(", "));
    pane.lastChild.textContent = [page.photos[photo].name, stars(rating(photo)), foreseen, frozen ? "stays" : ""].filter(Boolean).join("  ");
  });
  at("compare-zoom").setAttribute("aria-pressed", whole);
  at("compare-freeze").setAttribute("aria-pressed", panes[focus].frozen);
}

// The same part of every photo, however large each is.
function place() {
  if (!whole) return;
  for (const view of comparing.querySelectorAll(".view")) {
    const image = view.firstChild;
    view.scrollTo(position[0] * image.offsetWidth - view.clientWidth / 2, position[1] * image.offsetHeight - view.clientHeight / 2);
  }
}

function pan(x, y) {
  const view = at("panes").children[focus].firstChild, image = view.firstChild;
  const inside = (share, seen, size) => { const half = Math.min(0.5, seen / 2 / Math.max(1, size)); return Math.max(half, Math.min(1 - half, share)); };
  position = [inside(position[0] + x / Math.max(1, image.offsetWidth), view.clientWidth, image.offsetWidth),
    inside(position[1] + y / Math.max(1, image.offsetHeight), view.clientHeight, image.offsetHeight)];
  place();
}

// All that do not stay go on by as many as they are, past those that stay.
function step(direction) {
  const moving = panes.filter(({ frozen }) => !frozen), kept = new Set(panes.filter(({ frozen }) => frozen).map(({ photo }) => photo));
  if (!moving.length) { say("All of them stay: F lets one go."); return; }
  const free = page.shown.filter((photo) => !kept.has(photo));
  const place_of = (photo) => free.indexOf(photo);
  const first = place_of(moving[0].photo) + direction * moving.length;
  const begin = Math.max(0, Math.min(first, free.length - moving.length));
  moving.forEach((pane, i) => { if (free[begin + i] !== undefined) pane.photo = free[begin + i]; });
  draw();
  say(at("panes").children[focus].getAttribute("aria-label"));
}

function focus_on(i) {
  if (i >= 0 && i < panes.length) at("panes").children[i].focus();
}

async function rate_pane(score) {
  const { photo } = panes[focus];
  const kept = keep_rating(photo, score);
  mark();
  await kept;
  if (comparing.open) mark();
}

export function compare_redraw() {
  if (comparing.open) mark();
}

function freeze() {
  panes[focus].frozen = !panes[focus].frozen;
  mark();
  say(panes[focus].frozen ? "stays" : "goes on with the others");
}

function zoom() {
  whole = !whole;
  draw();
}

// true: the key was for the panes.
export function compare_key(event, name) {
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (event.altKey && /^Digit[1-4]$/.test(event.code)) focus_on(Number(event.code[5]) - 1);
  else if (event.altKey) return false;
  else if (arrows[name] && whole) pan(arrows[name][0] * 200, arrows[name][1] * 200);
  else if (arrows[name]) step(arrows[name][0] + arrows[name][1]);
  else if (/^[1-5]$/.test(name)) rate_pane(Number(name));
  else if (name === "0" || name === "u") rate_pane(null);
  else if (name === "x") rate_pane(0);
  else if (name === "z") zoom();
  else if (name === "f") freeze();
  else if (name === "c") compare_open(panes.length > 2 ? 2 : 4);
  else return false;
  event.preventDefault();
  return true;
}

at("panes").addEventListener("pointermove", (event) => { if (whole && event.buttons & 1) pan(-event.movementX, -event.movementY); });
at("compare-zoom").addEventListener("click", zoom);
at("compare-freeze").addEventListener("click", freeze);
at("compare-close").addEventListener("click", () => comparing.close());
comparing.addEventListener("close", () => {
  const where = page.shown.indexOf(panes[focus]?.photo);
  at("panes").replaceChildren();
  if (where >= 0) go(where);
  if (!at("viewer").open) at("grid").focus();
});
