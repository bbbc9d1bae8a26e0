// What is asked of the server, and what it tells by itself.
import { at } from "./page.js";

// Whose page this is: a number of api/people; the first has none.
export const person = Number(new URLSearchParams(location.search).get("person") ?? 0);
const as_person = (path) => `${path}?person=${person}`;

export async function ask(path, body) {
  const answer = await fetch(as_person(path), body ? { method: "POST", body: JSON.stringify(body) } : {});
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error || `${answer.status} ${answer.statusText}`);
  return said;
}

export async function ask_numbers(path, Kind) {
  const answer = await fetch(as_person(path));
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  return new Kind(await answer.arrayBuffer());
}

export function trouble(words) {
  at("trouble").textContent = words;
  at("trouble").hidden = !words;
}

export function listen(changed, reading) {
  const events = new EventSource(as_person("api/events"));
  events.onmessage = changed;
  events.addEventListener("reading", (event) => reading(JSON.parse(event.data)));
  events.onerror = () => { if (events.readyState === EventSource.CLOSED) trouble("piaa has ended. Your ratings are kept."); };
}
