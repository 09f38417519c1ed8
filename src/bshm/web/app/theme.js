// Light and dark: as the system has it, until the button is pressed.

import { say } from "./say.js";
import { onLanguage, t } from "./words.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** @param {HTMLButtonElement} button @param {() => void} changed called after each change */
export function startTheme(button, changed) {
  const now = () => document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
  const next = () => (now() === "dark" ? "light" : "dark");
  const label = () => {
    button.setAttribute("aria-label", t(`page.theme.${next()}`));
    button.title = t(`page.theme.${next()}`);
    button.querySelector("use").setAttribute("href", next() === "dark" ? "#i-moon" : "#i-sun");
  };
  button.addEventListener("click", () => {
    const chosen = next();
    document.documentElement.dataset.theme = chosen;
    try {
      localStorage.setItem("bshm.theme", chosen);
    } catch {
      // Storage is blocked: the choice lasts until the page is left.
    }
    label();
    changed();
    say(t(`say.theme.${chosen}`));
  });
  dark.addEventListener("change", () => {
    label();
    changed();
  });
  onLanguage(label);
  label();
}
