// The canvas in the middle: draws the open picture, and turns pointers, wheel and keys into zoom, pan and strokes.

import { paintBackdrop } from "./backdrop.js";
import { clamp } from "./frame.js";
import { View } from "./view.js";

const SQUARE_PX = 10;
// The bar of zoom buttons stands below the picture, smaller and nearer on a low stage; on a very low one it stands
// beside the picture, which needs the height.
const TOOLS_PX = { beside: 56, low: 60, high: 84 };
const LOW_STAGE_PX = 420;
const VERY_LOW_STAGE_PX = 320;
const KEY_PAN_PX = 48;
// How much of the original shows under the cut-out that is looked over.
const FAINT = 0.3;

/** Events: "view" (zoom or position), "stroke" (one ended), "compare" (the divider moved). */
export class Stage extends EventTarget {
  work = null;
  view = new View();
  /** "look": drag pans. "paint": drag paints. "crop": the frame's surroundings show. "review": the whole cut-out. */
  mode = "look";
  /** In review: what is kept in white, what goes in black. */
  showsAlpha = false;
  /** While the pixels are made anew nothing can be painted. */
  isBusy = false;
  compare = { on: true, share: 0.5 };
  brush = { mode: "keep", size: 36, softness: 0.5 };
  #finished = null;
  #free = 0;
  #pointers = new Map();
  #gesture = null;
  #drawing = 0;
  #squares = null;
  #cursor = null;

