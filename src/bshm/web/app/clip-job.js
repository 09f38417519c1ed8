// One clip on its way: sent, waited for, made.  Its id is remembered on this device, so that a reload goes on with it.

import { deleteClip, lookAtClip, sendClip } from "./clip-server.js";
import { Problem } from "./server.js";

const STORE = "bshm.clip";
const LOOK_AGAIN_MS = 1000;
const LOOK_AGAIN_LATER_MS = 4000;
const ENDED = new Set(["done", "failed"]);

/** Events: "change" after all news; "key" where the server wants an API key. */
export class ClipJob extends EventTarget {
  // none | sending | queued | running | done | failed
  state = "none";
  id = "";
  name = "";
  // What is made of it: a name of clip-options.js.
  kind = "";
  // Of the upload, 0..1.
  upload = 0;
  // Until a busy server is asked again.
  waitSeconds = 0;
  // Whether the server did not answer the last time.
  isCutOff = false;
  /** The job as the server described it last. */
  answer = null;
  /** @type {Problem | null} why it failed */
  problem = null;
  #turn = 0;
  #sending = null;

  constructor() {
    super();
    const kept = remembered();
    if (!kept) return;
    [this.id, this.name, this.kind] = [kept.id, kept.name, kept.kind];
    // Until the server has said more.
    this.state = "queued";
  }

  /** @param {{name: string, kind: string, fields: Record<string, string | Blob>}} what */
  async send({ name, kind, fields }) {
    const turn = this.#next();
    Object.assign(this, { state: "sending", id: "", name, kind, upload: 0, waitSeconds: 0, answer: null, problem: null });
    this.#changed();
    this.#sending = new AbortController();
    const isOld = () => turn !== this.#turn;
    try {
      const answer = await sendClip(fields, {
        signal: this.#sending.signal,
        onUpload: (share) => !isOld() && this.#set({ upload: share }),
        onWait: (seconds) => !isOld() && this.#set({ waitSeconds: seconds }),
      });
      if (isOld()) return;
      this.id = answer.id;
      remember({ id: this.id, name, kind });
      this.#heard(answer);
    } catch (error) {
      if (!isOld()) this.#failed(error);
      return;
    }
    this.follow();
  }

  /** Looks how far it is until it has ended. */
  async follow() {
    if (!this.id || ENDED.has(this.state)) return;
    const turn = this.#next();
    while (!ENDED.has(this.state)) {
      try {
        const answer = await lookAtClip(this.id);
        if (turn !== this.#turn) return;
        this.isCutOff = false;
        this.#heard(answer);
      } catch (error) {
        if (turn !== this.#turn) return;
        if (error instanceof Problem && error.kind === "key") {
          this.dispatchEvent(new Event("key"));
          return;
        }
        if (!mayPass(error)) this.#failed(error);
        else this.#set({ isCutOff: true });
      }
      await new Promise((resolve) => setTimeout(resolve, this.isCutOff ? LOOK_AGAIN_LATER_MS : LOOK_AGAIN_MS));
      if (turn !== this.#turn) return;
    }
  }

  /** Stops it and deletes all of it on the server. @throws {Problem} it goes on there */
  async delete() {
    const { id } = this;
    if (id) {
      try {
        await deleteClip(id);
      } catch (error) {
        // What is gone already is as gone.
        if (!(error instanceof Problem) || error.status !== 404) throw error;
      }
    }
    if (id === this.id) this.forget();
  }

  /** Follows it no longer; a result stays on the server until its time is over. */
  forget() {
    this.#next();
    if (this.id) remember(null);
    Object.assign(this, { id: "", state: "none", answer: null, problem: null, isCutOff: false });
    this.#changed();
  }

  #next() {
    this.#sending?.abort();
    this.#sending = null;
    this.#turn += 1;
    return this.#turn;
  }

  #heard(answer) {
    const { state, error } = answer;
    if (state === "failed" || state === "cancelled") {
      const code = (error?.code ?? "job-not-found").replaceAll("_", "-");
      this.answer = answer;
      this.#failed(new Problem({ kind: "server", code, detail: error?.message ?? "" }));
      return;
    }
    this.#set({ answer, state });
  }

  #failed(error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Problem)) throw error;
    // A reload shall not come back to it.
    if (this.id) remember(null);
    this.#set({ state: "failed", problem: error, isCutOff: false });
  }

  #set(news) {
    Object.assign(this, news);
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

function mayPass(error) {
  if (!(error instanceof Problem)) return false;
  return error.kind === "offline" || error.kind === "answer" || error.status === 429 || error.status >= 500;
}

function remembered() {
  try {
    const kept = JSON.parse(localStorage.getItem(STORE) ?? "null");
    const isWhole = kept && [kept.id, kept.name, kept.kind].every((word) => typeof word === "string");
    return isWhole && /^[\w-]{1,200}$/.test(kept.id) ? kept : null;
  } catch {
    return null;
  }
}

function remember(kept) {
  try {
    if (kept) localStorage.setItem(STORE, JSON.stringify(kept));
    else localStorage.removeItem(STORE);
  } catch {
    // Storage is blocked: a reload loses sight of it.
  }
}
