// The Touch up pane: the brush.

import { onLanguage, t } from "./words.js";

// Bracket keys change the brush by this factor, as painting programs do.
const KEY_FACTOR = 1.15;

export class TouchPane {
  constructor(root, stage) {
    this.root = root;
    this.stage = stage;
    this.find = (selector) => root.querySelector(selector);
    for (const radio of root.querySelectorAll('input[name="brush"]')) {
      radio.addEventListener("change", () => this.#set({ mode: radio.value }));
    }
    this.find("#size").addEventListener("input", (event) => this.#set({ size: Number(event.target.value) }));
    this.find("#softness").addEventListener("input", (event) => this.#set({ softness: event.target.value / 100 }));
    addEventListener("keydown", (event) => this.#key(event));
    onLanguage(() => this.show());
  }

  show() {
    const { brush, work } = this.stage;
    const keeps = work ? Boolean(work.original) : true;
    if (!keeps) brush.mode = "erase";
    for (const radio of this.root.querySelectorAll('input[name="brush"]')) {
      radio.checked = radio.value === brush.mode;
      radio.disabled = radio.value === "keep" && !keeps;
    }
    this.find("#touch-text").textContent = t(keeps ? `touch.${brush.mode}.text` : "touch.keep.off");
    this.find("#size").value = String(brush.size);
    this.find("#size-value").textContent = `${brush.size} px`;
    this.find("#softness").value = String(Math.round(brush.softness * 100));
    this.find("#softness-value").textContent = `${Math.round(brush.softness * 100)} %`;
  }

  #set(change) {
    Object.assign(this.stage.brush, change);
    this.show();
  }

  #key(event) {
    if (this.stage.mode !== "paint" || document.querySelector("dialog[open]")) return;
    if (event.key === "[" || event.key === "]") {
      const { size } = this.stage.brush;
      const next = event.key === "]" ? Math.max(size * KEY_FACTOR, size + 1) : Math.min(size / KEY_FACTOR, size - 1);
      this.#set({ size: Math.min(Math.max(Math.round(next), 3), 200) });
    }
  }
}
