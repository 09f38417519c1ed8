// The finished picture as a file.

import { paintBackdrop } from "./backdrop.js";
import { encode } from "./codec.js";
import { cropped, eachRow, isPlain } from "./cropped.js";
import { finishedBy } from "./finish.js";
import { isFinished } from "./look.js";
import { Work } from "./work.js";

export const FORMATS = {
  png: { mime: "image/png", suffix: ".png" },
  webp: { mime: "image/webp", suffix: ".webp" },
  jpeg: { mime: "image/jpeg", suffix: ".jpg" },
};

const QUALITY = 0.92;
const SUFFIXES = { "image/png": ".png", "image/webp": ".webp", "image/jpeg": ".jpg", "image/tiff": ".tif" };

/** Whether the entry is as the server made it: then the server's own file is the result, byte for byte. */
export function isUntouched(entry) {
  return isPlain(entry) && entry.look.background.kind === "none" && !isFinished(entry.look);
}

/**
 * The file for an entry that is done.
 *
 * @param {object} entry
 * @param {"png" | "webp" | "jpeg"} format
 * @param {Work | null} open the entry's work when it is on the stage; it is opened for the moment otherwise
 * @returns {Promise<{name: string, blob: Blob}>}
 */
export async function fileOf(entry, format, open = null) {
  const stem = entry.name.replace(/\.[^.]*$/, "");
  const name = `${stem}-cutout${FORMATS[format].suffix}`;
  if (format === "png" && isUntouched(entry)) return { name, blob: entry.result.blob };
  const work = open ?? (await Work.open(entry));
  try {
    if (!isFinished(entry.look)) return { name, blob: await made(work, format) };
    const { blob } = await finishedBy(work, format);
    const { preset } = entry.look.finish;
    return { name: `${stem}-${preset || "cutout"}${SUFFIXES[blob.type] ?? ""}`, blob };
  } finally {
    if (!open) work.close();
  }
}

/** Whether this browser writes WebP (Safari does not and would quietly write PNG). */
export async function writesWebp() {
  const canvas = new OffscreenCanvas(1, 1);
  canvas.getContext("2d");
  const blob = await canvas.convertToBlob({ type: "image/webp" });
  return blob.type === "image/webp";
}

async function made(work, format) {
  const { background } = work.entry.look;
  // JPEG knows no transparency: white is what paper would show.
  const behind = background.kind === "none" && format === "jpeg" ? { kind: "colour", colour: "#ffffff" } : background;
  const opaque = behind.kind !== "none";
  const image = opaque ? over(work, behind) : cropped(work);
  if (format === "png") return encode(image, { opaque, density: work.image.density });
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext("2d").putImageData(new ImageData(image.data, image.width, image.height), 0, 0);
  return canvas.convertToBlob({ type: FORMATS[format].mime, quality: QUALITY });
}

/** `alpha * F + (1 - alpha) * B`, rounded once. */
function over(work, background) {
  const { image, frame } = work;
  const context = new OffscreenCanvas(frame.width, frame.height).getContext("2d", { willReadFrequently: true });
  // Under a background picture that is itself transparent.
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, frame.width, frame.height);
  context.translate(-frame.x, -frame.y);
  paintBackdrop(context, background, frame, work);
  const { data } = context.getImageData(0, 0, frame.width, frame.height);
  eachRow(image, frame, (from, to, count) => {
    for (let i = 0; i < count * 4; i += 4) {
      const alpha = image.data[from + i + 3];
      for (let c = 0; c < 3; c += 1) {
        data[to + i + c] = (alpha * image.data[from + i + c] + (255 - alpha) * data[to + i + c]) / 255;
      }
      data[to + i + 3] = 255;
    }
  });
  return { width: frame.width, height: frame.height, data };
}