  constructor(canvas, ring) {
    super();
    this.canvas = canvas;
    this.ring = ring;
    this.context = canvas.getContext("2d");
    this.ratio = globalThis.devicePixelRatio || 1;
    new ResizeObserver(() => this.#resize()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, (event) => this.#up(event));
    canvas.addEventListener("pointerleave", () => this.#ringAt(null));
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("dblclick", (event) => this.#double(event));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#endKeyStroke());
    canvas.addEventListener("contextmenu", (event) => this.mode === "paint" && event.preventDefault());
  }

  /** Shows an opened picture, or nothing. */
  show(work) {
    this.work = work;
    this.#gesture = null;
    this.#cursor = null;
    this.showFinished(null);
    this.canvas.hidden = !work;
    if (work) {
      this.#resize();
      this.fit();
    }
  }

  /** The picture with other pixels, seen as it was where its size is the same. */
  replace(work) {
    const before = this.work?.size;
    this.work = work;
    const same = before?.width === work.size.width && before.height === work.size.height;
    if (same && !this.view.fitted) this.redraw();
    else this.fit();
  }

  /** Shows what the server made of the picture in its place, or the picture again. */
  showFinished(bitmap) {
    const old = this.#finished;
    if (!old && !bitmap) return;
    this.#finished = bitmap;
    const same = old && bitmap && old.width === bitmap.width && old.height === bitmap.height;
    old?.close();
    this.canvas.dataset.finished = String(Boolean(bitmap));
    if (!this.work) return;
    if (same && !this.view.fitted) this.redraw();
    else this.fit();
  }

  setAlpha(shows) {
    this.showsAlpha = shows;
    this.redraw();
  }

  /** Zooms to a box of what is seen, with room around it. */
  zoomToBox({ x, y, width, height }) {
    const { view } = this;
    const scale = Math.min((0.5 * view.width) / width, (0.5 * view.height) / height, Math.max(4, view.scale));
    view.zoom(Math.max(scale, view.scale), view.toCanvas([x + width / 2, y + height / 2]), this.box);
    const [cx, cy] = view.toCanvas([x + width / 2, y + height / 2]);
    view.pan(view.width / 2 - cx, view.height / 2 - cy, this.box);
    this.#viewChanged();
  }

  setMode(mode) {
    this.mode = mode;
    this.canvas.dataset.mode = mode;
    this.#ringAt(null);
    if (this.view.fitted) this.fit();
    this.redraw();
  }

  /** What is seen: the frame, or in crop mode the picture and the frame. */
  get box() {
    const { frame, size } = this.work;
    if (this.#showsFinished) return { x: 0, y: 0, width: this.#finished.width, height: this.#finished.height };
    if (this.mode === "review") return { x: 0, y: 0, ...size };
    if (this.mode !== "crop") return frame;
    const x = Math.min(0, frame.x);
    const y = Math.min(0, frame.y);
    return {
      x,
      y,
      width: Math.max(size.width, frame.x + frame.width) - x,
      height: Math.max(size.height, frame.y + frame.height) - y,
    };
  }

  fit() {
    if (!this.work) return;
    const { clientHeight } = this.canvas;
    const rim = Math.max(Math.min(this.view.width, this.view.height) * 0.03, 10 * this.ratio);
    const more = this.mode === "crop" ? 10 * this.ratio : 0;
    // On a very low stage the note lies over the picture, which would be left no height.
    const free = this.#toolsBeside ? 0 : this.#free;
    const top = Math.max(rim, free && (free + 10) * this.ratio) + more;
    const below = (clientHeight < LOW_STAGE_PX ? TOOLS_PX.low : TOOLS_PX.high) * this.ratio + more;
    const room = this.#toolsBeside
      ? { left: rim + more, right: TOOLS_PX.beside * this.ratio + more, top, bottom: rim + more }
      : { left: rim + more, right: rim + more, top, bottom: below };
    this.view.fit(this.box, room);
    this.#viewChanged();
  }

  /** Leaves so many CSS pixels at the top to a note when the picture is fitted. */
  keepFree(height) {
    if (height === this.#free) return;
    this.#free = height;
    this.refresh();
  }

  /** Zooms to `scale` (device pixels for a pixel of the picture), about the middle unless told. */
  zoomTo(scale, at = [this.view.width / 2, this.view.height / 2]) {
    if (!this.work) return;
    this.view.zoom(scale, at, this.box);
    this.#viewChanged();
  }

  /** One stop in (1) or out (-1). */
  zoomStep(direction, at) {
    this.zoomTo(this.view.stop(direction), at);
  }

  /** The look changed; a frame that was fitted stays fitted. */
  refresh() {
    if (this.work && this.view.fitted) this.fit();
    else this.#viewChanged();
  }

  redraw() {
    this.#drawing ||= requestAnimationFrame(() => {
      this.#drawing = 0;
      this.#draw();
    });
  }

  /** What of the picture is on the canvas, which the divider moves over, in CSS pixels. */
  get compareSpan() {
    const { x, y, width, height } = this.box;
    const [left, top] = this.view.toCanvas([x, y]);
    const [right, bottom] = this.view.toCanvas([x + width, y + height]);
    const across = (value) => clamp(value, 0, this.view.width) / this.ratio;
    const down = (value) => clamp(value, 0, this.view.height) / this.ratio;
    return { left: across(left), right: across(right), top: down(top), bottom: down(bottom) };
  }

  get compares() {
    return this.mayCompare && this.mode === "look" && this.compare.on;
  }

  /** Whether there is an original that lies where the picture does. */
  get mayCompare() {
    return Boolean(this.work?.original) && !this.#finished;
  }

  get #showsFinished() {
    return Boolean(this.#finished) && this.mode === "look";
  }

  get #toolsBeside() {
    return this.canvas.clientHeight < VERY_LOW_STAGE_PX;
  }

  #resize() {
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth || !clientHeight) return;
    this.canvas.parentElement.dataset.tools = this.#toolsBeside ? "beside" : "below";
    this.ratio = globalThis.devicePixelRatio || 1;
    const [width, height] = [Math.round(clientWidth * this.ratio), Math.round(clientHeight * this.ratio)];
    if (width === this.canvas.width && height === this.canvas.height) return;
    [this.canvas.width, this.canvas.height] = [width, height];
    [this.view.width, this.view.height] = [width, height];
    this.#squares = null;
    this.refresh();
    this.#draw();
  }

