// A colour by its code and off the screen, beside the browser's own choice.

import { translate } from "./words.js";

/** Adds a code and, where the browser has one, an eyedropper to a colour input; both set it as if it were chosen. */
export function startColourField(input) {
  const code = document.createElement("input");
  code.type = "text";
  code.className = "code";
  code.id = `${input.id}-code`;
  code.maxLength = 20;
  code.spellcheck = false;
  code.autocomplete = "off";
  code.dataset.tName = "background.code";
  const group = document.createElement("span");
  group.className = "colour-field";
  input.replaceWith(group);
  group.append(code, input);
  if (globalThis.EyeDropper) group.append(dropper(input));
  translate(group);

  code.addEventListener("input", () => {
    const colour = hexOf(code.value);
    code.setAttribute("aria-invalid", String(!colour));
    if (colour) give(input, colour);
  });
  // What is no colour goes back to what is.
  code.addEventListener("blur", () => showCode(input));
}

/** Shows the code of a colour, but not over one that is being typed. */
export function showCode(input) {
  const code = document.getElementById(`${input.id}-code`);
  if (!code || code === document.activeElement) return;
  code.value = input.value;
  code.setAttribute("aria-invalid", "false");
}

function dropper(input) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet square";
  button.id = `${input.id}-drop`;
  button.dataset.tLabel = "background.dropper";
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("class", "icon");
  icon.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", "#i-dropper");
  icon.append(use);
  button.append(icon);
  button.addEventListener("click", async () => {
    try {
      const { sRGBHex } = await new EyeDropper().open();
      give(input, hexOf(sRGBHex) || input.value);
    } catch {
      // Left with Escape: the colour stays.
    }
  });
  return button;
}

function give(input, colour) {
  input.value = colour;
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

/** "#1e90ff", "1e9", "30, 144, 255" or "rgb(30, 144, 255)" as #rrggbb; empty where it is no colour. */
export function hexOf(words) {
  const text = words.trim().toLowerCase();
  const short = /^#?([0-9a-f])([0-9a-f])([0-9a-f])$/.exec(text);
  if (short) return `#${short.slice(1).map((digit) => digit + digit).join("")}`;
  const long = /^#?([0-9a-f]{6})$/.exec(text);
  if (long) return `#${long[1]}`;
  const levels = /^(?:rgba?\()?\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})(?:[\s,/]+[\d.]+)?\s*\)?$/.exec(text);
  if (!levels || levels.slice(1).some((level) => Number(level) > 255)) return "";
  return `#${levels.slice(1).map((level) => Number(level).toString(16).padStart(2, "0")).join("")}`;
}
