// Keep and erase strokes on straight-alpha pixels, with undo by the tiles that a stroke touched.

const TILE = 128;

/** Pixels cut into tiles; the last ones of a row or column are narrower. */
class Tiles {
  constructor(image) {
    this.image = image;
    this.across = Math.ceil(image.width / TILE);
  }

  box(index) {
    const x = (index % this.across) * TILE;
    const y = Math.floor(index / this.across) * TILE;
    return { x, y, width: Math.min(TILE, this.image.width - x), height: Math.min(TILE, this.image.height - y) };
  }

  *touching(box) {
    const last = (value, size) => Math.min(Math.floor(value / TILE), Math.ceil(size / TILE) - 1);
    for (let ty = Math.max(0, Math.floor(box.y / TILE)); ty <= last(box.y + box.height, this.image.height); ty += 1) {
      for (let tx = Math.max(0, Math.floor(box.x / TILE)); tx <= last(box.x + box.width, this.image.width); tx += 1) {
        yield ty * this.across + tx;
      }
    }
  }

  copy(index) {
    const { x, y, width, height } = this.box(index);
    const pixels = new Uint8ClampedArray(width * height * 4);
    for (let row = 0; row < height; row += 1) {
      const at = ((y + row) * this.image.width + x) * 4;
      pixels.set(this.image.data.subarray(at, at + width * 4), row * width * 4);
    }
    return pixels;
  }

  /** Puts `pixels` in and gives back what was there. */
  swap(index, pixels) {
    const before = this.copy(index);
    const { x, y, width, height } = this.box(index);
    for (let row = 0; row < height; row += 1) {
      this.image.data.set(pixels.subarray(row * width * 4, (row + 1) * width * 4), ((y + row) * this.image.width + x) * 4);
    }
    return before;
  }
}

/**
 * One stroke under way.  Where it crosses itself it does not add up: each pixel gets the strongest touch only.
 *
 * A stroke is plain data: {mode: "keep" | "erase", radius, softness: 0..1, points: [x, y][]}, in pixels of the picture.
 */
class Pass {
  /** @param {(box: object) => Uint8ClampedArray} original the untouched picture's RGBA of a box */
  constructor(tiles, stroke, original) {
    this.tiles = tiles;
    this.stroke = stroke;
    this.original = original;
    this.before = new Map();
    this.touch = new Map();
    this.sources = new Map();
  }

  /** Paints from one point to the next and returns the box that changed. */
  segment([x0, y0], [x1, y1]) {
    const { radius } = this.stroke;
    const reach = radius + 1;
    const box = {
      x: Math.floor(Math.min(x0, x1) - reach),
      y: Math.floor(Math.min(y0, y1) - reach),
      width: Math.ceil(Math.abs(x1 - x0) + 2 * reach),
      height: Math.ceil(Math.abs(y1 - y0) + 2 * reach),
    };
    for (const index of this.tiles.touching(box)) this.#paint(index, x0, y0, x1, y1, reach);
    return box;
  }

  #paint(index, x0, y0, x1, y1, reach) {
    const area = this.tiles.box(index);
    const { radius, softness, mode } = this.stroke;
    // Even a hard brush has an edge of one pixel: without it strokes show stairs.
    const inner = Math.min(radius * (1 - softness), radius - 0.5);
    const ramp = Math.max(radius + 0.5 - inner, 1);
    const [dx, dy] = [x1 - x0, y1 - y0];
    const length2 = dx * dx + dy * dy;
    let touch = this.touch.get(index);
    const { data, width: stride } = this.tiles.image;
    for (let row = 0; row < area.height; row += 1) {
      const py = area.y + row + 0.5;
      if (py < Math.min(y0, y1) - reach || py > Math.max(y0, y1) + reach) continue;
      for (let column = 0; column < area.width; column += 1) {
        const px = area.x + column + 0.5;
        const along = length2 ? Math.min(Math.max(((px - x0) * dx + (py - y0) * dy) / length2, 0), 1) : 0;
        const [ex, ey] = [px - x0 - along * dx, py - y0 - along * dy];
        const distance2 = ex * ex + ey * ey;
        if (distance2 > reach * reach) continue;
        const share = Math.min(Math.max((radius + 0.5 - Math.sqrt(distance2)) / ramp, 0), 1);
        const strength = Math.round(255 * share * share * (3 - 2 * share));
        const at = row * area.width + column;
        if (!touch) touch = this.#open(index, area);
        if (strength <= touch[at]) continue;
        touch[at] = strength;
        const target = ((area.y + row) * stride + area.x + column) * 4;
        const from = this.before.get(index);
        if (mode === "erase") erase(data, target, from, at * 4, strength / 255);
        else keep(data, target, from, this.sources.get(index), at * 4, strength / 255);
      }
    }
  }

  #open(index, area) {
    const touch = new Uint8Array(area.width * area.height);
    this.touch.set(index, touch);
    this.before.set(index, this.tiles.copy(index));
    if (this.stroke.mode === "keep") this.sources.set(index, this.original(area));
    return touch;
  }
}