  #viewChanged() {
    const { scale, x, y } = this.view;
    // Where the picture lies, for whoever looks from outside (tests, style sheets).
    this.canvas.dataset.view = `${scale} ${x} ${y}`;
    this.redraw();
    this.dispatchEvent(new Event("view"));
  }

  #draw() {
    const { context, view, work } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, view.width, view.height);
    if (!work) return;
    const box = this.box;
    const [left, top] = view.toCanvas([box.x, box.y]).map(Math.round);
    const [right, bottom] = view.toCanvas([box.x + box.width, box.y + box.height]).map(Math.round);
    context.save();
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
    context.fillStyle = this.#checkerboard();
    context.fillRect(left, top, right - left, bottom - top);
    context.setTransform(view.scale, 0, 0, view.scale, view.x, view.y);
    const { background } = work.entry.look;
    const isPlain = this.#showsFinished || this.mode === "review";
    if (background.kind !== "none" && !isPlain) paintBackdrop(context, background, work.frame, work);
    context.imageSmoothingEnabled = view.scale < 1;
    context.imageSmoothingQuality = "medium";
    if (this.#showsFinished) context.drawImage(this.#finished, 0, 0);
    else if (this.mode === "review") this.#drawReview();
    else context.drawImage(work.canvas, 0, 0);
    if (this.compares && this.compare.share > 0) this.#drawBefore(top, bottom);
    context.restore();
  }

  /** The cut-out over a faint original, so that what was lost can be seen; or its alpha. */
  #drawReview() {
    const { context, work } = this;
    const { width, height } = work.size;
    if (!this.showsAlpha) {
      context.globalAlpha = FAINT;
      if (work.original) context.drawImage(work.original, 0, 0);
      context.globalAlpha = 1;
      context.drawImage(work.canvas, 0, 0);
      return;
    }
    const white = new OffscreenCanvas(width, height);
    const paint = white.getContext("2d");
    paint.drawImage(work.canvas, 0, 0);
    paint.globalCompositeOperation = "source-in";
    paint.fillStyle = "#ffffff";
    paint.fillRect(0, 0, width, height);
    context.fillStyle = "#000000";
    context.fillRect(0, 0, width, height);
    context.drawImage(white, 0, 0);
  }

  #drawBefore(top, bottom) {
    const { context, view, work, ratio } = this;
    const { left, right } = this.compareSpan;
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.beginPath();
    const from = Math.round(left * ratio);
    context.rect(from, top, Math.round((right - left) * this.compare.share * ratio), bottom - top);
    context.clip();
    context.fillStyle = this.#checkerboard();
    context.fillRect(0, 0, view.width, view.height);
    context.setTransform(view.scale, 0, 0, view.scale, view.x, view.y);
    context.drawImage(work.original, 0, 0);
    context.restore();
  }

  /** Drop what was prepared in the theme's colours. */
  themeChanged() {
    this.#squares = null;
    this.redraw();
  }

  #checkerboard() {
    if (this.#squares) return this.#squares;
    const side = Math.round(SQUARE_PX * this.ratio);
    const tile = new OffscreenCanvas(2 * side, 2 * side);
    const context = tile.getContext("2d");
    const style = getComputedStyle(this.canvas);
    context.fillStyle = style.getPropertyValue("--square-a").trim();
    context.fillRect(0, 0, 2 * side, 2 * side);
    context.fillStyle = style.getPropertyValue("--square-b").trim();
    context.fillRect(0, 0, side, side);
    context.fillRect(side, side, side, side);
    this.#squares = this.context.createPattern(tile, "repeat");
    return this.#squares;
  }

  // ---- pointers ----

  #at(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return [(event.clientX - left) * this.ratio, (event.clientY - top) * this.ratio];
  }

  #down(event) {
    if (!this.work) return;
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, this.#at(event));
    if (this.#pointers.size === 2) {
      // The first finger of a pinch has painted a dot already.
      if (this.#gesture?.kind === "stroke") this.work.cancel();
      this.#gesture = { kind: "pinch", ...this.#pinch() };
      this.redraw();
    } else if (this.#pointers.size === 1) {
      const paints = this.mode === "paint" && event.button === 0 && !this.isBusy;
      this.#gesture = { kind: paints ? "stroke" : "pan" };
      if (paints) this.#beginStroke(this.#at(event));
    }
    this.canvas.classList.toggle("is-panning", this.#gesture?.kind === "pan");
  }

  #move(event) {
    if (!this.work) return;
    const before = this.#pointers.get(event.pointerId);
    if (event.pointerType !== "touch" || this.#gesture?.kind === "stroke") this.#ringAt(this.#at(event));
    if (!before) return;
    const now = this.#at(event);
    this.#pointers.set(event.pointerId, now);
    if (this.#gesture?.kind === "pan") {
      this.view.pan(now[0] - before[0], now[1] - before[1], this.box);
      this.#viewChanged();
    } else if (this.#gesture?.kind === "stroke") {
      const all = event.getCoalescedEvents?.() ?? [];
      for (const one of all.length ? all : [event]) this.work.extend(this.view.toPicture(this.#at(one)));
      this.redraw();
    } else if (this.#gesture?.kind === "pinch") {
      const pinch = this.#pinch();
      this.view.pan(pinch.middle[0] - this.#gesture.middle[0], pinch.middle[1] - this.#gesture.middle[1], this.box);
      this.view.zoom(this.view.scale * (pinch.spread / this.#gesture.spread), pinch.middle, this.box);
      this.#gesture = { kind: "pinch", ...pinch };
      this.#viewChanged();
    }
  }

  #up(event) {
    if (!this.#pointers.delete(event.pointerId)) return;
    if (this.#gesture?.kind === "stroke") {
      if (event.type === "pointercancel") this.work.cancel();
      else this.#endStroke();
      this.redraw();
    }
    // A finger that stays after a pinch does nothing more: it would paint or jump.
    this.#gesture = null;
    this.canvas.classList.remove("is-panning");
    if (event.pointerType === "touch") this.#ringAt(null);
  }

  #pinch() {
    const [[x0, y0], [x1, y1]] = [...this.#pointers.values()];
    return { middle: [(x0 + x1) / 2, (y0 + y1) / 2], spread: Math.max(Math.hypot(x1 - x0, y1 - y0), 1) };
  }

  #wheel(event) {
    if (!this.work) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    // A wheel turns in steps and zooms; two fingers on a touchpad glide and pan, and pinch with ctrlKey set.
    const glides = !event.ctrlKey && event.deltaMode === 0 && (event.deltaX !== 0 || Math.abs(event.deltaY) < 40);
    if (glides) {
      this.view.pan(-event.deltaX * this.ratio, -event.deltaY * this.ratio, this.box);
      this.#viewChanged();
    } else {
      const speed = event.ctrlKey ? 0.01 : 0.0018;
      this.zoomTo(this.view.scale * Math.exp(-event.deltaY * lines * speed), this.#at(event));
    }
  }

  #double(event) {
    if (!this.work || this.mode === "paint") return;
    if (this.view.fitted) this.zoomTo(Math.max(1, this.view.scale * 2), this.#at(event));
    else this.fit();
  }

  // ---- keys ----

  #key(event) {
    if (!this.work || event.ctrlKey || event.metaKey || event.altKey) return;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const middle = this.#cursor ?? undefined;
    if (arrows[event.key]) this.#arrow(arrows[event.key], event.shiftKey);
    else if (event.key === "+" || event.key === "=") this.zoomStep(1, middle);
    else if (event.key === "-") this.zoomStep(-1, middle);
    else if (event.key === "0") this.fit();
    else if (event.key === "1") this.zoomTo(1, middle);
    else if (this.mode === "paint" && (event.key === " " || event.key === "Enter")) this.#toggleKeyStroke();
    else if (event.key === "Escape" && this.#gesture?.kind === "keys") this.#endKeyStroke();
    else return;
    event.preventDefault();
  }

  /** Arrows pan; in paint mode they move the brush, which paints between two presses of space. */
  #arrow([dx, dy], fast) {
    if (this.mode !== "paint") {
      const step = KEY_PAN_PX * this.ratio * (fast ? 4 : 1);
      this.view.pan(-dx * step, -dy * step, this.box);
      this.#viewChanged();
      return;
    }
    const step = Math.max(2, this.brush.size / 4) * this.ratio * (fast ? 4 : 1);
    const [x, y] = this.#cursor ?? [this.view.width / 2, this.view.height / 2];
    this.#ringAt([clamp(x + dx * step, 0, this.view.width), clamp(y + dy * step, 0, this.view.height)]);
    if (this.#gesture?.kind === "keys") {
      this.work.extend(this.view.toPicture(this.#cursor));
      this.redraw();
    }
  }

  #toggleKeyStroke() {
    if (this.#gesture?.kind === "keys") {
      this.#endKeyStroke();
      return;
    }
    if (this.isBusy) return;
    this.#ringAt(this.#cursor ?? [this.view.width / 2, this.view.height / 2]);
    this.#gesture = { kind: "keys" };
    this.#beginStroke(this.#cursor);
    this.ring.classList.add("is-down");
  }

  #endKeyStroke() {
    if (this.#gesture?.kind !== "keys") return;
    this.#gesture = null;
    this.ring.classList.remove("is-down");
    this.#endStroke();
  }

  // ---- strokes ----

  #beginStroke(at) {
    const { mode, size, softness } = this.brush;
    const radius = Math.max((size / 2) * (this.ratio / this.view.scale), 0.5);
    this.work.begin({ mode, radius, softness, points: [this.view.toPicture(at)] });
    this.redraw();
  }

  #endStroke() {
    this.work.end();
    this.dispatchEvent(new Event("stroke"));
  }

  /** The brush's ring, or none. */
  #ringAt(at) {
    const shown = at !== null && this.mode === "paint";
    this.ring.hidden = !shown;
    if (!shown) return;
    this.#cursor = at;
    const { size } = this.brush;
    this.ring.style.width = this.ring.style.height = `${size}px`;
    this.ring.style.transform = `translate(${at[0] / this.ratio - size / 2}px, ${at[1] / this.ratio - size / 2}px)`;
  }
}
