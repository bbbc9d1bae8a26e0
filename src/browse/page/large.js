// One photo, large.
import { at, page, picture, predicted, rating, words } from "./page.js";
import { draw, go } from "./grid.js";
import { rate } from "./rate.js";
import { why_draw } from "./why.js";

export const viewer = at("viewer");
const stage = at("stage");

export const zoomed = () => viewer.open && at("zoom").getAttribute("aria-pressed") === "true";
export const pan = (x, y) => stage.scrollBy(x * 200, y * 200);

export function look() {
  const photo = page.shown[page.here];
  if (photo === undefined) { viewer.close(); return; }
  const whole = zoomed();
  const image = at("photo");
  stage.classList.toggle("whole", whole);
  image.src = picture(whole ? "whole" : "large", photo);
  image.alt = page.photos[photo].name;
  at("name").textContent = page.photos[photo].name;
  rate_shown(photo);
  why_draw();
  for (const next of [page.here + 1, page.here - 1, page.here + 2]) if (page.shown[next] !== undefined) new Image().src = picture("large", page.shown[next]);
}

export function rate_shown(photo) {
  const own = rating(photo), score = predicted(photo), l = page.state.learned;
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

export function open() {
  if (!page.shown.length) return;
  at("zoom").setAttribute("aria-pressed", "false");
  viewer.showModal();
  look();
}

viewer.addEventListener("close", () => { at("photo").removeAttribute("src"); draw(); at("grid").focus(); });
at("close").addEventListener("click", () => viewer.close());
at("before").addEventListener("click", () => go(page.here - 1));
at("after").addEventListener("click", () => go(page.here + 1));
at("zoom").addEventListener("click", () => {
  at("zoom").setAttribute("aria-pressed", !zoomed());
  look();
});
