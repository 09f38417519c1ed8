// The divider between before and after: a slider by pointer and by keys.

import { clamp } from "./frame.js";
import { t } from "./words.js";

const STEP = 0.02;
const PAGE = 0.1;

export class Compare {
  constructor(stage, handle, toggle) {
    this.stage = stage;
    this.handle = handle;
    this.toggle = toggle;
    handle.addEventListener("pointerdown", (event) => this.#down(event));
    handle.addEventListener("pointermove", (event) => this.#move(event));
    handle.addEventListener("keydown", (event) => this.#key(event));
    toggle.addEventListener("click", () => this.#switch());
    stage.addEventListener("view", () => this.place());
  }

  /** Puts the handle where the divider is, or away when there is nothing to compare. */
  place() {
    const { stage, handle, toggle } = this;
    const possible = stage.mayCompare;
    toggle.hidden = stage.mode !== "look";
    toggle.disabled = !possible;
    toggle.setAttribute("aria-pressed", String(stage.compare.on && possible));
    handle.hidden = !stage.compares;
    if (handle.hidden) return;
    const { left, right, top, bottom } = stage.compareSpan;
    handle.style.transform = `translate(${left + (right - left) * stage.compare.share}px, ${top}px)`;
    handle.style.height = `${bottom - top}px`;
    const percent = Math.round(stage.compare.share * 100);
    handle.setAttribute("aria-valuenow", String(percent));
    handle.setAttribute("aria-valuetext", t("compare.value", { percent }));
  }

  set(share) {
    this.stage.compare.share = clamp(share, 0, 1);
    this.stage.redraw();
    this.place();
  }

  #switch() {
    this.stage.compare.on = !this.stage.compare.on;
    this.stage.redraw();
    this.place();
  }

  #down(event) {
    event.preventDefault();
    this.handle.focus({ preventScroll: true });
    this.handle.setPointerCapture(event.pointerId);
  }

  #move(event) {
    if (!this.handle.hasPointerCapture(event.pointerId)) return;
    const { left, right } = this.stage.compareSpan;
    const at = event.clientX - this.stage.canvas.getBoundingClientRect().left;
    this.set((at - left) / Math.max(right - left, 1));
  }

  #key(event) {
    const { share } = this.stage.compare;
    const moves = {
      ArrowLeft: share - STEP,
      ArrowDown: share - STEP,
      ArrowRight: share + STEP,
      ArrowUp: share + STEP,
      PageDown: share - PAGE,
      PageUp: share + PAGE,
      Home: 0,
      End: 1,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    this.set(moves[event.key]);
  }
}
