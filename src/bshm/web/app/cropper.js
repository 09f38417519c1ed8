// The crop frame over the stage: drag it or its corners, or move a focused one by arrow keys.

import { clamp } from "./frame.js";
import { ratioOf } from "./look.js";

const SMALLEST_PX = 8;
const CORNERS = { nw: [0, 0], ne: [1, 0], sw: [0, 1], se: [1, 1] };

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

  /** Moves the whole frame or one corner of it by (dx, dy) pixels of the picture. */
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
        : resized(from, CORNERS[part], dx, dy, ratioOf(crop.aspect, work.size), limit);
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

/** The frame with one corner moved and the opposite one fixed, at `ratio` if there is one, within `limit`. */
function resized(from, [onRight, onBottom], dx, dy, ratio, limit) {
  const fixedX = onRight ? from.x : from.x + from.width;
  const fixedY = onBottom ? from.y : from.y + from.height;
  const mostWide = onRight ? limit.right - fixedX : fixedX - limit.x;
  const mostHigh = onBottom ? limit.bottom - fixedY : fixedY - limit.y;
  let width = clamp(from.width + (onRight ? dx : -dx), SMALLEST_PX, mostWide);
  let height = clamp(from.height + (onBottom ? dy : -dy), SMALLEST_PX, mostHigh);
  if (ratio) {
    width = Math.min(Math.max(width, height * ratio), mostWide, mostHigh * ratio);
    height = width / ratio;
  }
  return { x: onRight ? fixedX : fixedX - width, y: onBottom ? fixedY : fixedY - height, width, height };
}
