// The Shop & ID pane: the rules of a shop or an office, and the finished picture measured against them.

import { figureOf, presetTitle, ruleTitle } from "./rules.js";
import { currentLanguage, onLanguage, reasonOf, t } from "./words.js";

const GROUPS = {
  shop: ["amazon-main", "google-merchant", "ebay", "etsy", "shopify-square", "taobao-square"],
  id: ["id-35x45", "passport-us", "visa-cn", "visa-jp", "id-cn", "cn-1in", "cn-2in", "cn-2in-large", "chsi-cn"],
  more: [],
};

/** Calls `changed()` after each change of the current entry's preset. */
export class ShopPane {
  #entry = null;
  #presets = [];

  /** @param {import("./finisher.js").Finisher} finisher @param {() => Promise<object[] | null>} list */
  constructor(root, finisher, list, changed) {
    Object.assign(this, { root, finisher, list, changed });
    this.find = (selector) => root.querySelector(selector);
    this.find("#preset").addEventListener("change", (event) => this.#choose(event.target.value));
    finisher.addEventListener("change", () => this.#entry && this.#showCheck());
    onLanguage(() => {
      this.#fill();
      if (this.#entry) this.show(this.#entry);
    });
  }

  /** Asks the server which presets there are. */
  async ask() {
    this.#presets = (await this.list()) ?? [];
    this.#fill();
    if (this.#entry) this.show(this.#entry);
  }

  show(entry) {
    this.#entry = entry;
    const { preset } = entry.look.finish;
    const found = this.#presets.find(({ name }) => name === preset);
    this.find("#preset").value = found ? preset : "";
    this.find("#preset").disabled = !this.#presets.length;
    this.find("#preset-facts").textContent = found ? factsOf(found) : t(this.#presets.length ? "shop.text" : "shop.none");
    this.find("#preset-source").textContent = found ? sourceOf(found) : "";
    this.#showCheck();
  }

  #fill() {
    const known = Object.values(GROUPS).flat();
    const others = this.#presets.map(({ name }) => name).filter((name) => !known.includes(name));
    const groups = Object.entries({ ...GROUPS, more: others }).map(([kind, names]) => {
      const group = document.createElement("optgroup");
      group.label = t(`shop.group.${kind}`);
      const there = names.map((name) => this.#presets.find((preset) => preset.name === name)).filter(Boolean);
      group.append(...there.map((preset) => new Option(presetTitle(preset, currentLanguage()), preset.name)));
      return group;
    });
    this.find("#preset").replaceChildren(
      new Option(t("shop.free"), ""),
      ...groups.filter((group) => group.children.length),
    );
  }

  #choose(name) {
    const { look } = this.#entry;
    const found = this.#presets.find((preset) => preset.name === name);
    // The rules begin anew: what was framed and coloured before would break them.
    const own = { preset: name, heads: Boolean(found?.edit.head), placed: false };
    Object.assign(look.finish, own, found?.edit.head ? { shadow: "none" } : {});
    if (found) {
      const colour = hexOf(found.edit.background);
      Object.assign(look.background, colour ? { kind: "colour", colour } : { kind: "none" });
      Object.assign(look.crop, { mode: "whole", aspect: "free", margin: 0, box: null });
    }
    this.changed();
  }

  #showCheck() {
    const { state, result, problem } = this.finisher;
    const check = state === "done" || state === "making" ? result?.check : null;
    const wanted = Boolean(this.#entry.look.finish.preset);
    this.root.dataset.check = !wanted ? "none" : state;
    const head = this.find("#check-head");
    head.hidden = !wanted;
    head.dataset.passed = state === "done" && check ? String(check.passed) : "";
    this.find("#check-words").textContent = wanted ? headWords(state, check, problem) : "";
    const use = state === "done" && check ? (check.passed ? "i-check" : "i-alert") : "i-fit";
    head.querySelector("use").setAttribute("href", `#${use}`);
    const shown = wanted && check;
    this.find("#check-warnings").replaceChildren(...(shown ? result.notes.map(noteOf) : []));
    this.find("#check-list").replaceChildren(...(shown ? worstFirst(check.findings).map(rowOf) : []));
    const more = shown ? check.unmeasured.map(unmeasuredOf) : [];
    this.find("#check-more").hidden = !more.length;
    this.find("#check-notes").replaceChildren(...more);
  }
}

/** What is broken, then what could not be measured, then the rest. */
function worstFirst(findings) {
  const rank = ({ passed }) => (passed === false ? 0 : passed === null ? 1 : 2);
  return [...findings].sort((one, other) => rank(one) - rank(other));
}

function headWords(state, check, problem) {
  if (state === "failed") return reasonOf(problem).title;
  if (state !== "done" || !check) return t("shop.measuring");
  const broken = check.findings.filter(({ passed }) => passed === false).length;
  const total = check.findings.length;
  return broken ? t("shop.broken", { broken, total }) : t("shop.met", { total });
}

function rowOf({ rule, passed, found, needed }) {
  const row = document.createElement("li");
  row.dataset.rule = rule;
  row.dataset.passed = String(passed);
  const mark = document.createElement("strong");
  mark.textContent = t(passed === null ? "shop.unknown" : passed ? "shop.pass" : "shop.fail");
  const title = document.createElement("span");
  title.className = "rule-title";
  title.textContent = ruleTitle(rule);
  const figure = document.createElement("span");
  figure.className = "rule-found";
  figure.textContent = figureOf(found, currentLanguage());
  const asks = document.createElement("span");
  asks.className = "rule-needed";
  asks.textContent = t("shop.needs", { needed: figureOf(needed, currentLanguage()) });
  row.append(mark, title, figure, asks);
  return row;
}

const noteOf = (note) => item(figureOf(note, currentLanguage()));
const unmeasuredOf = (text) => item(t("shop.unmeasured", { text: figureOf(text, currentLanguage()) }));

function item(words) {
  const element = document.createElement("li");
  element.textContent = words;
  return element;
}

function factsOf({ width, height, width_mm: across, height_mm: down, dpi, edit }) {
  const pixels = width ? `${width} × ${height} px` : t("shop.anysize");
  const isPaper = /mm|in/.test(edit.size ?? "") || edit.dpi;
  const paper = width && isPaper ? ` · ${Math.round(across * 10) / 10} × ${Math.round(down * 10) / 10} mm · ${dpi} dpi` : "";
  return `${pixels}${paper} · ${(edit.format ?? "png").toUpperCase()}`;
}

function sourceOf({ source, checked, seen }) {
  const where = source.replace(/^[a-z]+:\/\//, "").split("/")[0];
  return t(seen === "nothing" ? "shop.source.unseen" : "shop.source", { source: where, day: checked });
}

/** A colour's name as #rrggbb; empty where a preset has none. */
function hexOf(colour) {
  if (typeof colour !== "string" || !CSS.supports("color", colour)) return "";
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  context.fillStyle = colour;
  return context.fillStyle;
}
