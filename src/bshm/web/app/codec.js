// PNG in a worker: a large photo takes a second or more, in which the page must not stand still.

let worker = null;
let asked = 0;
const waiting = new Map();

function ask(task, input, transfer = []) {
  if (!worker) {
    worker = new Worker(new URL("codec-worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data: { id, output, reason } }) => {
      const { resolve, reject } = waiting.get(id);
      waiting.delete(id);
      if (reason === undefined) resolve(output);
      else reject(new Error(reason));
    });
    worker.addEventListener("error", (event) => {
      for (const { reject } of waiting.values()) reject(new Error(event.message));
      waiting.clear();
      worker = null;
    });
  }
  return new Promise((resolve, reject) => {
    asked += 1;
    waiting.set(asked, { resolve, reject });
    worker.postMessage({ id: asked, task, input }, transfer);
  });
}

/** As `decodePng` of png.js. */
export function decode(blob) {
  return ask("decode", { blob });
}

/** As `encodePng` of png.js; the image's pixels are handed over and gone afterwards. */
export function encode(image, options) {
  return ask("encode", { image, options }, [image.data.buffer]);
}
