// The pixels of a cut-out within its frame.

import { encode } from "./codec.js";
import { baseOf, framesWhole, plainLook } from "./look.js";

const UNCHANGED = baseOf(plainLook());

/** Whether the cut-out alone is as the server made it, whatever lies around it. */
export function isPlain({ look, strokes }) {
  return strokes.length === 0 && framesWhole(look.crop) && baseOf(look) === UNCHANGED;
}

/** The cut-out as a PNG: the server's own where it is that. */
export async function cutoutBlob(work) {
  if (isPlain(work.entry)) return work.entry.result.blob;
  return encode(cropped(work), { opaque: false, density: work.image.density });
}

/** The cut-out's pixels within the frame, transparent where the frame reaches past the picture. */
export function cropped({ image, frame }) {
  const data = new Uint8ClampedArray(frame.width * frame.height * 4);
  eachRow(image, frame, (from, to, count) => data.set(image.data.subarray(from, from + count * 4), to));
  return { width: frame.width, height: frame.height, data };
}

/** Calls `work` with the offsets of each row that frame and picture share. */
export function eachRow(image, frame, work) {
  const left = Math.max(0, frame.x);
  const right = Math.min(image.width, frame.x + frame.width);
  if (right <= left) return;
  const bottom = Math.min(image.height, frame.y + frame.height);
  for (let y = Math.max(0, frame.y); y < bottom; y += 1) {
    work((y * image.width + left) * 4, ((y - frame.y) * frame.width + left - frame.x) * 4, right - left);
  }
}
