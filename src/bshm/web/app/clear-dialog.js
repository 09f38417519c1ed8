// Removes all pictures, and says where they are kept.

import { t } from "./words.js";

/** @param {HTMLButtonElement} button opens it @param {import("./shelf.js").Shelf} shelf @param {() => void} clear */
export function startClearDialog(button, dialog, shelf, clear) {
  const find = (selector) => dialog.querySelector(selector);
  button.addEventListener("click", () => {
    find("#clear-where").textContent = t(shelf.state === "off" ? "kept.off.text" : "kept.text");
    find("#clear-left").textContent = shelf.left ? t("kept.some", { count: shelf.left }) : "";
    dialog.returnValue = "";
    dialog.showModal();
  });
  find("#clear-cancel").addEventListener("click", () => dialog.close("cancel"));
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "clear") clear();
  });
}
