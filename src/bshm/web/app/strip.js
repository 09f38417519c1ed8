// The row of pictures: one button each, with its state, and the progress of all.

import { isUntouched } from "./output.js";
import { thumbOfBlob, thumbOfEntry, thumbOfWork } from "./thumbs.js";
import { onLanguage, reasonOf, t } from "./words.js";

/** Events: "open" and "remove" (detail: the entry). */
export class Strip extends EventTarget {
  #items = new Map();
  #current = null;

  constructor(album, { list, progress, failed, bar, retryAll, nav }) {
    super();
    Object.assign(this, { album, list, progress, failed, bar, retryAll, nav });
    album.addEventListener("added", ({ detail }) => detail.forEach((entry) => this.#add(entry)));
    album.addEventListener("removed", ({ detail }) => this.#remove(detail));
    album.addEventListener("change", ({ detail }) => this.#update(detail));
    retryAll.addEventListener("click", () => album.retryAll());
    list.addEventListener("keydown", (event) => this.#key(event));
    onLanguage(() => {
      for (const entry of album.entries) this.#update(entry);
    });
  }

  select(entry) {
    this.#current = entry;
    for (const [other, item] of this.#items) item.open.setAttribute("aria-current", String(other === entry));
    this.#items.get(entry)?.element.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  focus(entry) {
    this.#items.get(entry)?.open.focus();
  }

  /** Draws the thumbnail anew from the picture on the stage. */
  redraw(work) {
    const item = this.#items.get(work.entry);
    if (item) this.#show(item, thumbOfWork(work));
  }

  #add(entry) {
    const element = document.createElement("li");
    element.className = "thumb";
    const open = document.createElement("button");
    open.type = "button";
    open.setAttribute("aria-current", "false");
    const badge = document.createElement("span");
    badge.className = "badge";
    open.append(badge);
    open.addEventListener("click", () => this.dispatchEvent(new CustomEvent("open", { detail: entry })));
    const remove = document.createElement("button");
    remove.type = "button";
    remove.className = "remove";
    remove.append(icon("i-close"));
    remove.addEventListener("click", () => this.dispatchEvent(new CustomEvent("remove", { detail: entry })));
    element.append(open, remove);
    this.list.append(element);
    const item = { element, open, remove, badge, drawn: "" };
    this.#items.set(entry, item);
    this.#update(entry);
    if (item.drawn !== "after") this.#draw(entry, item, "before");
  }

  #remove(entry) {
    this.#items.get(entry)?.element.remove();
    this.#items.delete(entry);
    this.#count();
  }

  #update(entry) {
    const item = this.#items.get(entry);
    if (!item) return;
    const state = entry.state === "done" && entry.result.empty ? "empty" : entry.state;
    item.element.dataset.state = entry.state;
    const reason = entry.state === "failed" ? reasonOf(entry.problem).title : "";
    const words = reason ? t("state.failed.because", { reason }) : t(`state.${state}`);
    item.open.setAttribute("aria-label", t("strip.item", { name: entry.name, state: words }));
    item.open.title = reason ? `${entry.name}\n${reason}` : entry.name;
    item.remove.setAttribute("aria-label", t("strip.remove", { name: entry.name }));
    item.remove.title = t("strip.remove", { name: entry.name });
    item.badge.replaceChildren(...badgeOf(entry));
    if (entry.state === "done" && item.drawn !== "after") this.#draw(entry, item, "after");
    if (entry.state === "waiting" && item.drawn === "after") this.#draw(entry, item, "before");
    this.#count();
  }

  async #draw(entry, item, what) {
    item.drawn = what;
    const made = () => (isUntouched(entry) ? thumbOfBlob(entry.result.blob) : thumbOfEntry(entry));
    const canvas = await (what === "before" ? thumbOfBlob(entry.file) : made());
    // The cut-out may have overtaken the slower decoding of the original.
    if (item.drawn === what && this.#items.has(entry)) this.#show(item, canvas);
  }

  #show(item, canvas) {
    item.element.dataset.drawn = item.drawn;
    item.open.querySelector("canvas, .icon-large")?.remove();
    item.open.prepend(canvas ?? icon("i-image", "icon-large"));
  }

  #count() {
    const { album } = this;
    const total = album.entries.length;
    const failed = album.count("failed");
    const done = album.count("done");
    this.nav.dataset.single = String(total < 2);
    this.nav.dataset.finished = String(done + failed === total);
    this.progress.textContent = t("strip.progress", { done, total });
    this.failed.textContent = failed ? `· ${t("strip.failed", { count: failed })}` : "";
    this.retryAll.hidden = album.retriable.length < 2;
    this.bar.style.setProperty("--share", String(total ? (done + failed) / total : 0));
  }

  /** Arrows go along the row, as in a list. */
  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const opens = [...this.#items.values()].map((item) => item.open);
    const at = opens.indexOf(document.activeElement);
    if (at < 0) return;
    event.preventDefault();
    opens[(at + step + opens.length) % opens.length].focus();
  }
}

function badgeOf(entry) {
  if (entry.state === "failed") return [icon("i-alert"), reasonOf(entry.problem).short];
  if (entry.state === "done") return entry.result.empty ? [icon("i-person")] : [];
  if (entry.state === "busy") return [`${entry.waitSeconds} s`];
  if (entry.state === "waiting") return [];
  const spinner = document.createElement("span");
  spinner.className = "spinner";
  return [spinner];
}

function icon(name, extra = "") {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", `icon ${extra}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#${name}`);
  svg.append(use);
  return svg;
}