function erase(data, target, from, at, strength) {
  const alpha = Math.round(from[at + 3] * (1 - strength));
  // Colour 0 where nothing is left, as the server writes it.
  for (let c = 0; c < 3; c += 1) data[target + c] = alpha ? from[at + c] : 0;
  data[target + 3] = alpha;
}

/** From the pixel as it was towards the original's: mixed as light, so multiplied by alpha. */
function keep(data, target, from, source, at, strength) {
  const old = (from[at + 3] / 255) * (1 - strength);
  const fresh = (source[at + 3] / 255) * strength;
  const alpha = old + fresh;
  for (let c = 0; c < 3; c += 1) data[target + c] = alpha ? (old * from[at + c] + fresh * source[at + c]) / alpha : 0;
  data[target + 3] = alpha * 255;
}

// Steps back are held as tiles of pixels; past this much the oldest can no longer be undone.
const HISTORY_BYTES = 192 * 2 ** 20;

/** Strokes on one image ({width, height, data}), and the way back. */
export class Brush {
  #undo = [];
  #redo = [];
  #pass = null;

  constructor(image, original) {
    this.tiles = new Tiles(image);
    this.original = original;
  }

  get canUndo() {
    return this.#undo.length > 0;
  }

  get isPainting() {
    return this.#pass !== null;
  }

  get canRedo() {
    return this.#redo.length > 0;
  }

  /** Starts a stroke at its first point; returns the box that changed. */
  begin(stroke) {
    this.#pass = new Pass(this.tiles, stroke, this.original);
    return this.#pass.segment(stroke.points[0], stroke.points[0]);
  }

  extend(point) {
    const { points } = this.#pass.stroke;
    const box = this.#pass.segment(points.at(-1), point);
    points.push(point);
    return box;
  }

  /** Ends the stroke and returns it. */
  end() {
    const { stroke, before } = this.#pass;
    this.#pass = null;
    this.#undo.push({ stroke, tiles: before });
    this.#redo = [];
    this.#forget();
    return stroke;
  }

  /** Takes back the stroke under way; returns the boxes that changed. */
  cancel() {
    const { before } = this.#pass;
    this.#pass = null;
    return this.#swap(before).boxes;
  }

  /** Paints a stroke that was made before. */
  replay(stroke) {
    const points = stroke.points;
    this.begin({ ...stroke, points: [points[0]] });
    for (const point of points.slice(1)) this.extend(point);
    this.end();
  }

  undo() {
    return this.#step(this.#undo, this.#redo);
  }

  redo() {
    return this.#step(this.#redo, this.#undo);
  }

  #step(from, to) {
    const { stroke, tiles } = from.pop();
    const { boxes, old } = this.#swap(tiles);
    to.push({ stroke, tiles: old });
    return { stroke, boxes };
  }

  #swap(tiles) {
    const old = new Map();
    for (const [index, pixels] of tiles) old.set(index, this.tiles.swap(index, pixels));
    return { old, boxes: [...tiles.keys()].map((index) => this.tiles.box(index)) };
  }

  #forget() {
    const bytes = ({ tiles }) => [...tiles.values()].reduce((sum, pixels) => sum + pixels.length, 0);
    let held = this.#undo.reduce((sum, step) => sum + bytes(step), 0);
    while (held > HISTORY_BYTES && this.#undo.length > 1) held -= bytes(this.#undo.shift());
  }
}
