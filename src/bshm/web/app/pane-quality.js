// The Check pane: how far to trust the cut-out, why, and where to look.

import { onLanguage, t } from "./words.js";
import { boxAfter } from "./turn.js";

// Below this one of ten pictures lies, and most that are wrong; docs/verdict.md has the figures.
const LOOK_BELOW = 0.31;
const SURE_FROM = 0.5;
const CODES = new Set([
  "unsure", "holes", "scraps", "cut-top", "cut-left", "cut-bottom", "cut-right", "small", "blurred", "dark",
]);

export class QualityPane {
  #work = null;

  /** @param {import("./stage.js").Stage} stage @param {HTMLElement} marks lies over the stage */
  constructor(root, stage, marks) {
    Object.assign(this, { root, stage, marks });
    this.find = (selector) => root.querySelector(selector);
    this.find("#alpha-view").addEventListener("click", () => {
      stage.setAlpha(!stage.showsAlpha);
      this.#press();
    });
    stage.addEventListener("view", () => this.place());
    onLanguage(() => this.#work && this.show(this.#work));
  }

  show(work) {
    this.#work = work;
    const verdict = work.entry.result.verdict;
    const score = verdict?.score ?? null;
    const level = score === null ? "none" : score >= SURE_FROM ? "sure" : score >= LOOK_BELOW ? "fair" : "look";
    this.root.dataset.level = level;
    this.find("#verdict-title").textContent = t(`verdict.${level}`);
    this.find("#verdict-score").textContent = score === null ? "" : t("verdict.score", { score: Math.round(100 * score) });
    this.find("#verdict-meter").hidden = score === null;
    this.find("#verdict-meter").style.setProperty("--share", String(score ?? 0));
    const reasons = placesOf(work);
    this.find("#verdict-text").textContent = t(reasons.length ? "verdict.where" : score === null ? "verdict.none.text" : "verdict.nothing");
    this.find("#reasons").replaceChildren(...reasons.map((reason, index) => this.#reason(reason, index + 1)));
    this.marks.replaceChildren(...reasons.map((reason, index) => mark(reason, index + 1)));
    this.#press();
    this.place();
  }

  /** Puts the marks where the stage shows their places. */
  place() {
    const { stage, marks } = this;
    marks.hidden = !this.#work || !stage.work || stage.mode !== "review";
    if (marks.hidden) return;
    const { view, ratio } = stage;
    placesOf(this.#work).forEach(({ box }, index) => {
      const { style } = marks.children[index];
      style.transform = `translate(${(box.x * view.scale + view.x) / ratio}px, ${(box.y * view.scale + view.y) / ratio}px)`;
      style.width = `${(box.width * view.scale) / ratio}px`;
      style.height = `${(box.height * view.scale) / ratio}px`;
    });
  }

  #press() {
    this.find("#alpha-view").setAttribute("aria-pressed", String(this.stage.showsAlpha));
  }

  #reason({ code, box }, number) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.code = code;
    const count = document.createElement("b");
    count.textContent = String(number);
    const words = document.createElement("span");
    words.textContent = t(CODES.has(code) ? `reason.${code}` : "reason.other");
    button.append(count, words);
    button.addEventListener("click", () => this.stage.zoomToBox(box));
    item.append(button);
    return item;
  }
}

/** The verdict's reasons with their boxes in the picture as it lies. */
function placesOf({ entry, size }) {
  const { turn } = entry.look;
  const before = turn.quarters % 2 ? { width: size.height, height: size.width } : size;
  return (entry.result.verdict?.reasons ?? []).map(({ code, box: [x, y, width, height] }) => ({
    code,
    box: boxAfter({ x, y, width, height }, before, turn),
  }));
}

function mark({ code }, number) {
  const element = document.createElement("div");
  element.className = "mark-box";
  element.dataset.code = code;
  const count = document.createElement("b");
  count.textContent = String(number);
  element.append(count);
  return element;
}
