// The page's languages: words in the one that is chosen.

import { EN } from "./words/en.js";
import { EN_CLIPS } from "./words/en-clips.js";
import { EN_PROBLEMS } from "./words/en-problems.js";
import { ZH } from "./words/zh.js";
import { ZH_CLIPS } from "./words/zh-clips.js";
import { ZH_PROBLEMS } from "./words/zh-problems.js";

const LANGUAGES = { en: EN, zh: ZH };
// What the server itself says of a problem is in English, and for those who run it.
const PROBLEMS = { picture: { en: EN_PROBLEMS, zh: ZH_PROBLEMS }, clip: { en: EN_CLIPS, zh: ZH_CLIPS } };
// Of answers without a code: something between page and server gave them.
const BY_STATUS = {
  403: "host-refused",
  413: "picture-too-large",
  429: "rate-limit",
  502: "no-answer",
  503: "too-busy",
  504: "time-ran-out",
  507: "disk-full",
};
// What <html lang> says; the dictionary is in simplified characters.
const TAGS = { en: "en", zh: "zh-Hans" };

let language = "en";
const listeners = [];

/** The words for `key`, with {name} replaced from `values`. */
export function t(key, values = {}) {
  const words = LANGUAGES[language][key];
  if (words === undefined) throw new Error(`no words for ${key} in ${language}`);
  return words.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/**
 * What people read of a problem.
 *
 * @param {import("./server.js").Problem} problem
 * @param {"picture" | "clip"} about what the server was asked for
 * @returns {{title: string, advice: string, short: string}} short: a word or two, for a thumbnail; a clip has none
 */
export function reasonOf({ kind, code, status }, about = "picture") {
  const known = PROBLEMS[about][language];
  if (kind !== "server" && !Object.hasOwn(known, kind)) {
    return { title: t(`failed.${kind}`), advice: t(`failed.${kind}.detail`), short: t(`short.${kind}`) };
  }
  const byStatus = about === "clip" && status === 413 ? "video-too-large" : BY_STATUS[status];
  const found = [kind, code, byStatus].find((name) => name && Object.hasOwn(known, name));
  if (!found && about === "picture") {
    return { title: t("failed.server"), advice: t("failed.status", { status }), short: t("short.server") };
  }
  const [title, advice, short = ""] = known[found ?? "internal"];
  return { title, advice, short };
}

export function currentLanguage() {
  return language;
}

/** The chosen language, or the first of the browser's that is known. */
export function preferredLanguage() {
  try {
    const chosen = localStorage.getItem("bshm.language");
    if (chosen in LANGUAGES) return chosen;
  } catch {
    // Storage is blocked: the browser's language counts.
  }
  const known = (navigator.languages ?? [navigator.language]).map((tag) => tag.slice(0, 2).toLowerCase());
  return known.find((tag) => tag in LANGUAGES) ?? "en";
}

export function setLanguage(next, { remember = false } = {}) {
  language = next;
  document.documentElement.lang = TAGS[next];
  document.title = t("page.title");
  translate(document);
  if (remember) {
    try {
      localStorage.setItem("bshm.language", next);
    } catch {
      // Storage is blocked: the choice lasts until the page is left.
    }
  }
  for (const listener of listeners) listener();
}

/** Calls `listener` after each change of language. */
export function onLanguage(listener) {
  listeners.push(listener);
}

/**
 * Fills in elements with data-t (text), data-t-label (accessible name and tooltip), data-t-name (name only) and
 * data-t-alt (a picture's words).
 */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", t(element.dataset.tLabel));
    element.title = t(element.dataset.tLabel);
  }
  for (const element of root.querySelectorAll("[data-t-alt]")) element.alt = t(element.dataset.tAlt);
  for (const element of root.querySelectorAll("[data-t-name]")) {
    element.setAttribute("aria-label", t(element.dataset.tName));
  }
}
