// The Download part: one picture, or all as a zip.

import { download } from "./download.js";
import { fileOf, isUntouched, writesWebp } from "./output.js";
import { isFinished } from "./look.js";
import { say, tell } from "./say.js";
import { Problem } from "./server.js";
import { onLanguage, reasonOf, t } from "./words.js";
import { zip } from "./zip.js";

export class Saver {
  #packing = null;
  #making = false;

  /** @param {() => import("./work.js").Work | null} opened the work on the stage @param {() => object} current its entry */
  constructor(root, album, opened, current) {
    Object.assign(this, { root, album, opened, current });
    this.find = (selector) => root.querySelector(selector);
    this.find("#save-one").addEventListener("click", () => this.#one());
    this.find("#save-all").addEventListener("click", () => this.#all());
    for (const radio of root.querySelectorAll('input[name="format"]')) {
      radio.addEventListener("change", () => this.show());
    }
    for (const type of ["change", "removed"]) album.addEventListener(type, () => this.show());
    onLanguage(() => this.show());
    writesWebp().then((writes) => {
      this.find('input[value="webp"]').disabled = !writes;
    });
  }

  get format() {
    return this.find('input[name="format"]:checked').value;
  }

  show() {
    const entry = this.current();
    const done = this.album.count("done");
    const one = this.find("#save-one");
    // Not disabled while it works, which would throw the focus away.
    one.setAttribute("aria-busy", String(this.#making));
    one.querySelector("span").textContent = t(this.#making ? "save.making" : "save.one");
    one.disabled = entry?.state !== "done" || this.#packing !== null;
    const all = this.find("#save-all");
    all.hidden = done < 2;
    all.disabled = this.#packing !== null;
    all.textContent = this.#packing ? t("save.packing", this.#packing) : t("save.all", { count: done });
    // Beside Download there is little room on a phone.
    all.dataset.short = this.#packing ? `${this.#packing.done} / ${this.#packing.total}` : `zip × ${done}`;
    // A preset says which format.
    this.find(".choice").disabled = Boolean(entry?.look.finish.preset);
    const hint = entry?.state === "done" ? this.#hint(entry) : "";
    this.find("#save-text").dataset.hint = hint;
    this.find("#save-text").textContent = hint && t(hint);
  }

  #hint(entry) {
    if (entry.look.finish.preset) return "save.preset";
    if (this.format === "jpeg" && entry.look.background.kind === "none") return "save.jpeg";
    if (isFinished(entry.look)) return "save.finished";
    return this.format === "png" && isUntouched(entry) ? "save.exact" : "save.made";
  }

  async #one() {
    if (this.#making) return;
    const entry = this.current();
    this.#making = true;
    this.show();
    try {
      this.#download(await fileOf(entry, this.format, this.opened()));
    } catch (error) {
      console.warn(error);
      tell(error instanceof Problem ? reasonOf(error).title : t("save.failed"));
    } finally {
      this.#making = false;
      this.show();
    }
  }

  async #all() {
    const entries = this.album.entries.filter((entry) => entry.state === "done");
    const { format } = this;
    try {
      const files = [];
      for (const entry of entries) {
        this.#packing = { done: files.length, total: entries.length };
        this.show();
        const open = this.opened();
        files.push(await fileOf(entry, format, open?.entry === entry ? open : null));
      }
      this.#download({ name: "cutouts.zip", blob: await zip(files) });
    } catch (error) {
      console.warn(error);
      tell(error instanceof Problem ? reasonOf(error).title : t("save.failed"));
    } finally {
      this.#packing = null;
      this.show();
    }
  }

  #download(file) {
    download(file);
    say(t("say.saved", { name: file.name }));
  }
}
