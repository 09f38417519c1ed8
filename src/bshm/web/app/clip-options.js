// What is made of a clip: a choice in a person's words, and what the service is asked for.

import { showCode, startColourField } from "./colour-field.js";
import { COLOURS } from "./pane-background.js";
import { tell } from "./say.js";
import { onLanguage, t } from "./words.js";

// What people key out; the service's own word for it is green-screen.
const GREEN = "#00b140";
const SWATCHES = { green: GREEN, ...COLOURS };
/** kind -> the codec that it needs, and whether it holds more than 8 bits of a colour. */
const KINDS = {
  web: { codec: "vp9", deep: false },
  edit: { codec: "prores", deep: true },
  colour: { codec: "h264", deep: false },
  picture: { codec: "h264", deep: false },
  blur: { codec: "h264", deep: false },
  alpha: { codec: "h264", deep: false },
};
const FORMATS = { web: "webm", edit: "mov" };

/** Event: "change". */
export class ClipOptions extends EventTarget {
  #colour = GREEN;
  #picture = null;
  #offer = null;

  /** @param {HTMLElement} root the pane @param {HTMLInputElement} input for a picture */
  constructor(root, input) {
    super();
    this.root = root;
    this.input = input;
    this.find = (selector) => root.querySelector(selector);
    for (const radio of root.querySelectorAll('input[type="radio"]')) radio.addEventListener("change", () => this.#changed());
    this.#fillSwatches();
    const own = this.find("#clip-colour");
    startColourField(own);
    own.addEventListener("input", () => this.#set(own.value));
    this.find("#clip-blur").addEventListener("input", () => this.#changed());
    this.find("#clip-choose-picture").addEventListener("click", () => input.click());
    input.addEventListener("change", () => this.#take());
    onLanguage(() => this.#show());
  }

  /** What the server can write, and how large a picture behind may be; see `offers` of clip-server.js. */
  set offer(offer) {
    this.#offer = offer;
    this.#show();
  }

  get kind() {
    const kind = this.root.querySelector('input[name="clip-kind"]:checked').value;
    return kind === "none" ? this.root.querySelector('input[name="clip-target"]:checked').value : kind;
  }

  /** What is missing before a clip can be made; empty where nothing is. */
  get missing() {
    if (!this.#isThere(this.kind)) return t("video.codec");
    return this.kind === "picture" && !this.#picture ? t("video.picture.missing") : "";
  }

  /**
   * The fields of a request.
   *
   * @param {number} longest side of the clip in pixels; 0 where it is not known
   * @returns {Record<string, string | Blob>}
   */
  fields(longest) {
    const { kind } = this;
    const radius = (Number(this.find("#clip-blur").value) / 100) * longest;
    const behind = { colour: this.#colour, blur: radius > 0 ? `blur:${radius.toFixed(1)}` : "blur" };
    return {
      format: FORMATS[kind] ?? "mp4",
      background: behind[kind] ?? "",
      background_image: kind === "picture" ? this.#picture : "",
      alpha: kind === "alpha" ? "true" : "",
      // Said beside the choice; the server refuses it otherwise.
      fewer_bits: KINDS[kind].deep ? "" : "true",
      audio: this.find("#clip-sound").checked ? "" : "false",
    };
  }

  #isThere(kind) {
    return !this.#offer?.codecs || this.#offer.codecs.includes(KINDS[kind].codec);
  }

  #set(colour) {
    this.#colour = colour;
    this.#changed();
  }

  #changed() {
    this.#show();
    this.dispatchEvent(new Event("change"));
  }

  #show() {
    const { kind, root } = this;
    const group = kind === "web" || kind === "edit" ? "none" : kind;
    for (const part of root.querySelectorAll("[data-kind]")) part.hidden = part.dataset.kind !== group;
    for (const radio of root.querySelectorAll('input[name="clip-kind"], input[name="clip-target"]')) {
      radio.disabled = radio.value === "none" ? !this.#isThere("web") && !this.#isThere("edit") : !this.#isThere(radio.value);
    }
    this.find("#clip-kind-text").textContent = this.#isThere(kind) ? t(`video.${kind}.text`) : t("video.codec");
    this.find("#clip-colour").value = this.#colour;
    showCode(this.find("#clip-colour"));
    for (const button of this.find("#clip-colours").children) {
      button.setAttribute("aria-pressed", String(SWATCHES[button.dataset.name] === this.#colour));
    }
    this.find("#clip-blur-value").textContent = `${Number(this.find("#clip-blur").value).toFixed(1)} %`;
    this.find("#clip-choose-picture").textContent = t(this.#picture ? "background.change" : "background.choose");
    this.find("#clip-picture-name").textContent = this.#picture?.name ?? "";
  }

  #fillSwatches() {
    for (const [name, value] of Object.entries(SWATCHES)) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.tLabel = `colour.${name}`;
      button.dataset.name = name;
      button.style.setProperty("--fill", value);
      button.addEventListener("click", () => this.#set(value));
      this.find("#clip-colours").append(button);
    }
  }

  async #take() {
    const [file] = this.input.files;
    this.input.value = "";
    if (!file) return;
    const most = this.#offer?.max_background_bytes ?? Infinity;
    try {
      (await createImageBitmap(file)).close();
    } catch {
      tell(t("background.bad", { name: file.name }));
      return;
    }
    if (file.size > most) {
      tell(t("video.picture.large"));
      return;
    }
    this.#picture = file;
    this.#changed();
  }
}
