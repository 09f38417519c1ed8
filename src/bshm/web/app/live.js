// The Live tab: the camera with another background, made in this browser.

import { download } from "./download.js";
import { paintBlurred } from "./live-blur.js";
import { Camera } from "./live-camera.js";
import { canRecord, Recording } from "./live-recorder.js";
import { plainLook } from "./look.js";
import { say } from "./say.js";
import { onLanguage, t } from "./words.js";

// Without a fresh picture for this long, all is blurred: a person who has moved must not leave a hole to the room.
const STALE_MS = 1000;
const FPS_OVER_MS = 2000;
const SHOW_FACTS_MS = 500;
const MOST_THREADS = 4;

/** Threads of WebAssembly: half the cores, as the camera, the call and the encoder want theirs. */
function threadsHere() {
  if (!globalThis.crossOriginIsolated) return 1;
  return Math.min(MOST_THREADS, Math.max(1, Math.floor((navigator.hardwareConcurrency ?? 1) / 2)));
}

export class Live {
  #camera = null;
  #worker = null;
  #ready = false;
  #busy = false;
  #pending = null;
  #freshAt = -Infinity;
  #times = [];
  #recording = null;
  #timer = 0;
  // idle | asking | running
  #state = "idle";
  // Why there is no camera, or no network; empty where all is well.
  #problem = "";
  #doubtful = false;

  /** @param {HTMLElement} root the tab */
  constructor(root) {
    this.root = root;
    this.look = plainLook();
    this.look.background.kind = "blur";
    this.find = (selector) => root.querySelector(selector);
    this.canvas = this.find("#live-canvas");
    this.context = this.canvas.getContext("2d");
    this.find("#live-start").addEventListener("click", () => this.start());
    this.find("#live-stop").addEventListener("click", () => {
      this.stop();
      this.find("#live-start").focus();
    });
    this.find("#live-record").addEventListener("click", () => this.#toggleRecording());
    this.find("#live-mirror").addEventListener("change", () => this.lookChanged());
    onLanguage(() => this.#show());
  }

  async start() {
    if (this.#state !== "idle") return;
    this.#set({ state: "asking", problem: "" });
    let camera;
    try {
      camera = await Camera.open();
    } catch (error) {
      console.info(error.message);
      if (this.#state === "asking") this.#set({ state: "idle", problem: error.kind });
      return;
    }
    // Meanwhile the tab may have been left.
    if (this.#state !== "asking") {
      camera.stop();
      return;
    }
    this.#camera = camera;
    camera.addEventListener("gone", () => camera === this.#camera && this.stop("gone"));
    this.#openNetwork(threadsHere());
    this.#timer = setInterval(() => this.#showFacts(), SHOW_FACTS_MS);
    this.#set({ state: "running" });
    const leaves = document.activeElement === this.find("#live-start") || document.activeElement === document.body;
    if (leaves) this.find("#live-stop").focus();
    camera.start((frame) => this.#arrived(frame));
  }

  /** Frees the camera and the network's memory; what is being recorded is finished and downloaded. */
  stop(problem = "") {
    this.#endRecording();
    clearInterval(this.#timer);
    this.#camera?.stop();
    this.#camera = null;
    this.#closeNetwork();
    this.#times = [];
    this.#set({ state: "idle", problem });
  }

  lookChanged() {
    this.#worker?.postMessage({ type: "look", look: { background: this.look.background, mirror: this.#mirror } });
  }

  // ---- the network ----

  #openNetwork(threads) {
    const worker = new Worker(new URL("live-worker.js", import.meta.url), { type: "module" });
    this.#worker = worker;
    const failed = (kind, detail) => {
      if (worker !== this.#worker) return;
      console.info(`${kind}: ${detail}`);
      this.#closeNetwork();
      // Threads are the one thing that can be done without.
      if (threads > 1) this.#openNetwork(1);
      this.#set({ problem: threads > 1 ? "" : kind });
    };
    worker.addEventListener("message", ({ data }) => {
      if (worker !== this.#worker) data.bitmap?.close();
      else if (data.type === "ready") this.#begin(data.threads);
      else if (data.type === "frame") this.#made(data);
      else failed(data.kind, data.detail);
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      failed("engine", event.message);
    });
    this.lookChanged();
    worker.postMessage({ type: "open", threads });
  }

  #closeNetwork() {
    this.#worker?.terminate();
    this.#worker = null;
    this.#pending?.close();
    this.#pending = null;
    this.#freshAt = -Infinity;
    this.#ready = this.#busy = false;
  }

  #begin(threads) {
    this.#ready = true;
    this.root.dataset.threads = String(threads);
    this.#showFacts();
  }

  get #mirror() {
    return this.find("#live-mirror").checked;
  }

  // ---- frames ----

  /** A frame of the camera: shown by what the network makes of it, never by itself. */
  #arrived(frame) {
    const width = frame.displayWidth ?? frame.width;
    const height = frame.displayHeight ?? frame.height;
    this.#size(width, height);
    if (performance.now() - this.#freshAt > STALE_MS) this.#blur(frame, width, height);
    if (!this.#ready) {
      frame.close();
      return;
    }
    // Only the newest waits: what is shown must not fall behind.
    this.#pending?.close();
    this.#pending = frame;
    this.#send();
  }

  #send() {
    if (this.#busy || !this.#pending) return;
    const frame = this.#pending;
    this.#pending = null;
    this.#busy = true;
    this.#worker.postMessage({ type: "frame", frame, at: performance.now() }, [frame]);
  }

  #made({ bitmap, doubtful }) {
    this.#busy = false;
    this.#size(bitmap.width, bitmap.height);
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.clearRect(0, 0, bitmap.width, bitmap.height);
    this.context.drawImage(bitmap, 0, 0);
    bitmap.close();
    this.#doubtful = doubtful;
    this.#freshAt = performance.now();
    this.#times.push(this.#freshAt);
    this.#shows(doubtful ? "blur" : "matte");
    this.#send();
  }

  #blur(frame, width, height) {
    this.context.setTransform(this.#mirror ? -1 : 1, 0, 0, 1, this.#mirror ? width : 0, 0);
    paintBlurred(this.context, frame, width, height);
    this.#shows("blur");
  }

  #shows(what) {
    if (this.canvas.dataset.shows === what) return;
    this.canvas.dataset.shows = what;
    this.#showFacts();
  }

  #size(width, height) {
    const { canvas } = this;
    if (canvas.width === width && canvas.height === height) return;
    [canvas.width, canvas.height] = [width, height];
    canvas.style.setProperty("--ratio", String(width / height));
  }

  // ---- recording ----

  #toggleRecording() {
    if (this.#recording) this.#endRecording();
    else {
      this.#recording = new Recording(this.canvas);
      say(t("live.recording"));
    }
    this.#show();
  }

  async #endRecording() {
    const recording = this.#recording;
    this.#recording = null;
    if (!recording) return;
    const file = await recording.stop();
    download(file);
    say(t("say.saved", { name: file.name }));
  }

  // ---- words ----

  #set({ state = this.#state, problem = this.#problem }) {
    const news = problem && problem !== this.#problem;
    this.#state = state;
    this.#problem = problem;
    this.#show();
    if (news) say(`${t(`live.${problem}.title`)} ${t(`live.${problem}.text`)}`);
  }

