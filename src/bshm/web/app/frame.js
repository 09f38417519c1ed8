// Which rectangle of the picture is kept.  A frame may reach past the picture: there is only background.

import { framesWhole, ratioOf } from "./look.js";

// Fainter pixels do not count as the subject: single stray levels would pull the frame to the picture's edge.
const VISIBLE = 26;
// Left above a head, as a share of what is framed.
const HEADROOM = 0.06;

/**
 * The box around what is visible.
 *
 * @param {{width: number, height: number, data: Uint8ClampedArray}} image RGBA
 * @returns {{x: number, y: number, width: number, height: number} | null} null when nothing is
 */
export function subjectBox({ width, height, data }) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y += 1) {
    const row = y * width * 4 + 3;
    for (let x = 0; x < width; x += 1) {
      if (data[row + x * 4] < VISIBLE) continue;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      bottom = y;
    }
  }
  return right < 0 ? null : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

// How much of the subject's height is its upper part: the head of somebody who stands, head and chest of a portrait.
const UPPER = 0.25;

/**
 * The middle of the upper part of what is visible: where the head is.
 *
 * @param {{width: number, height: number, data: Uint8ClampedArray}} image RGBA
 * @returns {{x: number, top: number} | null} top: where the subject begins; null when nothing is visible
 */
export function headOf(image) {
  const subject = subjectBox(image);
  if (!subject) return null;
  const rows = subject.y + Math.max(1, Math.round(UPPER * subject.height));
  const upper = subjectBox({ width: image.width, height: rows, data: image.data });
  return { x: upper.x + upper.width / 2, top: subject.y };
}

/**
 * The largest square within a frame that shows the head.
 *
 * @param {{x: number, y: number, width: number, height: number}} frame
 * @param {{x: number, top: number} | null} head null: unknown; of a tall picture then rather the top is shown
 */
export function headSquare(frame, head) {
  const side = Math.min(frame.width, frame.height);
  const { x, top } = head ?? { x: frame.x + frame.width / 2, top: frame.y + HEADROOM * frame.height };
  return {
    x: clamp(x - side / 2, frame.x, frame.x + frame.width - side),
    y: clamp(top - HEADROOM * side, frame.y, frame.y + frame.height - side),
    side,
  };
}

/**
 * The frame of a picture, in whole pixels.
 *
 * @param {object} crop see look.js
 * @param {{width: number, height: number}} size of the picture
 * @param {{x: number, y: number, width: number, height: number} | null} subject
 */
export function frameOf(crop, size, subject) {
  const whole = { x: 0, y: 0, width: size.width, height: size.height };
  if (framesWhole(crop)) return whole;
  if (crop.mode === "custom" && crop.box) return rounded(crop.box);
  const ratio = ratioOf(crop.aspect, size);
  if (crop.mode === "subject" && subject) return rounded(aroundSubject(subject, crop.margin, ratio, size));
  const box = ratio ? inside(whole, ratio, subject) : whole;
  const margin = (crop.margin / 100) * Math.max(box.width, box.height);
  // The same share on each side keeps the ratio.
  const [dx, dy] = ratio ? [margin * Math.min(1, ratio), margin * Math.min(1, 1 / ratio)] : [margin, margin];
  return rounded({ x: box.x - dx, y: box.y - dy, width: box.width + 2 * dx, height: box.height + 2 * dy });
}

/** The largest box of `ratio` within `whole`, over the subject's middle as far as it can be. */
function inside(whole, ratio, subject) {
  const width = Math.min(whole.width, whole.height * ratio);
  const height = width / ratio;
  const middle = subject ?? whole;
  const x = clamp(middle.x + middle.width / 2 - width / 2, 0, whole.width - width);
  // Rather the head than the middle: a tall subject is framed from its top.
  const y = clamp(Math.min(middle.y + middle.height / 2 - height / 2, middle.y - HEADROOM * height), 0, whole.height - height);
  return { x, y, width, height };
}

/**
 * The subject with a margin, grown to `ratio`.  Where the picture's own edge cuts the subject no room is added:
 * a body that ends above the frame's edge looks sawn off.
 */
function aroundSubject(subject, percent, ratio, size) {
  const margin = (percent / 100) * Math.max(subject.width, subject.height);
  const cut = {
    left: subject.x <= 1,
    top: subject.y <= 1,
    right: subject.x + subject.width >= size.width - 1,
    bottom: subject.y + subject.height >= size.height - 1,
  };
  let left = subject.x - (cut.left ? 0 : margin);
  let top = subject.y - (cut.top ? 0 : margin);
  let right = subject.x + subject.width + (cut.right ? 0 : margin);
  let bottom = subject.y + subject.height + (cut.bottom ? 0 : margin);
  if (ratio) {
    const [width, height] = [right - left, bottom - top];
    if (width / height < ratio) [left, right] = grow(left, right, height * ratio, cut.left, cut.right);
    // Whoever is cut below stands on the frame's lower edge, whatever is above.
    else [top, bottom] = grow(top, bottom, width / ratio, cut.top && !cut.bottom, cut.bottom);
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** Makes a span `length` long, on the side that is free, or on both. */
function grow(start, end, length, startIsCut, endIsCut) {
  const more = length - (end - start);
  if (startIsCut === endIsCut) return [start - more / 2, end + more / 2];
  return startIsCut ? [start, end + more] : [start - more, end];
}

function rounded({ x, y, width, height }) {
  return { x: Math.round(x), y: Math.round(y), width: Math.max(1, Math.round(width)), height: Math.max(1, Math.round(height)) };
}

export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), Math.max(low, high));
}
