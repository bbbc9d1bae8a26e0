// Keys, buttons, and the beginning.
import { at, page } from "./page.js";
import { arrange, draw, go, lay, screenful } from "./grid.js";
import { open, pan, viewer, zoomed } from "./large.js";
import { by_date, fetch_list, fetch_state, rate, refresh, undo } from "./rate.js";
import { ask, listen } from "./server.js";
import { compare_key, compare_open, comparing } from "./compare.js";
import { duel_key, duel_open, dueling } from "./duel.js";
import { burst_key, bursts_open, bursts } from "./keepers.js";
import { why_toggle } from "./why.js";
import { name_person } from "./people.js";
import { show_reading } from "./reading.js";
import "./stars.js";

const grid = at("grid"), scroller = at("scroller");

function key(event) {
  if (event.target.matches("input, select") || document.querySelector("dialog[open]:not(#viewer, #comparing, #dueling, #bursts)")) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") { event.preventDefault(); undo(); return; }
  if (event.ctrlKey || event.metaKey) return;
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (comparing.open) { compare_key(event, name); return; }
  if (bursts.open) { burst_key(event, name); return; }
  if (dueling.open) { duel_key(event, name); return; }
  if (event.altKey) return;
  const { columns, rows } = screenful(viewer.open);
  const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (zoomed() && directions[name]) { event.preventDefault(); pan(...directions[name]); return; }
  const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -columns * rows, PageDown: columns * rows };
  const onButton = event.target.matches("button");
  if (moves[name]) { event.preventDefault(); go(page.here + moves[name]); }
  else if (name === "Home") { event.preventDefault(); go(0); }
  else if (name === "End") { event.preventDefault(); go(page.shown.length - 1); }
  else if (/^[1-5]$/.test(name)) rate(Number(name));
  else if (name === "0" || name === "u") rate(null);
  else if (name === "x") rate(0);
  else if (name === "z" && viewer.open) at("zoom").click();
  else if (name === "w" && viewer.open) why_toggle();
  else if (name === "c") compare_open(2);
  else if (name === "g" && !viewer.open) bursts_open();
  else if (name === "b" && !viewer.open) duel_open();
  else if (name === "?") at("keys").click();
  else if ((name === "Enter" || name === " ") && !onButton && !viewer.open) { event.preventDefault(); open(); }
}

document.addEventListener("keydown", key);
grid.addEventListener("click", (event) => {
  const element = event.target.closest(".tile");
  if (!element) return;
  const place = Number(element.id.slice(5));
  const again = place === page.here;
  go(place);
  if (again) open();
});
let drawing = 0;
scroller.addEventListener("scroll", () => { if (!drawing) drawing = requestAnimationFrame(() => { drawing = 0; draw(true); }); }, { passive: true });
new ResizeObserver(() => lay()).observe(scroller);
for (const id of ["order", "show"]) at(id).addEventListener("change", () => { arrange(true); grid.focus(); });
at("order").addEventListener("change", () => { if (at("order").value === "time") by_date(); });
at("find").addEventListener("input", () => arrange(true));
at("undo").addEventListener("click", undo);
at("keys").addEventListener("click", () => at("help").showModal());
at("help-close").addEventListener("click", () => at("help").close());

const learned = fetch_state();
name_person((await fetch_list()).person);
await refresh(learned);
if (page.state.ratings.filter((own) => own !== null).length < 10) { at("order").value = "teaching"; arrange(true); }
listen(() => refresh(), show_reading);
grid.focus();
