// The finished picture: shadow, size, place and the rules of a shop, all laid around the cut-out by the server.

import { paintBackdrop } from "./backdrop.js";
import { cutoutBlob } from "./cropped.js";
import { finish } from "./server.js";

// A picture behind the people is sent no larger than this: it is scaled to the result.
const BEHIND_PX = 2048;
const SERVERS_WORD = { png: "png", webp: "webp", jpeg: "jpg" };

// What was asked for, by work: the latest few, by what they are made of.
const known = new WeakMap();
const KEPT = 4;

/**
 * An open picture as its look asks the server for it.
 *
 * @param {import("./work.js").Work} work @param {"png" | "webp" | "jpeg"} format where no preset has its own
 * @returns {ReturnType<typeof finish>}
 * @throws {import("./server.js").Problem}
 */
export function finishedBy(work, format) {
  if (!known.has(work)) known.set(work, new Map());
  const made = known.get(work);
  const key = keyOf(work, format);
  if (!made.has(key)) {
    const making = ask(work, format);
    made.set(key, making);
    making.catch(() => made.delete(key));
    if (made.size > KEPT) made.delete(made.keys().next().value);
  }
  return made.get(key);
}

/** The same text for what gives the same picture. */
function keyOf(work, format) {
  const { background, finish: wanted } = work.entry.look;
  const behind = { ...background, picture: background.picture?.id };
  return JSON.stringify([wanted.preset ? "" : format, work.version, work.frame, behind, wanted]);
}

async function ask(work, format) {
  const { background, finish: wanted } = work.entry.look;
  const isDrawn = background.kind === "picture" || background.kind === "blur";
  const [image, behind] = await Promise.all([cutoutBlob(work), isDrawn ? behindBlob(work) : undefined]);
  const fields = { image, ...coloursOf(background), ...layoutOf(wanted) };
  if (behind) fields.background_image = behind;
  if (!wanted.preset) fields.format = SERVERS_WORD[format];
  // JPEG knows no transparency: white is what paper would show.
  if (!wanted.preset && format === "jpeg" && background.kind === "none") fields.background = "white";
  return finish(fields);
}

function coloursOf({ kind, colour, from, to, angle }) {
  if (kind === "colour") return { background: colour };
  return kind === "gradient" ? { background: `linear:${from},${to}:${angle}` } : {};
}

function layoutOf({ preset, heads, shadow, opacity, placed, scale, x, y }) {
  const thrown = { shadow: "true", shadow_kind: shadow, shadow_opacity: `${opacity}%` };
  return {
    preset,
    ...(shadow === "none" ? {} : thrown),
    ...(placed && !heads ? { scale: `${scale}%`, position: `${x}% ${y}%` } : {}),
  };
}

function behindBlob(work) {
  const { frame } = work;
  const scale = Math.min(1, BEHIND_PX / Math.max(frame.width, frame.height));
  const [width, height] = [frame.width, frame.height].map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.scale(width / frame.width, height / frame.height);
  context.translate(-frame.x, -frame.y);
  paintBackdrop(context, work.entry.look.background, frame, work);
  return canvas.convertToBlob({ type: "image/png" });
}
