// Steady in time: a mask remembers those before it, but not what has moved, and nothing across a cut.

// After this time an old mask counts a third.
const MEMORY_MS = 70;
// A pixel that changes by more than this has moved: it follows at once, or people would trail a shadow.
const MOVED = 0.3;
// Where the mask changes by this much on average, another scene began.
const CUT = 0.15;

export class Steady {
  #last = null;
  #at = 0;

  /**
   * @param {Float32Array} mask 0..1
   * @param {number} at when its picture was taken, in milliseconds
   * @returns {Float32Array} of the same length
   */
  next(mask, at) {
    const last = this.#last;
    const out = Float32Array.from(mask);
    if (last?.length === mask.length && at > this.#at) {
      const keep = Math.exp(-(at - this.#at) / MEMORY_MS);
      let change = 0;
      for (let i = 0; i < mask.length; i += 1) change += Math.abs(mask[i] - last[i]);
      if (change / mask.length < CUT) {
        for (let i = 0; i < mask.length; i += 1) {
          const moved = Math.min(1, Math.abs(mask[i] - last[i]) / MOVED);
          out[i] = mask[i] + keep * (1 - moved) * (last[i] - mask[i]);
        }
      }
    }
    this.#last = out;
    this.#at = at;
    return out;
  }

  forget() {
    this.#last = null;
  }
}

// Between these a mask says neither yes nor no; edges and hair cover less of a picture than the share.
const [UNSURE_FROM, UNSURE_TO] = [0.2, 0.8];
const UNSURE_SHARE = 0.25;

/** Whether a mask is no ground to show anything on: no numbers, numbers out of range, or neither yes nor no. */
export function isDoubtful(mask) {
  let unsure = 0;
  for (const value of mask) {
    // Written so that NaN fails, too; a sigmoid in single precision may round to a trace above one.
    if (!(value >= -0.001 && value <= 1.001)) return true;
    if (value > UNSURE_FROM && value < UNSURE_TO) unsure += 1;
  }
  return unsure > UNSURE_SHARE * mask.length;
}
