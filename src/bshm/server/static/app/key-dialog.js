// Asks for an API key, when the server wants one.

import { setKey } from "./server.js";

/** @returns {{ask: () => void}} ask opens the dialog; a key that was given already is then called refused */
export function startKeyDialog(dialog, { given }) {
  const find = (selector) => dialog.querySelector(selector);
  let tried = false;
  find("#key-form").addEventListener("submit", () => {
    tried = true;
    setKey(find("#key").value.trim());
    given();
  });
  find("#key-cancel").addEventListener("click", () => dialog.close());
  return {
    ask() {
      find("#key-refused").hidden = !tried;
      if (!dialog.open) dialog.showModal();
      find("#key").select();
    },
  };
}
