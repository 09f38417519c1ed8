// Asks for an API key, when the server wants one.

import { setKey } from "./server.js";

/**
 * Calls `given()` after a key, `refused()` after none.
 *
 * @returns {{ask: () => void}} ask opens the dialog; a key that was given already is then called refused
 */
export function startKeyDialog(dialog, { given, refused }) {
  const find = (selector) => dialog.querySelector(selector);
  let tried = false;
  find("#key-form").addEventListener("submit", () => {
    tried = true;
    setKey(find("#key").value.trim());
    given();
  });
  find("#key-cancel").addEventListener("click", () => dialog.close("cancel"));
  // By the button or by Escape.
  dialog.addEventListener("close", () => {
    if (dialog.returnValue !== "given") refused();
  });
  return {
    ask() {
      find("#key-refused").hidden = !tried;
      if (dialog.open) return;
      dialog.returnValue = "";
      dialog.showModal();
      find("#key").select();
    },
  };
}
