// Records what a canvas shows to a file.

// VP8 first: it costs the least, and the same processor runs the network.
const TYPES = ["video/webm;codecs=vp8", "video/webm", "video/mp4"];
const BITS_PER_SECOND = 5_000_000;

export function canRecord() {
  return Boolean(globalThis.MediaRecorder && HTMLCanvasElement.prototype.captureStream && typeOf());
}

function typeOf() {
  return TYPES.find((type) => MediaRecorder.isTypeSupported(type));
}

export class Recording {
  #recorder;
  #parts = [];
  #began = performance.now();

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#recorder = new MediaRecorder(canvas.captureStream(), {
      mimeType: typeOf(),
      videoBitsPerSecond: BITS_PER_SECOND,
    });
    this.#recorder.addEventListener("dataavailable", ({ data }) => data.size && this.#parts.push(data));
    this.#recorder.start(1000);
  }

  get seconds() {
    return Math.floor((performance.now() - this.#began) / 1000);
  }

  /** Ends it. @returns {Promise<{name: string, blob: Blob}>} */
  async stop() {
    const ended = new Promise((resolve) => this.#recorder.addEventListener("stop", resolve, { once: true }));
    this.#recorder.stop();
    await ended;
    for (const track of this.#recorder.stream.getTracks()) track.stop();
    const type = this.#recorder.mimeType.split(";")[0];
    return { name: `live.${type === "video/mp4" ? "mp4" : "webm"}`, blob: new Blob(this.#parts, { type }) };
  }
}
