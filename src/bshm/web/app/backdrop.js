// What stands behind the people.

import { keyOf } from "./shelf.js";

// A blur is computed small, with this standard deviation in pixels, and drawn large: smooth, and quick at any size.
const SMALL_SIGMA_PX = 4;
const SIDE_LIMIT_PX = 1024;
// How much of the plain blur is mixed in where nearly all around is people.
const LITTLE = 0.002;

let pictures = 0;

/**
 * A picture to stand behind the people.
 *
 * @param {Blob} file @param {string} name @param {string} id of one that was kept
 * @throws where this browser cannot show it
 */
export async function pictureOf(file, name, id) {
  pictures += 1;
  return { bitmap: await createImageBitmap(file), name, file, id: id ?? keyOf(pictures) };
}

/**
 * Paints the background over the frame, in pixels of the picture.
 *
 * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context its transform maps picture to canvas
 * @param {object} background see look.js; its kind is not "none"
 * @param {{x: number, y: number, width: number, height: number}} frame
 * @param {import("./work.js").Work} work
 */
export function paintBackdrop(context, background, frame, work) {
  const { x, y, width, height } = frame;
  context.save();
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  if (background.kind === "picture" && background.picture) {
    cover(context, background.picture.bitmap, frame);
  } else if (background.kind === "blur" && work.original) {
    cover(context, blurred(work, background.blur), around(frame, work.size), work.size);
  } else {
    context.fillStyle = background.kind === "gradient" ? gradient(context, background, frame) : background.colour;
    context.fillRect(x, y, width, height);
  }
  context.restore();
}

/** A linear gradient with the meaning of CSS's angle: 0 upwards, 90 to the right. */
function gradient(context, { from, to, angle }, { x, y, width, height }) {
  const turn = (angle * Math.PI) / 180;
  const [dx, dy] = [Math.sin(turn), -Math.cos(turn)];
  const half = (Math.abs(width * dx) + Math.abs(height * dy)) / 2;
  const [cx, cy] = [x + width / 2, y + height / 2];
  const fill = context.createLinearGradient(cx - dx * half, cy - dy * half, cx + dx * half, cy + dy * half);
  fill.addColorStop(0, from);
  fill.addColorStop(1, to);
  return fill;
}

function cover(context, source, box, shape = source) {
  const scale = Math.max(box.width / shape.width, box.height / shape.height);
  const [width, height] = [shape.width * scale, shape.height * scale];
  context.drawImage(source, box.x + (box.width - width) / 2, box.y + (box.height - height) / 2, width, height);
}

/** The picture's own rectangle, or what reaches to the frame too where that is larger. */
function around(frame, size) {
  const left = Math.min(0, frame.x);
  const top = Math.min(0, frame.y);
  const right = Math.max(size.width, frame.x + frame.width);
  const bottom = Math.max(size.height, frame.y + frame.height);
  return { x: left, y: top, width: right - left, height: bottom - top };
}

let last = null;

/**
 * The original, blurred as if the people were not in it: they would leave a glow of their own colours around them.
 * Normalised convolution (Knutsson and Westin, CVPR 1993) with the weight (1 - alpha)^3.
 */
function blurred(work, percent) {
  if (last?.work === work && last.version === work.version && last.percent === percent) return last.canvas;
  const { width, height } = work.size;
  const longest = Math.max(width, height);
  const scale = Math.min(longest, SIDE_LIMIT_PX, (100 * SMALL_SIGMA_PX) / percent) / longest;
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  const colour = shrunk(work.original, w, h);
  const alpha = shrunk(work.canvas, w, h);
  const planes = Array.from({ length: 4 }, () => new Float32Array(w * h));
  const plain = Array.from({ length: 3 }, () => new Float32Array(w * h));
  for (let i = 0; i < w * h; i += 1) {
    const weight = (1 - alpha[i * 4 + 3] / 255) ** 3;
    for (let c = 0; c < 3; c += 1) {
      plain[c][i] = colour[i * 4 + c];
      planes[c][i] = weight * colour[i * 4 + c];
    }
    planes[3][i] = weight;
  }
  const sigma = (percent / 100) * longest * scale;
  for (const plane of [...planes, ...plain]) gaussian(plane, w, h, sigma);
  const out = new ImageData(w, h);
  for (let i = 0; i < w * h; i += 1) {
    for (let c = 0; c < 3; c += 1) {
      out.data[i * 4 + c] = (planes[c][i] + LITTLE * plain[c][i]) / (planes[3][i] + LITTLE);
    }
    out.data[i * 4 + 3] = 255;
  }
  const canvas = new OffscreenCanvas(w, h);
  canvas.getContext("2d").putImageData(out, 0, 0);
  last = { work, version: work.version, percent, canvas };
  return canvas;
}

function shrunk(source, width, height) {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/** Three box blurs in place; together within 3 % of a Gaussian (Wells, PAMI 1986). */
function gaussian(plane, width, height, sigma) {
  const radius = Math.max(1, Math.round((Math.sqrt(4 * sigma * sigma + 1) - 1) / 2));
  const line = new Float32Array(Math.max(width, height));
  for (let pass = 0; pass < 3; pass += 1) {
    for (let y = 0; y < height; y += 1) box(plane, line, y * width, 1, width, radius);
    for (let x = 0; x < width; x += 1) box(plane, line, x, width, height, radius);
  }
}

/** One running mean along a line, with the ends repeated. */
function box(plane, line, start, step, count, radius) {
  for (let i = 0; i < count; i += 1) line[i] = plane[start + i * step];
  const at = (i) => line[Math.min(Math.max(i, 0), count - 1)];
  let sum = 0;
  for (let i = -radius; i <= radius; i += 1) sum += at(i);
  for (let i = 0; i < count; i += 1) {
    plane[start + i * step] = sum / (2 * radius + 1);
    sum += at(i + radius + 1) - at(i - radius);
  }
}
