// Pictures that stood behind people in this album, to be taken again at a press.

const MOST = 12;
const THUMB_PX = 96;

let recents = [];

/** Notes a picture (see `pictureOf` of backdrop.js) as the latest one. */
export function note(picture) {
  recents = [picture, ...recents.filter(({ id }) => id !== picture.id)].slice(0, MOST);
}

/** Forgets them all: the album is removed. */
export function forgetRecents() {
  recents = [];
}

/** Draws a button for each into `root`; `choose(picture)` is called with the one that is pressed. */
export function showRecents(root, chosen, choose) {
  root.hidden = recents.length === 0;
  root.replaceChildren(
    ...recents.map((picture) => {
      const button = document.createElement("button");
      button.type = "button";
      button.title = picture.name;
      button.setAttribute("aria-label", picture.name);
      button.setAttribute("aria-pressed", String(picture.id === chosen?.id));
      button.append(thumbOf(picture.bitmap));
      button.addEventListener("click", () => choose(picture));
      return button;
    }),
  );
}

function thumbOf(bitmap) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = THUMB_PX;
  canvas.setAttribute("aria-hidden", "true");
  const side = Math.min(bitmap.width, bitmap.height);
  const [x, y] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2];
  canvas.getContext("2d").drawImage(bitmap, x, y, side, side, 0, 0, THUMB_PX, THUMB_PX);
  return canvas;
}
