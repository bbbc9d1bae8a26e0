// What is asked of the server, and what it tells by itself.
import { at } from "./page.js";

// Whose page this is: a number of api/people; the first has none.
export const person = Number(new URLSearchParams(location.search).get("person") ?? 0);
const as_person = (path) => `${path}?person=${person}`;

export async function ask(path, body) {
  const answer = await fetch(as_person(path), body ? { method: "POST", body: JSON.stringify(body), keepalive: path === "api/rate" } : {});
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error || `${answer.status} ${answer.statusText}`);
  return said;
}

// Changes of ratings, one after the other: a browser has several connections, and an undo must not overtake what it undoes.
let last = Promise.resolve();
export function change(path, body) {
  const said = last.then(() => ask(path, body));
  last = said.catch(() => {});
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

// A stream holds one of the six connections that a browser has for a host, so that only pages which are seen have one; the first
// event of the next stream brings what came meanwhile.  A server that replaces its list ends all streams, too, and is back soon.
export function listen(changed, reading) {
  const PATIENCE = 3000;
  let events = null, silent = 0;
  const heard = () => { clearTimeout(silent); silent = 0; };
  function open() {
    events = new EventSource(as_person("api/events"));
    events.onopen = heard;
    events.onmessage = changed;
    events.addEventListener("reading", (event) => reading(JSON.parse(event.data)));
    events.onerror = () => {
      if (events.readyState === EventSource.CLOSED) trouble("piaa has ended. Your ratings are kept.");
      else silent ||= setTimeout(() => trouble("piaa does not answer: it has ended, or cannot be reached. What was rated until now is kept."), PATIENCE);
    };
  }
  function show_or_hide() {
    if (document.hidden) { heard(); events?.close(); events = null; }
    else if (!events) open();
  }
  document.addEventListener("visibilitychange", show_or_hide);
  show_or_hide();
}
