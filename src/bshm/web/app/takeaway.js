// The finished picture to other programs: by the clipboard, and dragged out of the page.

import { fileOf } from "./output.js";
import { tell } from "./say.js";
import { t } from "./words.js";

/**
 * @param {{copy: HTMLButtonElement, drag: HTMLElement}} parts
 * @param {() => {entry: object, format: string, open: object | null} | null} current what would be downloaded
 */
export function startTakeaway({ copy, drag }, current) {
  // Browsers give the clipboard to pages of HTTPS and of this machine only.
  copy.hidden = !(globalThis.ClipboardItem && navigator.clipboard?.write);
  copy.addEventListener("click", () => copyNow(copy, current));

  let ready = null;
  const prepare = async () => {
    const now = current();
    if (!now) return;
    const text = JSON.stringify([now.entry.key, now.format, now.entry.look, now.entry.strokes.length]);
    if (ready?.text === text) return;
    forget();
    const next = { text, file: null, url: "" };
    ready = next;
    try {
      const { name, blob } = await fileOf(now.entry, now.format, now.open);
      next.file = new File([blob], name, { type: blob.type });
      next.url = URL.createObjectURL(blob);
      drag.dataset.ready = name;
    } catch (error) {
      console.warn(error);
      if (ready === next) ready = null;
    }
  };
  const forget = () => {
    if (ready?.url) URL.revokeObjectURL(ready.url);
    ready = null;
    delete drag.dataset.ready;
  };
  // A drag cannot wait for its file: it is made while the pointer comes near.
  for (const type of ["pointerenter", "pointerdown"]) drag.addEventListener(type, prepare);
  drag.addEventListener("dragstart", (event) => {
    if (!ready?.file) {
      event.preventDefault();
      tell(t("drag.wait"));
      return;
    }
    const { file, url } = ready;
    // What leaves the page is no picture that comes in, see intake.js.
    document.body.dataset.dragging = "out";
    event.dataTransfer.effectAllowed = "copy";
    event.dataTransfer.setData("DownloadURL", `${file.type}:${file.name}:${url}`);
    event.dataTransfer.items.add(file);
  });
  drag.addEventListener("dragend", () => delete document.body.dataset.dragging);
}

async function copyNow(button, current) {
  const now = current();
  if (!now || button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    // Handed over as a promise: the press would be forgotten until the file is made.
    const making = fileOf(now.entry, "png", now.open).then(({ blob }) => asPng(blob));
    await navigator.clipboard.write([new ClipboardItem({ "image/png": making })]);
    tell(t("copy.done"));
  } catch (error) {
    console.info(error);
    tell(t("copy.failed"));
  } finally {
    button.setAttribute("aria-busy", "false");
  }
}

/** Clipboards take PNG alone. */
async function asPng(blob) {
  if (blob.type === "image/png") return blob;
  const bitmap = await createImageBitmap(blob);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/png" });
}
