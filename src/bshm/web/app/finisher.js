// Keeps the stage's finished picture fresh while its look changes.

import { finishedBy } from "./finish.js";
import { isFinished } from "./look.js";
import { Problem } from "./server.js";

// A slider that is dragged asks once it rests.
const PAUSE_MS = 200;

/** Event: "change" (see `state`). */
export class Finisher extends EventTarget {
  /** "off": nothing to finish; "making"; "done"; "failed", see `problem`. */
  state = "off";
  /** The last answer of the server, see `finish` of server.js. */
  result = null;
  problem = null;
  #timer = 0;
  #turn = 0;

  constructor(stage) {
    super();
    this.stage = stage;
  }

  /** Asks anew for what the open picture looks like now. */
  refresh(work) {
    clearTimeout(this.#timer);
    this.#turn += 1;
    if (!work || !isFinished(work.entry.look)) {
      this.#set("off");
      this.stage.showFinished(null);
      return;
    }
    this.#set("making", this.result);
    const turn = this.#turn;
    this.#timer = setTimeout(() => this.#make(work, turn), PAUSE_MS);
  }

  async #make(work, turn) {
    const isLate = () => turn !== this.#turn;
    try {
      const result = await finishedBy(work, "png");
      const bitmap = isLate() ? null : await createImageBitmap(result.blob);
      if (isLate()) {
        bitmap?.close();
        return;
      }
      this.stage.showFinished(bitmap);
      this.#set("done", result);
    } catch (error) {
      if (isLate() || error.name === "AbortError") return;
      if (!(error instanceof Problem)) console.error(error);
      this.stage.showFinished(null);
      this.#set("failed", null, error instanceof Problem ? error : new Problem({ kind: "answer" }));
    }
  }

  #set(state, result = null, problem = null) {
    Object.assign(this, { state, result, problem });
    this.dispatchEvent(new Event("change"));
  }
}
