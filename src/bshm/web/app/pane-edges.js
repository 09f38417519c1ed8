// The edges of the people: the server moves, softens and tidies them.

import { onLanguage, t } from "./words.js";

const UNITS = { grow: "px", feather: "px", holes: "%", islands: "%" };

/** Calls `changed()` once a slider is let go. */
export class EdgesPane {
  #entry = null;

  constructor(root, changed) {
    this.root = root;
    this.changed = changed;
    this.find = (selector) => root.querySelector(selector);
    for (const name of Object.keys(UNITS)) {
      const input = this.find(`#edge-${name}`);
      input.addEventListener("input", () => this.#say(name, Number(input.value)));
      input.addEventListener("change", () => this.#set(name, Number(input.value)));
    }
    onLanguage(() => this.#entry && this.show(this.#entry));
  }

  show(entry) {
    this.#entry = entry;
    for (const name of Object.keys(UNITS)) {
      this.find(`#edge-${name}`).value = String(entry.look.edges[name]);
      this.#say(name, entry.look.edges[name]);
    }
  }

  #say(name, value) {
    const sign = name === "grow" && value > 0 ? "+" : "";
    this.find(`#edge-${name}-value`).textContent = value ? `${sign}${value} ${UNITS[name]}` : t("edges.off");
  }

  #set(name, value) {
    this.#entry.look.edges[name] = value;
    this.changed();
  }
}
