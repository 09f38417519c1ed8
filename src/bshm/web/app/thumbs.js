// Small pictures of large ones: squares that show the head.

import { paintBackdrop } from "./backdrop.js";
import { headOf, headSquare } from "./frame.js";
import { Work } from "./work.js";

const SIDE_PX = 160;
// Where the head is can be seen in a picture of this size.
const SEARCH_PX = 128;

/** A file or blob as a small square canvas; null when this browser cannot show it. */
export async function thumbOfBlob(blob) {
  try {
    const whole = await createImageBitmap(blob);
    const frame = { x: 0, y: 0, width: whole.width, height: whole.height };
    const canvas = drawn(whole, headSquare(frame, searched(whole)));
    whole.close();
    return canvas;
  } catch {
    return null;
  }
}

/** An entry that is done, with its background and frame; null when this browser cannot show it. */
export async function thumbOfEntry(entry) {
  try {
    const work = await Work.open(entry);
    const canvas = thumbOfWork(work);
    work.close();
    return canvas;
  } catch {
    return null;
  }
}

/** An open picture as it looks now. */
export function thumbOfWork(work) {
  const { frame } = work;
  const { background } = work.entry.look;
  return drawn(work.canvas, headSquare(frame, searched(work.canvas)), (context) => {
    context.beginPath();
    context.rect(frame.x, frame.y, frame.width, frame.height);
    context.clip();
    if (background.kind !== "none") paintBackdrop(context, background, frame, work);
  });
}

/** Where the head is, by what is transparent; null where nothing is: that is a photo, not a cut-out. */
function searched(source) {
  const scale = Math.min(1, SEARCH_PX / Math.max(source.width, source.height));
  const [width, height] = [source.width, source.height].map((side) => Math.max(1, Math.round(side * scale)));
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(source, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const opaque = data.every((value, at) => at % 4 !== 3 || value === 255);
  const head = opaque ? null : headOf({ width, height, data });
  return head && { x: (head.x * source.width) / width, top: (head.top * source.height) / height };
}

function drawn(source, { x, y, side }, behind = () => {}) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE_PX;
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.scale(SIDE_PX / side, SIDE_PX / side);
  context.translate(-x, -y);
  behind(context);
  context.drawImage(source, 0, 0);
  return canvas;
}
