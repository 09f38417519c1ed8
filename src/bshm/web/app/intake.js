// Pictures on their way in: chosen, dropped (folders too) or pasted.

/** Calls `take(files)` with each lot, and `nothing()` when a drop held no file. */
export function startIntake({ input, veil, take, nothing }) {
  input.addEventListener("change", () => {
    if (input.files.length) take([...input.files]);
    input.value = "";
  });

  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    take(files);
  });

  // Enter and leave fire for every element that is crossed: what counts is their balance.
  let depth = 0;
  const isOwn = () => document.body.dataset.dragging === "out";
  const over = (shown) => (veil.hidden = !shown);
  addEventListener("dragenter", (event) => {
    if (isOwn() || !event.dataTransfer?.types.includes("Files")) return;
    depth += 1;
    over(true);
  });
  addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    over(depth > 0);
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", async (event) => {
    event.preventDefault();
    depth = 0;
    over(false);
    if (isOwn()) return;
    const files = await dropped(event.dataTransfer);
    if (files.length) take(files);
    else nothing();
  });
}

async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const lots = await Promise.all(entries.map((entry) => filesIn(entry, false)));
  return lots.flat();
}

/** The files of a dropped file or folder; within folders only pictures, since they hold much else. */
async function filesIn(entry, nested) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return nested && !file.type.startsWith("image/") ? [] : [file];
  }
  const reader = entry.createReader();
  const files = [];
  // A reader hands out a hundred at a time, and none at the end.
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return files;
    for (const one of some) files.push(...(await filesIn(one, true)));
  }
}
