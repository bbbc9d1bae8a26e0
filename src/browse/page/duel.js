// Which of two is better: the pair whose answer teaches most, one after the other.
import { at, page, picture, say } from "./page.js";
import { refresh } from "./rate.js";
import { ask, change, trouble } from "./server.js";

export const dueling = at("dueling");
let queue = [], shown = null, answered = 0;

const same = (a, b) => (a[0] === b[0] && a[1] === b[1]) || (a[0] === b[1] && a[1] === b[0]);

// What was asked for is of before the answers that were given since.
async function fetch_pairs() {
  const then = answered;
  try {
    const { pairs } = await ask("api/pairs");
    if (then === answered) queue = pairs.filter((pair) => !shown || !same(pair, shown));
    trouble("");
  } catch (error) {
    trouble(`No pair was found: ${error.message}`);
  }
}

function show() {
  shown = queue.shift() ?? null;
  at("duel").hidden = !shown;
  at("duel-nothing").hidden = Boolean(shown);
  for (const button of at("duel-answers").children) button.disabled = !shown;
  if (!shown) return;
  ["left", "right"].forEach((side, i) => {
    const image = at(`duel-${side}`).querySelector("img");
    image.src = picture("large", shown[i]);
    image.alt = page.photos[shown[i]].name;
  });
  for (const photo of queue[0] ?? []) new Image().src = picture("large", photo);
}

export async function duel_open() {
  shown = null;
  at("duel").hidden = true;
  at("duel-nothing").hidden = true;
  dueling.showModal();
  await fetch_pairs();
  if (dueling.open) show();
}

export async function duel_answer(answer) {
  if (!shown) return;
  const [left, right] = shown;
  answered++;
  show();
  say({ left: "left is better", right: "right is better", tie: "equally good", skip: "skipped" }[answer]);
  try {
    await change("api/compare", { left, right, answer });
    trouble("");
  } catch (error) {
    trouble(`That was not kept: ${error.message}`);
  }
  refresh();
  await fetch_pairs();
  if (dueling.open && !shown) show();
}

// What is asked next was chosen with the answer that is gone.
export function duel_undone(pair) {
  if (!dueling.open) return;
  queue = [pair, ...shown ? [shown] : [], ...queue];
  answered++;
  show();
}

export function duel_key(event, name) {
  const answer = { ArrowLeft: "left", 1: "left", ArrowRight: "right", 2: "right", "=": "tie", t: "tie", ArrowUp: "tie", s: "skip", ArrowDown: "skip" }[name];
  if (!answer || event.altKey) return false;
  event.preventDefault();
  duel_answer(answer);
  return true;
}

for (const answer of ["left", "right", "tie", "skip"]) at(`answer-${answer}`).addEventListener("click", () => duel_answer(answer));
for (const side of ["left", "right"]) at(`duel-${side}`).addEventListener("click", () => duel_answer(side));
at("duel-open").addEventListener("click", duel_open);
at("duel-close").addEventListener("click", () => dueling.close());
dueling.addEventListener("close", () => at("grid").focus());
