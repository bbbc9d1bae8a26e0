// Stars for other programs: what would be written, and writing it.
import { at } from "./page.js";
import { ask } from "./server.js";

const count = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;

async function stars_plan(write) {
  at("stars-write").disabled = true;
  try {
    const plan = await ask("api/stars", { write, replace: at("replace").checked, embed: at("embed").checked });
    const todo = plan.new + plan.update;
    const parts = [`${count(todo, at("embed").checked ? "file" : "sidecar")} ${write ? "written" : "to write"}, ${plan.new} of them new`, `${plan.same} the same already`];
    if (plan.kept) parts.push(`${plan.kept} with other stars, which are kept`);
    if (plan.failed) parts.push(`${plan.failed} cannot be written (${plan.first})`);
    if (plan.darktables) parts.push(`${plan.darktables} of darktable, which goes by its own database: let it look for updated sidecars`);
    at("plan").textContent = `${parts.join("; ")}.` + (plan.log ? ` piaa stars --undo ${plan.log} puts everything back.` : "");
    at("stars-write").disabled = write || !todo;
  } catch (error) {
    at("plan").textContent = error.message;
  }
}

at("stars-open").addEventListener("click", () => { at("replace").checked = at("embed").checked = false; at("writing").showModal(); stars_plan(false); });
for (const box of [at("replace"), at("embed")]) box.addEventListener("change", () => stars_plan(false));
at("stars-write").addEventListener("click", () => stars_plan(true));
at("stars-close").addEventListener("click", () => at("writing").close());
