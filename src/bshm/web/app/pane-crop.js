// The Crop pane: what is framed, in which shape, with how much room; and which way up.

import { ASPECTS, baseOf, plainLook, ratioOf } from "./look.js";
import { turnEntry } from "./turn.js";
import { onLanguage, t } from "./words.js";

const MARGIN_AROUND_PEOPLE = 6;
const CHIP_SIDE_PX = 15;

/** Calls `changed()` after each change of the current entry's frame or turn. */
export class CropPane {
  #work = null;

  constructor(root, changed) {
    this.root = root;
    this.changed = changed;
    this.find = (selector) => root.querySelector(selector);
    for (const radio of root.querySelectorAll('input[name="crop"]')) {
      radio.addEventListener("change", () => this.#frame(radio.value));
    }
    for (const name of Object.keys(ASPECTS)) this.#chip(name);
    this.find("#margin").addEventListener("input", (event) => this.#set({ margin: Number(event.target.value) }));
    this.find("#crop-reset").addEventListener("click", () => this.#set(plainLook().crop));
    for (const button of root.querySelectorAll("[data-turn]")) {
      button.addEventListener("click", () => this.#turn(button.dataset.turn));
    }
    onLanguage(() => this.#work && this.show(this.#work));
  }

  show(work) {
    this.#work = work;
    const { mode, aspect, margin } = work.entry.look.crop;
    for (const radio of this.root.querySelectorAll('input[name="crop"]')) {
      radio.checked = radio.value === mode;
      if (radio.value === "subject") radio.disabled = !work.subject;
    }
    for (const radio of this.root.querySelectorAll('input[name="aspect"]')) radio.checked = radio.value === aspect;
    this.find("#margin").value = String(margin);
    this.find("#margin").disabled = mode === "custom";
    this.find("#margin-value").textContent = `${margin} %`;
    const { width, height } = work.frame;
    this.find("#crop-size").textContent = t("crop.size", { width, height });
  }

  #frame(mode) {
    this.#set({ mode, box: null, margin: mode === "subject" ? MARGIN_AROUND_PEOPLE : 0 });
  }

  #aspect(aspect) {
    const { crop } = this.#work.entry.look;
    // A frame drawn by hand has its own shape: a chosen shape starts again from the picture.
    const again = crop.mode === "custom" ? { mode: "whole", box: null } : {};
    this.#set({ ...again, aspect });
  }

  #turn(which) {
    // Not before the last turn is made: the size is that of the open pixels.
    if (this.#work.base !== baseOf(this.#work.entry.look)) return;
    turnEntry(this.#work.entry, which, this.#work.size);
    this.changed();
  }

  #set(change) {
    Object.assign(this.#work.entry.look.crop, change);
    this.show(this.#work);
    this.changed();
  }

  #chip(name) {
    const label = document.createElement("label");
    const radio = document.createElement("input");
    radio.type = "radio";
    radio.name = "aspect";
    radio.value = name;
    radio.addEventListener("change", () => this.#aspect(name));
    const words = document.createElement("span");
    const translated = { free: "aspect.free", original: "aspect.original", "35:45": "aspect.id" }[name];
    if (translated) words.dataset.t = translated;
    else words.textContent = name.replace(":", " : ");
    label.append(radio);
    const ratio = ASPECTS[name] && ratioOf(name, { width: 1, height: 1 });
    if (ratio && name !== "original") {
      const shape = document.createElement("i");
      shape.style.setProperty("--wide", String(Math.round(CHIP_SIDE_PX * Math.min(1, ratio))));
      shape.style.setProperty("--high", String(Math.round(CHIP_SIDE_PX * Math.min(1, 1 / ratio))));
      label.append(shape);
    }
    label.append(words);
    this.find("#aspects").append(label);
  }
}
