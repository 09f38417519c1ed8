// What rules and figures are called in the page's words.  The server's own are English.

import { PRESET_TITLES, RULE_FIGURES } from "./words/rules.js";
import { t } from "./words.js";

const RULES = new Set([
  "size", "dpi", "width", "height", "longest", "shortest", "aspect", "background", "transparent", "circle", "subject",
  "head", "top", "eyes", "reaches_lower_edge", "kb", "formats", "srgb",
]);

/** What people call a preset; one of the server's own has its own title. */
export function presetTitle({ name, title, in_box: inBox }, language) {
  return (inBox && PRESET_TITLES[language][name]) || title;
}

export function ruleTitle(rule) {
  return RULES.has(rule) ? t(`rule.${rule}`) : rule;
}

/** A figure of the check, such as "32 to 36 mm", in the page's language. */
export function figureOf(words, language) {
  return RULE_FIGURES[language].reduce((said, [from, to]) => said.replace(from, to), words);
}
