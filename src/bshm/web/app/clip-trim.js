// Which part of a clip is made: two handles below its preview, and the same in seconds.

import { clockOf, lengthOf } from "./clip-words.js";
import { onLanguage, t } from "./words.js";

// Shorter clips are moved along in finer steps.
const SHORT_S = 3;
const LEAST_S = 0.05;

/** Event: "change" (detail: the second that was chosen, to be looked at). */
export class Trim extends EventTarget {
  #start = 0;
  #end = null;
  // Of the clip; null where this browser does not know it.
  #length = null;

  /**
   * @param {{handles: HTMLElement, from: HTMLInputElement, to: HTMLInputElement, start: HTMLInputElement,
   *   end: HTMLInputElement, words: HTMLElement}} parts handles: around the ranges `from` and `to`; start, end: seconds
   */
  constructor(parts) {
    super();
    this.parts = parts;
    const { from, to, start, end } = parts;
    from.addEventListener("input", () => this.#move(Number(from.value), this.#end, Number(from.value)));
    to.addEventListener("input", () => this.#move(this.#start, this.#cut(Number(to.value)), Number(to.value)));
    start.addEventListener("change", () => this.#move(numberOf(start) ?? 0, this.#end, numberOf(start) ?? 0));
    end.addEventListener("change", () => this.#move(this.#start, this.#cut(numberOf(end)), numberOf(end)));
    onLanguage(() => this.#show());
  }

  /** A clip that lasts so many seconds; null where that is not known. */
  open(length) {
    this.#length = length;
    [this.#start, this.#end] = [0, null];
    this.#show();
  }

  /** Seconds that are made of the clip; null where nobody knows. */
  get seconds() {
    const end = this.#end ?? this.#length;
    return end === null ? null : end - this.#start;
  }

  get start() {
    return this.#start;
  }

  get end() {
    return this.#end ?? this.#length;
  }

  /** Takes at most so many seconds. */
  shorten(most) {
    if (this.seconds > most) this.#end = tidy(this.#start + most);
    this.#show();
  }

  /** The fields of a request: empty where all is made. */
  get fields() {
    return {
      start: this.#start > 0 ? String(this.#start) : "",
      end: this.#end === null ? "" : String(this.#end),
    };
  }

  /** The end of the clip is no cut. */
  #cut(end) {
    return end === null || (this.#length !== null && end >= this.#length) ? null : end;
  }

  #move(start, end, at) {
    const last = (end ?? this.#length ?? Infinity) - LEAST_S;
    // The part that is moved gives way: the other one stays where it was put.
    if (start !== this.#start) this.#start = tidy(Math.max(0, Math.min(start, last)));
    else this.#end = end === null ? null : tidy(Math.max(end, this.#start + LEAST_S));
    this.#show();
    this.dispatchEvent(new CustomEvent("change", { detail: at ?? this.end }));
  }

  #show() {
    const { handles, from, to, start, end, words } = this.parts;
    const length = this.#length;
    handles.hidden = length === null;
    start.value = String(this.#start);
    end.value = this.#end === null ? (length === null ? "" : String(tidy(length))) : String(this.#end);
    words.textContent = this.seconds === null ? "" : t("video.takes", { length: lengthOf(this.seconds) });
    if (length === null) return;
    const step = length < SHORT_S ? 0.01 : 0.1;
    // Reached in whole steps, also where the clip is no whole number of them.
    const last = Math.ceil(tidy(length / step)) * step;
    for (const [range, value, seconds] of [[from, this.#start, this.#start], [to, this.#end ?? last, this.end]]) {
      range.step = String(step);
      range.max = String(last);
      range.value = String(value);
      range.setAttribute("aria-valuetext", clockOf(seconds));
      range.title = clockOf(seconds);
    }
    handles.style.setProperty("--from", String(this.#start / last));
    handles.style.setProperty("--to", String((this.#end ?? last) / last));
    // Where both are at the end, the first one can only go back.
    handles.dataset.above = this.#start > length / 2 ? "from" : "to";
  }
}

function numberOf(input) {
  const value = input.valueAsNumber;
  return Number.isFinite(value) ? value : null;
}

function tidy(seconds) {
  return Math.round(seconds * 100) / 100;
}
