// The choice of a model, where the server has more than one.

import { onLanguage, t } from "./words.js";

/** What people call a model: the page's words for those it knows, the name for others. */
const KNOWN = { bshm: "model.bshm", "bshm-lite": "model.bshm-lite", "bshm-live": "model.bshm-live" };
// Which one may find people that another did not: those for pictures, not the one for video calls.
const SECOND_LOOK = ["bshm-lite", "bshm"];

/** Event: "choose" (detail: the name). */
export class Models extends EventTarget {
  #models = [];
  #chosen = "";
  #hidden = false;

  /** @param {HTMLElement} field holds the select @param {() => Promise<object>} list as `listModels` of server.js */
  constructor(field, list) {
    super();
    this.field = field;
    this.select = field.querySelector("select");
    this.list = list;
    this.standard = "";
    this.select.addEventListener("change", () => {
      this.#chosen = this.select.value;
      this.dispatchEvent(new CustomEvent("choose", { detail: this.#chosen }));
    });
    onLanguage(() => this.#fill());
  }

  /** Asks the server; without an answer there is no choice and the server takes its own. */
  async ask() {
    const found = await this.list();
    if (!found) return;
    this.#models = found.models;
    this.standard = found.default;
    this.#fill();
  }

  /** What is shown; empty for the server's own choice. */
  get chosen() {
    return this.#chosen;
  }

  /** Shows which one the open picture was cut out with, or the next one will be. */
  show(name) {
    this.#chosen = name;
    this.select.value = name || this.standard;
  }

  /** Takes the choice away, or back, where it has no meaning. */
  hide(hidden) {
    this.#hidden = hidden;
    this.#fill();
  }

  /** Another model that may find somebody where `name` found nobody; empty where there is none. */
  other(name) {
    const used = name || this.standard;
    return SECOND_LOOK.find((one) => one !== used && this.#models.some((model) => model.name === one)) ?? "";
  }

  #fill() {
    this.field.hidden = this.#hidden || this.#models.length < 2;
    this.select.replaceChildren(
      ...this.#models.map(({ name, purpose }) => {
        const option = new Option(name in KNOWN ? t(KNOWN[name]) : name, name);
        option.title = purpose;
        return option;
      }),
    );
    this.show(this.#chosen);
  }
}
