// The pictures, and the queue that takes them to the server a few at a time.

import { cutOut, Problem } from "./server.js";
import { plainLook } from "./look.js";
import { keyOf } from "./shelf.js";

// Two: one travels while the other is computed.  The server bounds its own work; more would only wait there.
const AT_ONCE = 2;

/**
 * One picture.  `state` is one of
 *   waiting  in the queue           sending  on its way or being computed     busy    the server asked us to wait
 *   done     the cut-out is here    failed   see `problem`
 */
class Entry {
  static #count = 0;

  /** @param {File} file @param {string} model its name; empty for the server's own choice */
  constructor(file, model) {
    Entry.#count += 1;
    this.key = keyOf(Entry.#count);
    this.file = file;
    this.name = file.name || "picture.png";
    this.model = model;
    this.state = "waiting";
    this.upload = 0;
    this.waitSeconds = 0;
    this.problem = null;
    this.result = null;
    /** Models that found nobody in it. */
    this.nobody = [];
    this.look = plainLook();
    this.strokes = [];
    this.abort = new AbortController();
  }

  /** @param {object} record as `load` of shelf.js gives it */
  static from(record) {
    const { key, name, model, state, problem, result, look, strokes } = record;
    const entry = new Entry(record.file, model);
    return Object.assign(entry, { key, name, state, result, look, strokes, problem: problem && new Problem(problem) });
  }
}

/**
 * Events: "change" (detail: the entry), "added" (detail: entries), "removed" (detail: the entry),
 * "key" (the server wants an API key).
 */
export class Album extends EventTarget {
  entries = [];
  #running = 0;
  #held = false;

  add(files, model = "") {
    return this.#take(files.map((file) => new Entry(file, model)));
  }

  /** Takes back what the shelf kept; what was on its way goes again. */
  restore(records) {
    return this.#take(records.map((record) => Entry.from(record)));
  }

  #take(entries) {
    this.entries.push(...entries);
    this.#tell("added", entries);
    this.#pump();
    return entries;
  }

  remove(entry) {
    entry.abort.abort();
    this.entries = this.entries.filter((other) => other !== entry);
    this.#tell("removed", entry);
    this.#pump();
  }

  clear() {
    const { entries } = this;
    this.entries = [];
    for (const entry of entries) {
      entry.abort.abort();
      this.#tell("removed", entry);
    }
  }

  retry(entry) {
    if (entry.state === "failed") this.#anew(entry);
  }

  /** Cuts out once more, with another model; strokes and look stay. */
  again(entry, model) {
    entry.abort.abort();
    entry.abort = new AbortController();
    if (entry.result?.empty) entry.nobody.push(entry.result.model);
    entry.model = model;
    entry.result = null;
    this.#anew(entry);
  }

  #anew(entry) {
    entry.state = "waiting";
    entry.problem = null;
    entry.upload = 0;
    this.#tell("change", entry);
    this.#pump();
  }

  retryAll() {
    for (const entry of this.retriable) this.retry(entry);
  }

  /** Those that failed and may go through another time. */
  get retriable() {
    return this.entries.filter((entry) => entry.state === "failed" && entry.problem.mayPass);
  }

  /** Goes on after a key was given: the pictures that were refused for want of one are asked for again. */
  resume() {
    this.#held = false;
    for (const entry of this.entries) if (entry.problem?.kind === "key") this.retry(entry);
    this.#pump();
  }

  /** Goes on without a key: the pictures that wait fail for want of one, later ones are tried. */
  giveUp() {
    this.#held = false;
    for (const entry of this.entries) {
      if (entry.state !== "waiting") continue;
      entry.state = "failed";
      entry.problem = new Problem({ kind: "key" });
      this.#tell("change", entry);
    }
  }

  count(...states) {
    return this.entries.filter((entry) => states.includes(entry.state)).length;
  }

  #pump() {
    while (this.#running < AT_ONCE && !this.#held) {
      const next = this.entries.find((entry) => entry.state === "waiting");
      if (!next) return;
      this.#run(next);
    }
  }

  async #run(entry) {
    const { signal } = entry.abort;
    this.#running += 1;
    entry.state = "sending";
    this.#tell("change", entry);
    try {
      entry.result = await cutOut(entry.file, {
        model: entry.model,
        signal,
        onUpload: (share) => {
          entry.upload = share;
          this.#tell("change", entry);
        },
        onWait: (seconds) => {
          entry.waitSeconds = seconds;
          entry.state = seconds ? "busy" : "sending";
          this.#tell("change", entry);
        },
      });
      entry.state = "done";
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof Problem)) console.error(error);
      entry.problem = error instanceof Problem ? error : new Problem({ kind: "answer" });
      entry.state = "failed";
      if (entry.problem.kind === "key") {
        this.#held = true;
        this.#tell("key", entry);
      }
    } finally {
      this.#running -= 1;
      if (!signal.aborted) this.#tell("change", entry);
      this.#pump();
    }
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
