// Why the large photo has its score: words, what they leave over, and photos like it that were rated.
import { at, page, picture, stars, words } from "./page.js";
import { ask } from "./server.js";

const panel = at("why");
let asked = 0;

const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;

function text(name, content, className) {
  const made = document.createElement(name);
  made.textContent = content;
  if (className) made.className = className;
  return made;
}

function bar(name, value, most, className) {
  const row = document.createElement("tr"), cell = document.createElement("td"), drawn = document.createElement("span");
  drawn.className = value < 0 ? "takes" : "adds";
  drawn.style.width = `${50 * Math.abs(value) / most}%`;
  cell.className = "bar-of";
  cell.append(drawn);
  const head = text("th", name);
  head.scope = "row";
  row.append(head, cell, text("td", signed(value)));
  if (className) row.className = className;
  return row;
}

function table(why) {
  const made = document.createElement("table"), list = [...why.words].sort((a, b) => Math.abs(b.adds) - Math.abs(a.adds));
  const most = Math.max(1e-9, Math.abs(why.rest), ...list.map(({ adds }) => Math.abs(adds)));
  made.append(text("caption", `Your average is ${why.average.toFixed(2)}; to that come`));
  made.append(...list.map(({ name, adds }) => bar(name, adds, most)), bar("what these words do not explain", why.rest, most, "rest"));
  return made;
}

function near(list) {
  const made = document.createElement("ul");
  made.append(...list.map(({ photo, rating, likeness }) => {
    const item = document.createElement("li"), image = document.createElement("img");
    image.src = picture("small", photo);
    image.alt = `${page.photos[photo].name}, ${words(rating)}`;
    item.append(image, text("span", stars(rating), "own"), text("span", likeness.toFixed(2), "quiet"));
    return item;
  }));
  return made;
}

function parts(why) {
  if (why.nothing) return [text("p", why.nothing)];
  const within = why.interval === null ? "" : `; nine in ten ratings lie within ${why.interval.toFixed(1)} of it`;
  const all = [text("p", `The taste says ${why.score.toFixed(2)}${within}.`)];
  if (why.words) all.push(table(why));
  if (why.words && why.explained !== null) all.push(text("p", why.explained > 0
    ? `In photos that were not learned from, these words explain ${Math.round(100 * why.explained)} % of how your scores differ.`
    : "In photos that were not learned from, these words explain nothing of how your scores differ.", "quiet"));
  if (why.no_words) all.push(text("p", why.no_words, "quiet"));
  const like = why.near.filter(({ likeness }) => likeness > 0);
  if (like.length) all.push(text("h3", "Most like it among those you rated (1: the same)"), near(like));
  return all;
}

// What comes too late, after another photo was asked about, is not shown.
export async function why_draw() {
  const photo = page.shown[page.here], mine = ++asked;
  if (panel.hidden || photo === undefined) return;
  let shown;
  try {
    shown = parts(await ask(`api/why/${photo}`));
  } catch (error) {
    shown = [text("p", error.message)];
  }
  if (mine === asked) at("why-parts").replaceChildren(...shown);
}

export function why_toggle() {
  panel.hidden = !panel.hidden;
  at("why-open").setAttribute("aria-pressed", !panel.hidden);
  if (!panel.hidden) why_draw();
}

at("why-open").addEventListener("click", why_toggle);
