// The page's languages: words in the one that is chosen.

import { EN } from "./words/en.js";
import { ZH } from "./words/zh.js";
import { ZH_PROBLEMS } from "./words/zh-problems.js";

const LANGUAGES = { en: EN, zh: ZH };
// What the server says of a problem is in English.
const PROBLEMS = { en: {}, zh: ZH_PROBLEMS };
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

/** Title and advice for a problem of the server by its code; empty where its own words have to do. */
export function problemWords(code) {
  return Object.hasOwn(PROBLEMS[language], code) ? PROBLEMS[language][code] : [];
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

/** Fills in elements with data-t (text), data-t-label (accessible name and tooltip) and data-t-name (name only). */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", t(element.dataset.tLabel));
    element.title = t(element.dataset.tLabel);
  }
  for (const element of root.querySelectorAll("[data-t-name]")) {
    element.setAttribute("aria-label", t(element.dataset.tName));
  }
}
