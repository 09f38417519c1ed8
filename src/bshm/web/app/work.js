// The one picture that is open: its pixels, the original beside them, and the strokes on it.

import { Brush } from "./brush.js";
import { cutoutOf } from "./cutout.js";
import { frameOf, subjectBox } from "./frame.js";
import { baseOf } from "./look.js";
import { turnedBitmap, turnedImage } from "./turn.js";

export class Work {
  #subject;
  #tile = null;

  /**
   * Opens an entry whose cut-out is here.
   *
   * @throws when the answer is not a picture, or the browser has no memory for it; a Problem where the server was
   *   asked for people or edges
   */
  static async open(entry) {
    const base = baseOf(entry.look);
    const { turn } = entry.look;
    const [image, original] = await Promise.all([cutoutOf(entry), openOriginal(entry.file)]);
    const fits = original && original.width === image.width && original.height === image.height;
    if (original && !fits) original.close();
    return new Work(entry, turnedImage(image, turn), fits ? await turnedBitmap(original, turn) : null, base);
  }

  constructor(entry, image, original, base) {
    /** What `image` was made by, see `baseOf` of look.js. */
    this.base = base;
    this.entry = entry;
    this.image = image;
    this.original = original;
    /** Counts finished changes of the pixels, not those while a stroke is under way. */
    this.version = 0;
    this.canvas = new OffscreenCanvas(image.width, image.height);
    this.context = this.canvas.getContext("2d");
    this.brush = new Brush(image, (box) => this.#originalPixels(box));
    for (const stroke of entry.strokes) this.brush.replay(stroke);
    this.#draw([{ x: 0, y: 0, width: image.width, height: image.height }]);
  }

  get size() {
    return { width: this.image.width, height: this.image.height };
  }

  /** The box around the people; null when there is nobody. */
  get subject() {
    this.#subject ??= { box: subjectBox(this.image) };
    return this.#subject.box;
  }

  get frame() {
    return frameOf(this.entry.look.crop, this.size, this.subject);
  }

  begin(stroke) {
    this.#draw([this.brush.begin(stroke)]);
  }

  extend(point) {
    this.#draw([this.brush.extend(point)]);
  }

  end() {
    this.entry.strokes.push(this.brush.end());
    this.#settled();
  }

  cancel() {
    this.#draw(this.brush.cancel());
  }

  /** Takes the last stroke's pixels back, or gives them again; the entry's list of strokes is history.js's. */
  undo() {
    this.#changed(this.brush.undo().boxes);
  }

  redo() {
    this.#changed(this.brush.redo().boxes);
  }

  close() {
    this.original?.close();
    this.canvas.width = 0;
  }

  #changed(boxes) {
    this.#draw(boxes);
    this.#settled();
  }

  #settled() {
    this.version += 1;
    this.#subject = undefined;
  }

  #draw(boxes) {
    const whole = new ImageData(this.image.data, this.image.width, this.image.height);
    for (const { x, y, width, height } of boxes) this.context.putImageData(whole, 0, 0, x, y, width, height);
  }

  #originalPixels({ x, y, width, height }) {
    this.#tile ??= new OffscreenCanvas(128, 128).getContext("2d", { willReadFrequently: true });
    this.#tile.clearRect(0, 0, 128, 128);
    if (this.original) this.#tile.drawImage(this.original, -x, -y);
    return this.#tile.getImageData(0, 0, width, height).data;
  }
}

/** The chosen file as this browser shows it, upright and in sRGB; null for kinds it cannot show (HEIC, TIFF, …). */
async function openOriginal(file) {
  try {
    return await createImageBitmap(file);
  } catch {
    return null;
  }
}
