// The Background pane: what the people stand before.

import { pictureOf } from "./backdrop.js";
import { showCode, startColourField } from "./colour-field.js";
import { note, showRecents } from "./recents.js";
import { tell } from "./say.js";
import { onLanguage, t } from "./words.js";

const COLOURS = {
  white: "#ffffff",
  light: "#e8e6e3",
  dark: "#3a3d42",
  black: "#000000",
  blue: "#438edb",
  red: "#d03a33",
  sand: "#e6d3bd",
  sage: "#b9c8b2",
  sky: "#bcdcf0",
  rose: "#efc7cb",
  plum: "#5b4a70",
};
const GRADIENTS = {
  1: ["#fdfbf7", "#d9d5cf", 180],
  2: ["#f9d9b5", "#d78fa0", 160],
  3: ["#bfe6e3", "#3b7ea1", 170],
  4: ["#d9e2c4", "#5d7a5a", 165],
  5: ["#8f8fce", "#2b2746", 180],
  6: ["#5a5e66", "#17181b", 180],
};

/** Calls `changed()` after each change of the current entry's background. */
export class BackgroundPane {
  #look = null;

  constructor(root, changed) {
    this.root = root;
    this.changed = changed;
    this.find = (selector) => root.querySelector(selector);
    for (const radio of root.querySelectorAll('input[name="kind"]')) {
      radio.addEventListener("change", () => this.#set({ kind: radio.value }));
    }
    this.#swatches("#colours", COLOURS, (fill) => fill, "colour", (colour) => ({ colour }));
    this.#swatches(
      "#gradients",
      GRADIENTS,
      ([from, to, angle]) => `linear-gradient(${angle}deg, ${from}, ${to})`,
      "gradient",
      ([from, to, angle]) => ({ from, to, angle }),
    );
    this.#bind("#own-colour", "colour");
    this.#bind("#gradient-from", "from");
    this.#bind("#gradient-to", "to");
    this.#bind("#angle", "angle", Number);
    this.#bind("#blur", "blur", Number);
    this.input = document.querySelector("#backdrop-file");
    this.find("#backdrop-choose").addEventListener("click", () => this.input.click());
    this.input.addEventListener("change", () => this.#choose());
    onLanguage(() => this.#look && this.show(this.#look, this.hasOriginal));
  }

  /** Shows the settings of a look; blur needs the original. */
  show(look, hasOriginal) {
    this.#look = look;
    this.hasOriginal = hasOriginal;
    const { kind, colour, from, to, angle, blur, picture } = look.background;
    for (const radio of this.root.querySelectorAll('input[name="kind"]')) radio.checked = radio.value === kind;
    this.find('input[value="blur"]').disabled = !hasOriginal;
    for (const part of this.root.querySelectorAll("[data-kind]")) part.hidden = part.dataset.kind !== kind;
    for (const [id, value] of [["own-colour", colour], ["gradient-from", from], ["gradient-to", to]]) {
      this.find(`#${id}`).value = value;
      showCode(this.find(`#${id}`));
    }
    this.find("#angle").value = String(angle);
    this.find("#angle-value").textContent = `${angle}°`;
    this.find("#blur").value = String(blur);
    this.find("#blur-value").textContent = `${blur.toFixed(1)} %`;
    this.find("#blur-text").textContent = t(hasOriginal ? "background.blur.text" : "background.blur.off");
    this.find("#backdrop-choose").textContent = t(picture ? "background.change" : "background.choose");
    this.find("#backdrop-name").textContent = picture?.name ?? "";
    showRecents(this.find("#recents"), picture, (chosen) => this.#set({ kind: "picture", picture: chosen }));
    this.#press("#colours", COLOURS, (value) => value === colour);
    this.#press("#gradients", GRADIENTS, (value) => value[0] === from && value[1] === to && value[2] === angle);
  }

  #set(change) {
    Object.assign(this.#look.background, change);
    this.show(this.#look, this.hasOriginal);
    this.changed();
    if (change.kind === "picture" && !this.#look.background.picture) this.input.click();
  }

  #bind(selector, name, read = String) {
    const input = this.find(selector);
    if (input.type === "color") startColourField(input);
    input.addEventListener("input", () => this.#set({ [name]: read(input.value) }));
  }

  #swatches(selector, values, fill, words, change) {
    for (const [name, value] of Object.entries(values)) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.tLabel = `${words}.${name}`;
      button.dataset.name = name;
      button.style.setProperty("--fill", fill(value));
      button.addEventListener("click", () => this.#set(change(value)));
      this.find(selector).append(button);
    }
  }

  #press(selector, values, matches) {
    for (const button of this.find(selector).children) {
      button.setAttribute("aria-pressed", String(matches(values[button.dataset.name])));
    }
  }

  async #choose() {
    const [file] = this.input.files;
    this.input.value = "";
    if (!file) return;
    try {
      const picture = await pictureOf(file, file.name);
      note(picture);
      this.#set({ kind: "picture", picture });
    } catch {
      tell(t("background.bad", { name: file.name }));
    }
  }
}
