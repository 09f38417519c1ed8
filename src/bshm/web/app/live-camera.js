// The camera: its frames, one by one, until it is stopped.

const WISHES = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };

/** Why there is no camera. `kind`: insecure, missing, refused, busy or camera. */
export class CameraError extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

const KINDS = {
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotAllowedError: "refused",
  SecurityError: "refused",
  NotReadableError: "busy",
  AbortError: "busy",
};

/** Event: "gone" when the camera ends by itself. */
export class Camera extends EventTarget {
  #stream;
  #video = null;
  #reader = null;
  #stopped = false;

  constructor(stream) {
    super();
    this.#stream = stream;
    this.#track.addEventListener("ended", () => this.dispatchEvent(new Event("gone")));
  }

  /**
   * Asks for the camera.
   *
   * @throws {CameraError}
   */
  static async open() {
    // Browsers hide cameras from pages that came over a plain connection.
    if (!navigator.mediaDevices?.getUserMedia) throw new CameraError("insecure", "no mediaDevices");
    try {
      return new Camera(await navigator.mediaDevices.getUserMedia({ video: WISHES, audio: false }));
    } catch (error) {
      throw new CameraError(KINDS[error.name] ?? "camera", `${error.name}: ${error.message}`);
    }
  }

  get #track() {
    return this.#stream.getVideoTracks()[0];
  }

  /** @param {(frame: VideoFrame | ImageBitmap) => void} take gets each frame, and closes it */
  async start(take) {
    try {
      // Frames as the camera gives them, also while the page is not seen; a canvas where a browser has no such thing.
      if ("MediaStreamTrackProcessor" in globalThis) await this.#read(take);
      else await this.#play(take);
    } catch (error) {
      if (this.#stopped) return;
      console.warn(error);
      this.dispatchEvent(new Event("gone"));
    }
  }

  async #read(take) {
    const { readable } = new MediaStreamTrackProcessor({ track: this.#track });
    this.#reader = readable.getReader();
    while (!this.#stopped) {
      const { value, done } = await this.#reader.read();
      if (done) return;
      if (this.#stopped) value.close();
      else take(value);
    }
  }

  async #play(take) {
    const video = document.createElement("video");
    this.#video = video;
    Object.assign(video, { muted: true, playsInline: true, srcObject: this.#stream });
    await video.play();
    const next = () =>
      new Promise((resolve) => {
        if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(resolve);
        else requestAnimationFrame(resolve);
      });
    while (!this.#stopped) {
      await next();
      if (!this.#stopped) take(await createImageBitmap(video));
    }
  }

  /** Frees the camera: its light goes out. */
  stop() {
    this.#stopped = true;
    this.#reader?.cancel().catch(() => {});
    for (const track of this.#stream.getTracks()) track.stop();
    if (this.#video) this.#video.srcObject = null;
  }
}
