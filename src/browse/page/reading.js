// How far the reading is, and how long it will still take.
import { at } from "./page.js";

const duration = (seconds) => seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;

export function show_reading({ reading, read, total, left }) {
  const over = !reading || read >= total;
  at("reading").hidden = at("reading-words").hidden = over;
  if (over) return;
  at("reading").max = Math.max(1, total);
  at("reading").value = read;
  at("reading-words").textContent = `${read} of ${total} photos read` + (left === null ? "" : `, about ${duration(left)} left`);
}
