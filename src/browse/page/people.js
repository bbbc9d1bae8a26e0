// Several people on the same photos: who rates, how far they agree, and what is best for all.
import { at, page } from "./page.js";
import { arrange } from "./grid.js";
import { ask, person, trouble } from "./server.js";

export const name_person = (name) => { at("people-open").textContent = `You are ${name}…`; };

const become = (number) => { location.search = `?person=${number}`; };

function agreement(value, count) {
  return count ? `${value === null ? "–" : value.toFixed(2)} (${count})` : "–";
}

function row(one, number) {
  const line = document.createElement("tr"), name = document.createElement("th"), own = number === person;
  name.scope = "row";
  if (own) {
    name.textContent = `${one.name} (you)`;
  } else {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = one.name;
    button.onclick = () => become(number);
    name.append(button);
  }
  const cells = [one.rated, own ? "" : agreement(one.ratings_agree, one.both_rated), own ? "" : agreement(one.scores_agree, one.both_scored)];
  line.append(name, ...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
  return line;
}

const distance = (one, number) => number === person ? -3 : -(one.scores_agree ?? one.ratings_agree ?? -2);

// You first, then who agrees most; those who have just been asked for are still being learned.
async function show_people() {
  at("people-trouble").textContent = "";
  try {
    const rows = (await ask("api/people")).people.map((one, number) => ({ row: row(one, number), distance: distance(one, number) }));
    at("people-list").replaceChildren(...rows.sort((a, b) => a.distance - b.distance).map((one) => one.row));
  } catch (error) {
    at("people-trouble").textContent = error.message;
  }
}

export async function best_for_all() {
  try {
    page.together = (await ask("api/together")).scores;
    arrange(true);
  } catch (error) {
    trouble(error.message);
  }
}

at("people-open").addEventListener("click", () => { at("people").showModal(); show_people(); });
at("people-close").addEventListener("click", () => at("people").close());
at("people-new").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    become((await ask("api/person", { name: at("people-name").value.trim() })).person);
  } catch (error) {
    at("people-trouble").textContent = error.message;
  }
});
at("order").addEventListener("change", () => { if (at("order").value === "together") best_for_all(); });
