// Who stays: a chip for each person, to switch on and off.

import { knowsPeople, peopleOf } from "./people.js";
import { tell } from "./say.js";
import { Problem } from "./server.js";
import { onLanguage, reasonOf, t } from "./words.js";

/** Calls `changed()` after each change of who stays. */
export class PeoplePane {
  #entry = null;
  #people = null;
  #asking = null;

  constructor(root, changed) {
    this.root = root;
    this.changed = changed;
    this.find = (selector) => root.querySelector(selector);
    this.find("#people-find").addEventListener("click", () => this.#ask());
    onLanguage(() => this.#entry && this.#draw());
  }

  show(entry) {
    if (entry !== this.#entry || entry.result !== this.result) {
      this.#people = null;
      this.#asking = null;
    }
    this.#entry = entry;
    this.result = entry.result;
    if (!this.#people && !this.#asking && knowsPeople(entry)) this.#ask();
    else this.#draw();
  }

  async #ask() {
    const entry = this.#entry;
    if (this.#asking === entry) return;
    this.#asking = entry;
    this.#draw();
    const { result } = entry;
    try {
      const people = await peopleOf(entry);
      if (this.#entry === entry && entry.result === result) this.#people = people;
    } catch (error) {
      if (!(error instanceof Problem)) console.error(error);
      tell(error instanceof Problem ? reasonOf(error).title : t("people.failed"));
    } finally {
      if (this.#asking === entry) this.#asking = null;
      if (this.#entry === entry) this.#draw();
    }
  }

  #draw() {
    const find = this.find("#people-find");
    find.hidden = this.#people !== null;
    find.setAttribute("aria-busy", String(this.#asking !== null));
    find.textContent = t(this.#asking ? "people.asking" : "people.find");
    const count = this.#people?.length ?? 0;
    this.find("#people-text").textContent = this.#people ? t(`people.found.${Math.min(count, 2)}`, { count }) : t("people.text");
    const had = document.activeElement?.dataset?.person;
    this.find("#people-chips").replaceChildren(...(count > 1 ? this.#people.map((person) => this.#chip(person)) : []));
    if (had) this.find(`[data-person="${had}"]`)?.focus();
  }

  #chip({ number, face }) {
    const { off } = this.#entry.look.people;
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.dataset.person = String(number);
    box.checked = !off.includes(number);
    box.addEventListener("change", () => {
      const others = this.#entry.look.people.off.filter((each) => each !== number);
      this.#entry.look.people.off = box.checked ? others : [...others, number].sort((one, other) => one - other);
      this.changed();
    });
    const words = document.createElement("span");
    words.textContent = t("people.person", { number });
    face.setAttribute("aria-hidden", "true");
    label.append(box, face, words);
    return label;
  }
}
