// Tells what happened: to screen readers in a live region, to eyes in a toast.

const region = document.querySelector("#say");
const toast = document.querySelector("#toast");
const TOAST_MS = 4500;

let timer = 0;

/** Said by screen readers only. */
export function say(words) {
  region.textContent = words;
}

/** Said and shown for a moment. */
export function tell(words) {
  say(words);
  toast.textContent = words;
  toast.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => (toast.hidden = true), TOAST_MS);
}
