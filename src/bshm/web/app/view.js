// Where the picture lies on the canvas: device pixel = scale * picture pixel + offset.

import { clamp } from "./frame.js";

const SMALLEST_SCALE = 1 / 64;
const LARGEST_SCALE = 32;
const LARGEST_FIT = 8;
// What the zoom buttons step through: whole numbers from 100 % on.
const STOPS = [1 / 16, 1 / 8, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32];
// The part of the picture, in device pixels, that panning always leaves on the canvas.
const STAYS_PX = 80;

export class View {
  scale = 1;
  x = 0;
  y = 0;
  width = 1;
  height = 1;
  fitted = true;

  toCanvas([x, y]) {
    return [x * this.scale + this.x, y * this.scale + this.y];
  }

  toPicture([x, y]) {
    return [(x - this.x) / this.scale, (y - this.y) / this.scale];
  }

  /** Shows all of `box` with so much room around it.  Small pictures are enlarged by whole numbers only, to stay pixel-true. */
  fit(box, { left, right, top, bottom }) {
    const usable = { width: this.width - left - right, height: this.height - top - bottom };
    const scale = Math.min(usable.width / box.width, usable.height / box.height);
    this.scale = scale > 1 ? Math.min(Math.floor(scale), LARGEST_FIT) : Math.max(scale, SMALLEST_SCALE);
    this.x = left + (usable.width - box.width * this.scale) / 2 - box.x * this.scale;
    this.y = top + (usable.height - box.height * this.scale) / 2 - box.y * this.scale;
    this.fitted = true;
    this.#settle();
  }

  /** Zooms so that the picture's pixel under `at` (on the canvas) stays there. */
  zoom(scale, [atX, atY], box) {
    const [px, py] = this.toPicture([atX, atY]);
    this.scale = clamp(scale, SMALLEST_SCALE, LARGEST_SCALE);
    this.x = atX - px * this.scale;
    this.y = atY - py * this.scale;
    this.fitted = false;
    this.#hold(box);
  }

  /** The next stop of the zoom buttons, up (1) or down (-1). */
  stop(direction) {
    const beyond = direction > 0 ? STOPS.filter((at) => at > this.scale * 1.01) : STOPS.filter((at) => at < this.scale / 1.01);
    return (direction > 0 ? beyond[0] : beyond.at(-1)) ?? this.scale;
  }

  pan(dx, dy, box) {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
    this.#hold(box);
  }

  #hold(box) {
    const left = box.x * this.scale;
    const top = box.y * this.scale;
    this.x = clamp(this.x, STAYS_PX - left - box.width * this.scale, this.width - STAYS_PX - left);
    this.y = clamp(this.y, STAYS_PX - top - box.height * this.scale, this.height - STAYS_PX - top);
    this.#settle();
  }

  /** Whole device pixels: at 100 % and beyond each pixel of the picture is then one square, not a blend of two. */
  #settle() {
    if (Math.abs(this.scale - 1) < 0.004) this.scale = 1;
    this.x = Math.round(this.x);
    this.y = Math.round(this.y);
  }
}
