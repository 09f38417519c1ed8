// The clip that was chosen, as far as this browser can play it.

// Far behind the end of any clip.
const FAR_S = 1e7;

export class ClipPreview {
  #url = "";
  // What is played: seconds from and to; null for all.
  #part = null;

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.video = video;
    video.addEventListener("timeupdate", () => {
      if (!this.#part || video.paused || video.seeking) return;
      const [start, end] = this.#part;
      if (video.currentTime >= end) {
        video.pause();
        video.currentTime = start;
      }
    });
    video.addEventListener("play", () => {
      if (this.#part && !(video.currentTime >= this.#part[0] && video.currentTime < this.#part[1])) {
        video.currentTime = this.#part[0];
      }
    });
  }

  /**
   * Opens a file.
   *
   * @param {File} file
   * @returns {Promise<{seconds: number | null, width: number, height: number}>} what is known of it; no width where
   *   this browser shows nothing of it
   */
  async open(file) {
    this.close();
    const { video } = this;
    const url = URL.createObjectURL(file);
    this.#url = url;
    video.src = url;
    const isThere = await next(video, "loadedmetadata", "error", "abort") === "loadedmetadata";
    if (this.#url !== url || !isThere) return { seconds: null, width: 0, height: 0 };
    const { videoWidth: width, videoHeight: height } = video;
    // What a browser recorded does not say how long it is, until its end was looked for.
    if (video.duration === Infinity) {
      video.currentTime = FAR_S;
      await next(video, "seeked", "error", "abort");
      video.currentTime = 0;
    }
    const seconds = Number.isFinite(video.duration) && video.duration > 0 ? video.duration : null;
    video.style.setProperty("--ratio", String(width / height || 1.6));
    return { seconds, width, height };
  }

  /** @param {number} start @param {number | null} end seconds */
  limit(start, end) {
    this.#part = end === null ? null : [start, end];
  }

  /** Shows the frame at a second. */
  look(seconds) {
    this.video.pause();
    this.video.currentTime = Math.max(0, Math.min(seconds, (this.video.duration || 0) - 0.001));
  }

  close() {
    if (!this.#url) return;
    this.video.removeAttribute("src");
    this.video.load();
    URL.revokeObjectURL(this.#url);
    this.#url = "";
    this.#part = null;
  }
}

/** Which of some events comes first. */
function next(target, ...types) {
  return new Promise((resolve) => {
    const done = new AbortController();
    for (const type of types) {
      const heard = () => {
        done.abort();
        resolve(type);
      };
      target.addEventListener(type, heard, { signal: done.signal });
    }
  });
}
