// One way back for all that is done to a picture: look and strokes alike.

import { copyOf } from "./look.js";

const MOST_STEPS = 100;

// What one press or one drag does is one step, however often it says that something changed.
let gesture = 0;
const next = () => (gesture += 1);
for (const type of ["pointerdown", "keydown", "change"]) addEventListener(type, next, true);
addEventListener("change", next);

const histories = new WeakMap();

/** The history of an entry, which begins with what is there. */
export function historyOf(entry) {
  if (!histories.has(entry)) histories.set(entry, new History(entry));
  return histories.get(entry);
}

class History {
  #past = [];
  #future = [];
  #now;
  #gesture = -1;

  constructor(entry) {
    this.entry = entry;
    // Strokes that came back with a reload can be taken back one by one.
    const look = copyOf(entry.look);
    this.#past = entry.strokes.map((_, count) => ({ look, strokes: entry.strokes.slice(0, count) }));
    this.#now = snapshot(entry);
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /** Notes what the entry is like now, if that is news. */
  record() {
    const next = snapshot(this.entry);
    if (textOf(next) === textOf(this.#now)) return;
    if (this.#gesture !== gesture) this.#past.push(this.#now);
    if (this.#past.length > MOST_STEPS) this.#past.shift();
    this.#gesture = gesture;
    this.#future = [];
    this.#now = next;
  }

  /** Gives the entry its look and strokes of one step before, or after. */
  step(which) {
    const [from, to] = which === "undo" ? [this.#past, this.#future] : [this.#future, this.#past];
    if (!from.length) return;
    to.push(this.#now);
    this.#now = from.pop();
    this.#gesture = -1;
    this.entry.look = copyOf(this.#now.look);
    this.entry.strokes = [...this.#now.strokes];
  }

  /** Forgets the last change, which could not be made, and gives the entry what was before it. */
  drop() {
    this.#now = this.#past.pop() ?? this.#now;
    this.entry.look = copyOf(this.#now.look);
    this.entry.strokes = [...this.#now.strokes];
  }
}

function snapshot({ look, strokes }) {
  return { look: copyOf(look), strokes: [...strokes] };
}

function textOf({ look, strokes }) {
  const background = { ...look.background, picture: look.background.picture?.id };
  // A stroke never changes once it is made; turning makes new ones, and shows in the look.
  return JSON.stringify([{ ...look, background }, strokes.length, strokes.at(-1)?.points.length]);
}