  #show() {
    const running = this.#state === "running";
    const asking = this.#state === "asking";
    this.root.dataset.state = this.#state;
    this.root.dataset.problem = this.#problem;
    this.canvas.hidden = !running;
    this.find("#live-card").hidden = running;
    this.find("#live-note").hidden = !running || !this.#problem;
    const title = this.#problem ? t(`live.${this.#problem}.title`) : t("live.title");
    const text = this.#problem ? t(`live.${this.#problem}.text`) : t("live.text");
    this.find("#live-title").textContent = running ? t("live.title") : title;
    this.find("#live-text").textContent = asking ? t("live.asking") : text;
    this.find("#live-note-title").textContent = title;
    this.find("#live-note-text").textContent = text;
    const start = this.find("#live-start");
    start.setAttribute("aria-busy", String(asking));
    start.querySelector("span").textContent = t(this.#problem ? "live.again" : "live.start");
    this.find("#live-actions").hidden = !running;
    this.find("#live-record").hidden = !canRecord();
    this.#showFacts();
  }

  /** What the network runs on. */
  get #runs() {
    const { threads } = this.root.dataset;
    return threads === "1" ? t("live.runs.one") : t("live.runs", { threads });
  }

  #showFacts() {
    const since = performance.now() - FPS_OVER_MS;
    this.#times = this.#times.filter((time) => time > since);
    const { width, height, dataset } = this.canvas;
    const facts = this.find("#live-facts");
    facts.hidden = this.#state !== "running" || Boolean(this.#problem);
    const values = { fps: Math.round((this.#times.length * 1000) / FPS_OVER_MS), width, height };
    if (!this.#ready) facts.textContent = t("live.loading");
    else if (dataset.shows === "matte") facts.textContent = `${t("live.facts", values)} · ${this.#runs}`;
    else facts.textContent = t(this.#doubtful ? "live.doubtful" : "live.late");
    const record = this.find("#live-record");
    record.setAttribute("aria-pressed", String(this.#recording !== null));
    const seconds = this.#recording?.seconds ?? 0;
    const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    record.querySelector("span").textContent = this.#recording ? t("live.record.stop", { time }) : t("live.record");
  }
}
