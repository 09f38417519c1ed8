// The Shadow & place pane: a shadow, and how large the people are and where.

import { onLanguage, t } from "./words.js";

/** Calls `changed()` after each change of the current entry's finish. */
export class PlacePane {
  #entry = null;

  constructor(root, changed) {
    this.root = root;
    this.changed = changed;
    this.find = (selector) => root.querySelector(selector);
    for (const radio of root.querySelectorAll('input[name="shadow"]')) {
      radio.addEventListener("change", () => this.#set({ shadow: radio.value }));
    }
    this.find("#placed").addEventListener("change", (event) => this.#set({ placed: event.target.checked }));
    for (const name of ["opacity", "scale", "x", "y"]) {
      this.find(`#place-${name}`).addEventListener("input", (event) => this.#set({ [name]: Number(event.target.value) }));
    }
    onLanguage(() => this.#entry && this.show(this.#entry));
  }

  show(entry) {
    this.#entry = entry;
    const { shadow, opacity, placed, scale, x, y, heads } = entry.look.finish;
    for (const radio of this.root.querySelectorAll('input[name="shadow"]')) radio.checked = radio.value === shadow;
    for (const [name, value] of Object.entries({ opacity, scale, x, y })) {
      this.find(`#place-${name}`).value = String(value);
      this.find(`#place-${name}-value`).textContent = `${value} %`;
    }
    this.find("#shadow-more").hidden = shadow === "none";
    this.find("#placed").checked = placed && !heads;
    this.find("#placed").disabled = heads;
    this.find("#placed-more").hidden = !placed || heads;
    this.find("#place-text").textContent = t(heads ? "place.heads" : "place.text");
  }

  #set(change) {
    Object.assign(this.#entry.look.finish, change);
    this.show(this.#entry);
    this.changed();
  }
}
