// The Video tab: a clip in, a part and a look chosen, made by the service as a job, and taken home.

import { ClipJob } from "./clip-job.js";
import { ClipOptions } from "./clip-options.js";
import { ClipPreview } from "./clip-preview.js";
import { ClipResult } from "./clip-result.js";
import { offers } from "./clip-server.js";
import { Trim } from "./clip-trim.js";
import { leftOf, lengthOf, sizeOf } from "./clip-words.js";
import { say, tell } from "./say.js";
import { Problem } from "./server.js";
import { onLanguage, reasonOf, t } from "./words.js";

const SUFFIXES = /\.(3gp|avi|flv|m2ts|m4v|mkv|mov|mp4|mpe?g|mts|mxf|ogv|ts|webm|wmv)$/i;
// Of these no second try is of use: the clip, or what is asked for, is at fault.
const LASTING = new Set(["encoder-missing", "not-offered", "option", "unreadable-picture", "unreadable-video"]);
const BUSY = new Set(["sending", "queued", "running"]);

/** Whether a file is a clip by what the system calls it, or by its name. */
export function isClip(file) {
  return file.type.startsWith("video/") || SUFFIXES.test(file.name);
}

/** Event: "key" where the server wants an API key. */
export class Video extends EventTarget {
  #file = null;
  // Of the clip that was chosen: seconds, width, height.
  #facts = { seconds: null, width: 0, height: 0 };
  #offer = null;
  // Of the page, or of a file that is not sent; what the job's own is stands there.
  #problem = null;
  #asking = false;
  #isOpening = false;
  #isShown = false;
  #shown = "";

  /**
   * @param {HTMLElement} root the tab
   * @param {{clip: HTMLInputElement, picture: HTMLInputElement}} inputs for files
   * @param {() => string} model which one is chosen; empty for the server's own
   */
  constructor(root, inputs, model) {
    super();
    this.root = root;
    this.model = model;
    this.find = (selector) => root.querySelector(selector);
    this.options = new ClipOptions(this.find("#clip-look"), inputs.picture);
    this.preview = new ClipPreview(this.find("#clip-preview"));
    this.trim = new Trim({
      handles: this.find("#clip-trim"),
      from: this.find("#clip-from"),
      to: this.find("#clip-to"),
      start: this.find("#clip-start"),
      end: this.find("#clip-end"),
      words: this.find("#clip-takes"),
    });
    this.result = new ClipResult({
      video: this.find("#clip-result"),
      card: this.find("#clip-unplayed"),
      link: this.find("#clip-download"),
      facts: this.find("#clip-facts"),
      more: this.find("#clip-notes"),
      notes: this.find("#clip-notes ul"),
      kept: this.find("#clip-kept"),
    });
    this.job = new ClipJob();
    this.#listen(inputs);
    onLanguage(() => this.#show());
  }

  /** The tab is looked at, or no longer. */
  shown(isShown) {
    this.#isShown = isShown;
    if (!isShown) {
      this.find("#clip-preview").pause();
      this.find("#clip-result").pause();
      return;
    }
    this.#ask();
    this.job.follow();
  }

  /** Takes a clip; one that is being made goes on. @param {File} file */
  async take(file) {
    if (BUSY.has(this.job.state)) {
      tell(t("video.busy"));
      return;
    }
    this.job.forget();
    this.#problem = this.#tooLarge(file);
    this.#file = file;
    this.#facts = { seconds: null, width: 0, height: 0 };
    this.trim.open(null);
    this.#show();
    if (this.#problem) return;
    this.#isOpening = true;
    const facts = await this.preview.open(file);
    if (file !== this.#file) return;
    this.#isOpening = false;
    this.#facts = facts;
    this.trim.open(facts.seconds);
    this.preview.limit(0, facts.seconds);
    this.#fit();
    this.#show();
  }

  /** A key was given: what waited for it goes on. */
  resume() {
    if (!this.#isShown) return;
    this.#problem = null;
    this.#ask();
    if (this.job.state === "failed" && this.job.problem.kind === "key") this.#make();
    else this.job.follow();
  }

  /** No key was given. */
  giveUp() {
    if (this.#isShown && !this.#offer) this.#fail(new Problem({ kind: "key" }));
  }

  /** Whether leaving the page would lose work. */
  get isSending() {
    return this.job.state === "sending";
  }

  // ---- what the server offers ----

  async #ask() {
    if (this.#offer || this.#asking) return;
    this.#asking = true;
    this.#problem = null;
    this.#show();
    try {
      this.#offer = await offers();
      this.options.offer = this.#offer;
      if (this.#file) this.#problem = this.#tooLarge(this.#file);
      this.#fit();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.kind === "key") this.dispatchEvent(new Event("key"));
      else this.#problem = error;
    } finally {
      this.#asking = false;
    }
    this.#show();
  }

  #tooLarge(file) {
    const most = this.#offer?.max_bytes ?? Infinity;
    if (file.size <= most) return null;
    const detail = `${file.name}: ${file.size} > ${most} bytes`;
    return new Problem({ kind: "server", status: 413, code: "video-too-large", detail });
  }

  /** Of a clip that is too long for the server, a part is taken. */
  #fit() {
    const most = this.#offer?.max_seconds;
    if (most && this.trim.seconds > most) {
      this.trim.shorten(most);
      this.preview.limit(this.trim.start, this.trim.end);
    }
  }

  // ---- making ----

  #make() {
    const missing = this.#missing;
    if (missing) {
      tell(missing);
      return;
    }
    this.#problem = null;
    this.preview.video.pause();
    const { width, height } = this.#facts;
    this.job.send({
      name: this.#file.name,
      kind: this.options.kind,
      fields: {
        file: this.#file,
        model: this.model(),
        ...this.trim.fields,
        ...this.options.fields(Math.max(width, height)),
      },
    });
    this.find("#clip-cancel").focus();
  }

  /** What has to be done before the clip can be made; empty where nothing is missing. */
  get #missing() {
    const most = this.#offer?.max_seconds;
    if (most && this.trim.seconds > most + 0.005) return t("video.toolong", { length: lengthOf(most) });
    return this.options.missing;
  }

  async #cancel() {
    const button = this.find("#clip-cancel");
    button.setAttribute("aria-busy", "true");
    try {
      await this.job.delete();
      tell(t("video.cancelled"));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      tell(reasonOf(error, "clip").title);
    } finally {
      button.setAttribute("aria-busy", "false");
    }
    this.#focus();
  }

  async #delete() {
    try {
      await this.job.delete();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      tell(reasonOf(error, "clip").title);
      return;
    }
    tell(t("video.deleted"));
    this.#focus();
  }

