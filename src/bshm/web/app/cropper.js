// The crop frame over the stage: drag it, its corners or its sides, or move a focused one by arrow keys.

import { clamp } from "./frame.js";
import { ratioOf } from "./look.js";

const SMALLEST_PX = 8;
// Which way each handle pulls: -1 left or up, 1 right or down, 0 not at all.
const HANDLES = { nw: [-1, -1], ne: [1, -1], sw: [-1, 1], se: [1, 1], n: [0, -1], s: [0, 1], w: [-1, 0], e: [1, 0] };

/** Calls `changed()` after each move of the frame. */
export class Cropper {
  #start = null;

  constructor(stage, frame, changed) {
    this.stage = stage;
    this.element = frame;
    this.changed = changed;
    frame.addEventListener("pointerdown", (event) => this.#down(event));
    frame.addEventListener("pointermove", (event) => this.#move(event));
    for (const type of ["pointerup", "pointercancel"]) frame.addEventListener(type, () => (this.#start = null));
    frame.addEventListener("keydown", (event) => this.#key(event));
    stage.addEventListener("view", () => this.place());
  }

  place() {
    const { stage, element } = this;
    element.hidden = !stage.work || stage.mode !== "crop";
    if (element.hidden) return;
    const { view, ratio } = stage;
    const { x, y, width, height } = stage.work.frame;
    element.style.transform = `translate(${(x * view.scale + view.x) / ratio}px, ${(y * view.scale + view.y) / ratio}px)`;
    element.style.width = `${(width * view.scale) / ratio}px`;
    element.style.height = `${(height * view.scale) / ratio}px`;
  }

  #down(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    const part = event.target.dataset.corner ?? "all";
    (part === "all" ? this.element : event.target).focus({ preventScroll: true });
    this.element.setPointerCapture(event.pointerId);
    this.#start = { part, x: event.clientX, y: event.clientY, frame: this.stage.work.frame };
  }

  #move(event) {
    if (!this.#start) return;
    const { ratio, view } = this.stage;
    const scale = ratio / view.scale;
    const [dx, dy] = [(event.clientX - this.#start.x) * scale, (event.clientY - this.#start.y) * scale];
    this.#apply(this.#start.part, this.#start.frame, dx, dy);
  }

  #key(event) {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!arrows[event.key]) return;
    event.preventDefault();
    const { ratio, view } = this.stage;
    // A step that can be seen at this zoom, and never less than a pixel of the picture.
    const step = Math.max(1, Math.round((event.shiftKey ? 20 : 4) * (ratio / view.scale)));
    const [dx, dy] = arrows[event.key];
    this.#apply(event.target.dataset.corner ?? "all", this.stage.work.frame, dx * step, dy * step);
  }

  /** Moves the whole frame, or one corner or side of it, by (dx, dy) pixels of the picture. */
  #apply(part, from, dx, dy) {
    const { work } = this.stage;
    const { crop } = work.entry.look;
    const limit = around(from, work.size);
    crop.box =
      part === "all"
        ? {
            ...from,
            x: clamp(from.x + dx, limit.x, limit.right - from.width),
            y: clamp(from.y + dy, limit.y, limit.bottom - from.height),
          }
        : resized(from, HANDLES[part], dx, dy, ratioOf(crop.aspect, work.size), limit);
    crop.mode = "custom";
    crop.margin = 0;
    this.changed();
  }
}

function around(frame, size) {
  return {
    x: Math.min(0, frame.x),
    y: Math.min(0, frame.y),
    right: Math.max(size.width, frame.x + frame.width),
    bottom: Math.max(size.height, frame.y + frame.height),
  };
}

/** The frame with one handle moved and what is opposite fixed, at `ratio` if there is one, within `limit`. */
function resized(from, [pullX, pullY], dx, dy, ratio, limit) {
  const [fixedX, mostWide] = held(from.x, from.width, pullX, limit.x, limit.right);
  const [fixedY, mostHigh] = held(from.y, from.height, pullY, limit.y, limit.bottom);
  let width = clamp(from.width + pullX * dx, SMALLEST_PX, mostWide);
  let height = clamp(from.height + pullY * dy, SMALLEST_PX, mostHigh);
  if (ratio) {
    // A side decides alone; of a corner whichever way is pulled further.
    const wanted = pullX === 0 ? height * ratio : pullY === 0 ? width : Math.max(width, height * ratio);
    width = Math.min(wanted, mostWide, mostHigh * ratio);
    height = width / ratio;
  }
  return { x: laid(fixedX, width, pullX), y: laid(fixedY, height, pullY), width, height };
}

/** The fixed point of a span that is pulled to one side, or its middle, and how long it may become. */
function held(start, length, pull, low, high) {
  if (pull > 0) return [start, high - start];
  if (pull < 0) return [start + length, start + length - low];
  const middle = start + length / 2;
  return [middle, 2 * Math.min(middle - low, high - middle)];
}

function laid(fixed, length, pull) {
  return fixed - (length * (1 - pull)) / 2;
}
