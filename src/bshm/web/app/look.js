// How a picture shall look: its background and its frame.  Plain data, so that it can be copied to other pictures.

/** Nothing changed: transparent, the whole picture. */
export function plainLook() {
  return {
    background: {
      kind: "none", // none | colour | gradient | picture | blur
      colour: "#ffffff",
      from: "#f3e7dc",
      to: "#c9d6df",
      angle: 160,
      picture: null, // {bitmap: ImageBitmap, name, file: Blob, id}
      blur: 2, // strength: standard deviation in percent of the longer side
    },
    crop: {
      mode: "whole", // whole | subject | custom
      aspect: "free", // a name in ASPECTS
      margin: 0, // percent of the longer side of what is framed
      box: null, // {x, y, width, height} in pixels of the picture, for custom
    },
  };
}

export function copyOf(look) {
  return { background: { ...look.background }, crop: { ...look.crop, box: look.crop.box && { ...look.crop.box } } };
}

/** Width divided by height. `original` is filled in by the picture. */
export const ASPECTS = {
  free: null,
  original: "original",
  "1:1": 1,
  "4:5": 4 / 5,
  "3:4": 3 / 4,
  "35:45": 35 / 45,
  "9:16": 9 / 16,
  "16:9": 16 / 9,
  "3:2": 3 / 2,
};

export function ratioOf(aspect, size) {
  const ratio = ASPECTS[aspect];
  return ratio === "original" ? size.width / size.height : ratio;
}

/** Whether the frame is just the picture. */
export function framesWhole(crop) {
  return crop.mode === "whole" && crop.aspect === "free" && crop.margin === 0;
}