  #fail(problem) {
    this.#problem = problem;
    this.#show();
  }

  /** Another clip, or none. */
  #drop() {
    this.job.forget();
    this.#problem = null;
    this.#file = null;
    this.preview.close();
    this.trim.open(null);
    if (!this.#offer) this.#ask();
    this.#show();
    this.#focus();
  }

  /** Back to the choices, with the same clip. */
  #again() {
    const isUnasked = !this.#offer;
    this.#problem = null;
    if (this.job.state !== "none") this.job.forget();
    if (isUnasked) this.#ask();
    this.#show();
    this.#focus();
  }

  // ---- what is shown ----

  get state() {
    if (this.job.state !== "none") return this.job.state;
    if (this.#problem) return "failed";
    if (!this.#offer) return "asking";
    if (!this.#offer.offered) return "off";
    return this.#file ? "ready" : "empty";
  }

  #show() {
    const { state } = this;
    this.root.dataset.state = state;
    const isBusy = BUSY.has(state);
    this.#showCard(state);
    this.find("#clip-working").hidden = !isBusy;
    if (isBusy) this.#showProgress();
    this.find("#clip-failed").hidden = state !== "failed";
    if (state === "failed") this.#showProblem();
    this.find("#clip-preview").hidden = state !== "ready" || !this.#facts.width;
    this.find("#clip-blind").hidden = state !== "ready" || this.#facts.width > 0 || this.#isOpening;
    this.find("#clip-timeline").hidden = state !== "ready" || this.#facts.seconds === null;
    this.find("#clip-name").textContent = state === "ready" ? this.#file.name : this.job.name;
    this.find("#clip-made").hidden = state !== "done";
    this.find("#clip-panes").hidden = state === "done";
    this.find("#clip-panes").inert = isBusy || state === "failed";
    this.find("#clip-make").hidden = isBusy || state === "done";
    this.find("#clip-make").disabled = state !== "ready";
    this.find("#clip-cancel").hidden = !isBusy;
    this.find("#clip-other").hidden = state !== "ready" && state !== "done";
    this.find("#clip-again").hidden = state !== "done" || !this.#file;
    this.find("#clip-delete").hidden = state !== "done";
    this.result.show(state === "done" ? this.job.answer : null);
  }

  #showCard(state) {
    const card = this.find("#clip-card");
    card.hidden = state !== "empty" && state !== "off";
    this.find("#clip-choose").hidden = state !== "empty";
    this.find("#clip-install").hidden = true;
    this.find("#clip-card-more").hidden = true;
    if (state === "empty") {
      const { max_bytes: bytes, max_seconds: seconds } = this.#offer;
      this.find("#clip-card-title").textContent = t("video.title");
      this.find("#clip-card-text").textContent = t("video.text");
      this.find("#clip-card-more").hidden = false;
      this.find("#clip-card-more").textContent = t("video.limits", { length: lengthOf(seconds), size: sizeOf(bytes) });
    } else if (state === "off") {
      const command = /pip install '[^']+'/.exec(this.#offer.why ?? "")?.[0];
      this.find("#clip-card-title").textContent = t("video.off.title");
      this.find("#clip-card-text").textContent = t(command ? "video.off.install" : "video.off.text");
      this.find("#clip-install").hidden = !command;
      this.find("#clip-install").textContent = command ?? "";
    }
  }

  #showProgress() {
    const { state, upload, waitSeconds, answer, isCutOff } = this.job;
    const { frames_done: done = 0, frames_total: total = null, eta_s: left = null } = answer?.progress ?? {};
    const share = state === "sending" ? upload : total ? done / total : 0;
    const isCounted = share > 0 && !(state === "sending" && upload === 1);
    const words = () => {
      if (isCutOff) return t("video.cutoff");
      if (!answer && state !== "sending") return t("video.looking");
      if (state === "queued") return t("video.queued");
      if (state === "sending" && waitSeconds > 0) return t("stage.busy", { seconds: waitSeconds });
      if (state === "sending") return upload < 1 ? t("stage.sending", { percent: Math.round(upload * 100) }) : t("video.checking");
      if (!done) return t("video.opening");
      return total ? t("video.frames", { done, total }) : t("video.frames.some", { done });
    };
    this.find("#clip-working-text").textContent = words();
    this.find("#clip-left").textContent = state === "running" && done && left !== null && !isCutOff ? leftOf(left) : "";
    this.find("#clip-reload").hidden = state === "sending";
    const bar = this.find("#clip-bar");
    bar.classList.toggle("is-endless", !isCounted);
    bar.style.setProperty("--share", String(share));
    if (isCounted) bar.setAttribute("aria-valuenow", String(Math.round(share * 100)));
    else bar.removeAttribute("aria-valuenow");
    bar.setAttribute("aria-valuetext", words());
  }

  #showProblem() {
    const problem = this.job.problem ?? this.#problem;
    const { title, advice } = reasonOf(problem, "clip");
    const most = this.#offer?.max_bytes;
    const isLarge = problem.code === "video-too-large" && most;
    const limits = isLarge ? t("video.limits.here", { length: lengthOf(this.#offer.max_seconds), size: sizeOf(most) }) : "";
    this.find("#clip-failed-title").textContent = title;
    this.find("#clip-failed-detail").textContent = [advice, limits].filter(Boolean).join(" ");
    this.find("#clip-failed-name").textContent = this.job.name || this.#file?.name || "";
    // Of a clip that is not here any more only another one can be made.
    const isLasting = !problem.mayPass || LASTING.has(problem.code);
    const mayPass = !isLasting && (this.#file !== null || this.job.problem === null);
    this.find("#clip-retry").hidden = !mayPass;
    this.find("#clip-change").hidden = !this.#file || !this.job.problem || problem.code === "unreadable-video";
    const said = [problem.title, problem.detail].filter(Boolean).join(": ");
    const more = this.find("#clip-failed-more");
    more.hidden = !said;
    if (this.find("#clip-failed-said").textContent !== said) more.open = false;
    this.find("#clip-failed-said").textContent = said;
  }

  #retry() {
    if (!this.job.problem) this.#again();
    else if (this.job.problem.kind === "key") this.dispatchEvent(new Event("key"));
    else this.#make();
  }

  /** Goes on where the person is now: what was pressed may be gone. */
  #focus() {
    const place = { empty: "#clip-choose", ready: "#clip-make", done: "#clip-download", failed: "#clip-failed-title" };
    this.find(place[this.state] ?? "#clip-cancel").focus();
  }

  // ---- news ----

  #listen(inputs) {
    const on = (selector, act) => this.find(selector).addEventListener("click", act);
    on("#clip-choose", () => inputs.clip.click());
    on("#clip-make", () => this.#make());
    on("#clip-cancel", () => this.#cancel());
    on("#clip-other", () => this.#drop());
    on("#clip-remove", () => this.#drop());
    on("#clip-again", () => this.#again());
    on("#clip-change", () => this.#again());
    on("#clip-retry", () => this.#retry());
    on("#clip-delete", () => this.#delete());
    inputs.clip.addEventListener("change", () => {
      const [file] = inputs.clip.files;
      inputs.clip.value = "";
      if (file) this.take(file);
    });
    this.trim.addEventListener("change", ({ detail: at }) => {
      this.preview.limit(this.trim.start, this.trim.end);
      if (at !== null) this.preview.look(at);
    });
    this.options.addEventListener("change", () => this.#show());
    this.job.addEventListener("key", () => this.dispatchEvent(new Event("key")));
    this.result.addEventListener("problem", ({ detail }) => tell(reasonOf(detail, "clip").title));
    this.job.addEventListener("change", () => {
      const isNews = this.job.state !== this.#shown;
      this.#shown = this.job.state;
      const holdsFocus = this.#isShown && (this.root.contains(document.activeElement) || document.activeElement === document.body);
      this.#show();
      if (isNews) this.#announce(holdsFocus);
    });
  }

  /** Says each state once; by a toast where another tab is looked at. */
  #announce(holdsFocus) {
    const { state, name, problem } = this.job;
    if (state === "failed" && problem.kind === "key") this.dispatchEvent(new Event("key"));
    const tellOrSay = this.#isShown ? say : tell;
    if (state === "queued") say(t("video.say.queued", { name }));
    else if (state === "done") tellOrSay(t("video.say.done", { name }));
    else if (state === "failed") tellOrSay(t("say.failed", { name, reason: reasonOf(problem, "clip").title }));
    if ((state === "done" || state === "failed") && holdsFocus && !document.querySelector("dialog[open]")) this.#focus();
  }
}
