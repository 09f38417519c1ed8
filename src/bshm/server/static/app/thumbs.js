// Small pictures of large ones.

import { paintBackdrop } from "./backdrop.js";

const SIDE_PX = 160;

/** A file or blob as a small square canvas; null when this browser cannot show it. */
export async function thumbOfBlob(blob) {
  try {
    const whole = await createImageBitmap(blob);
    const canvas = square(whole);
    whole.close();
    return canvas;
  } catch {
    return null;
  }
}

/** An open picture as it looks now. */
export function thumbOfWork(work) {
  const { frame } = work;
  const scale = SIDE_PX / Math.min(frame.width, frame.height);
  const canvas = empty();
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.translate((SIDE_PX - frame.width * scale) / 2, (SIDE_PX - frame.height * scale) / 2);
  context.scale(scale, scale);
  context.translate(-frame.x, -frame.y);
  context.beginPath();
  context.rect(frame.x, frame.y, frame.width, frame.height);
  context.clip();
  const { background } = work.entry.look;
  if (background.kind !== "none") paintBackdrop(context, background, frame, work);
  context.drawImage(work.canvas, 0, 0);
  return canvas;
}

function square(source) {
  const canvas = empty();
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  const scale = SIDE_PX / Math.min(source.width, source.height);
  const [width, height] = [source.width * scale, source.height * scale];
  context.drawImage(source, (SIDE_PX - width) / 2, (SIDE_PX - height) / 2, width, height);
  return canvas;
}

function empty() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE_PX;
  canvas.setAttribute("aria-hidden", "true");
  return canvas;
}
