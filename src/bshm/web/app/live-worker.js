// The worker of the Live tab: a frame of the camera in, the finished picture out, one at a time.

import { paintBackdrop } from "./backdrop.js";
import { paintBlurred } from "./live-blur.js";
import { alphaOf } from "./live-edges.js";
import { Network, networkSize, WrongAnswerError } from "./live-network.js";
import { planesOf } from "./live-planes.js";
import { isDoubtful, Steady } from "./live-steady.js";

// Edges are found in a picture of this size at most, and enlarged from there: a camera's are no sharper.
const WORK_PX = 640;

const steady = new Steady();
const frameContext = contextOf();
const cutoutContext = contextOf();
const workContext = contextOf({ willReadFrequently: true });
const outContext = contextOf();
const stillContext = contextOf();

let network = null;
let look = null;
let version = 0;
// Whose background `still` holds.
let painted = null;

function contextOf(options) {
  return new OffscreenCanvas(1, 1).getContext("2d", options);
}

const TASKS = {
  async open({ threads }) {
    network = await Network.open({ threads });
    postMessage({ type: "ready", threads });
  },

  look(given) {
    look = given.look;
  },

  async frame({ frame, at }) {
    const { bitmap, doubtful } = await made(frame, at);
    postMessage({ type: "frame", bitmap, doubtful }, [bitmap]);
  },
};

addEventListener("message", async ({ data }) => {
  try {
    await TASKS[data.type](data);
  } catch (error) {
    const kind = error instanceof WrongAnswerError ? "wrong" : "engine";
    postMessage({ type: "problem", kind, detail: String(error?.message ?? error) });
  }
});

async function made(frame, at) {
  const width = frame.displayWidth ?? frame.width;
  const height = frame.displayHeight ?? frame.height;
  for (const context of [frameContext, cutoutContext, outContext]) sized(context, width, height);
  // Only the camera is mirrored: words on a picture behind stay readable.
  frameContext.setTransform(look.mirror ? -1 : 1, 0, 0, 1, look.mirror ? width : 0, 0);
  frameContext.drawImage(frame, 0, 0, width, height);
  frame.close();

  const scale = Math.min(1, WORK_PX / Math.max(width, height));
  sized(workContext, Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)));
  const { canvas: small } = workContext;
  workContext.imageSmoothingQuality = "high";
  workContext.drawImage(frameContext.canvas, 0, 0, small.width, small.height);
  const picture = workContext.getImageData(0, 0, small.width, small.height);

  const size = networkSize(height, width, network.sidePx, network.multiplePx);
  const found = await network.look(planesOf(picture.data, picture.height, picture.width, ...size), size);
  const doubtful = isDoubtful(found.mask);
  if (doubtful) {
    steady.forget();
    paintBlurred(outContext, frameContext.canvas, width, height);
  } else {
    const mask = steady.next(found.mask, at);
    workContext.putImageData(alphaOf(picture, mask, found.height, found.width), 0, 0);
    compose(width, height);
  }
  return { bitmap: outContext.canvas.transferToImageBitmap(), doubtful };
}

/** Lays the people of the frame over the background; their alpha is in the work canvas. */
function compose(width, height) {
  cutoutContext.globalCompositeOperation = "copy";
  cutoutContext.drawImage(frameContext.canvas, 0, 0);
  cutoutContext.globalCompositeOperation = "destination-in";
  cutoutContext.imageSmoothingQuality = "low";
  cutoutContext.drawImage(workContext.canvas, 0, 0, width, height);
  const { kind } = look.background;
  if (kind === "blur") paint(outContext, width, height);
  else if (kind !== "none") outContext.drawImage(still(width, height), 0, 0);
  outContext.drawImage(cutoutContext.canvas, 0, 0);
}

function paint(context, width, height) {
  version += 1;
  const work = { size: { width, height }, original: frameContext.canvas, canvas: cutoutContext.canvas, version };
  paintBackdrop(context, look.background, { x: 0, y: 0, width, height }, work);
}

/** A background that stays, painted once: a large photograph takes longer to shrink than all the rest. */
function still(width, height) {
  const { canvas } = stillContext;
  if (painted !== look || canvas.width !== width || canvas.height !== height) {
    sized(stillContext, width, height);
    paint(stillContext, width, height);
    painted = look;
  }
  return canvas;
}

/** A context's canvas, empty, of this size, with nothing turned. */
function sized(context, width, height) {
  const { canvas } = context;
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.globalCompositeOperation = "source-over";
  context.clearRect(0, 0, width, height);
}
