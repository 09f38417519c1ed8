// What was made of a clip: played over chequered ground where this browser can, and downloaded.

import { placeOfResult } from "./clip-server.js";
import { sizeOf } from "./clip-words.js";
import { say } from "./say.js";
import { Problem } from "./server.js";
import { currentLanguage, onLanguage, t } from "./words.js";

const NOT_PLAYED = new Set(["video/quicktime"]);

/** Event: "problem" (detail: a Problem): it cannot be fetched. */
export class ClipResult extends EventTarget {
  #job = null;
  #place = "";
  #plays = true;

  /**
   * @param {{video: HTMLVideoElement, card: HTMLElement, link: HTMLAnchorElement, facts: HTMLElement,
   *   more: HTMLDetailsElement, notes: HTMLElement, kept: HTMLElement}} parts card: in place of a video that does not play
   */
  constructor(parts) {
    super();
    this.parts = parts;
    parts.video.addEventListener("error", () => {
      // Without an address there is none to play.
      if (!this.#place) return;
      this.#plays = false;
      this.#show();
    });
    parts.video.addEventListener("loadedmetadata", ({ target }) =>
      target.style.setProperty("--ratio", String(target.videoWidth / target.videoHeight || 1.6)),
    );
    parts.link.addEventListener("click", () => say(t("say.saved", { name: this.#file.name })));
    onLanguage(() => this.#show());
  }

  get #product() {
    return Object.keys(this.#job.results)[0];
  }

  get #file() {
    return this.#job.results[this.#product];
  }

  /** @param {object | null} job as the server describes it once it is done; null takes all away */
  async show(job) {
    if (job?.id === this.#job?.id) return;
    this.#close();
    this.#job = job;
    this.#show();
    if (!job) return;
    let place;
    try {
      place = await placeOfResult(job.id, this.#product);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (job === this.#job) this.dispatchEvent(new CustomEvent("problem", { detail: error }));
      return;
    }
    if (job !== this.#job) {
      if (place.startsWith("blob:")) URL.revokeObjectURL(place);
      return;
    }
    this.#place = place;
    this.#plays = !NOT_PLAYED.has(this.#file.media_type);
    if (this.#plays) this.parts.video.src = place;
    this.#show();
  }

  #close() {
    const { video, link } = this.parts;
    if (this.#place.startsWith("blob:")) URL.revokeObjectURL(this.#place);
    this.#place = "";
    this.#plays = true;
    if (video.hasAttribute("src")) {
      video.removeAttribute("src");
      video.load();
    }
    link.removeAttribute("href");
  }

  #show() {
    const { video, card, link, facts, more, notes, kept } = this.parts;
    const isThere = this.#job !== null && this.#place !== "";
    video.hidden = !isThere || !this.#plays;
    card.hidden = !isThere || this.#plays;
    link.hidden = this.#job === null;
    if (!this.#job) {
      for (const part of [facts, kept]) part.textContent = "";
      more.hidden = true;
      return;
    }
    const { details, expires_at: expires } = this.#job;
    const { name, size } = this.#file;
    if (isThere) [link.href, link.download] = [this.#place, name];
    link.setAttribute("aria-busy", String(!isThere));
    const { width, height, frames } = details;
    facts.textContent = t("video.facts", { width, height, frames, size: sizeOf(size) });
    kept.textContent = expires ? t("video.kept", { time: timeOf(expires) }) : "";
    more.hidden = !details.notes?.length;
    notes.replaceChildren(
      ...(details.notes ?? []).map((note) => Object.assign(document.createElement("li"), { textContent: note })),
    );
  }
}

function timeOf(moment) {
  const language = currentLanguage() === "zh" ? "zh-CN" : "en-GB";
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(new Date(moment));
}
