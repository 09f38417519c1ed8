// How a picture shall look.  Plain data, so that it can be kept, taken back and copied to other pictures.

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
    // What the server lays around the people.
    finish: {
      preset: "", // a name that the server lists
      heads: false, // that preset frames by the head, so that size and place are its own
      shadow: "none", // none | drop | contact
      opacity: 60, // of the shadow, percent
      placed: false, // whether size and place below count
      scale: 80, // the people's share of the result, percent
      x: 50, // percent from the left and the top
      y: 50,
    },
    edges: {
      grow: 0, // pixels, inwards below 0
      feather: 0, // pixels
      holes: 0, // closed up to this percentage of the people
      islands: 0, // dropped up to this percentage of the largest
    },
    // Of this picture alone, never copied to others.
    turn: { quarters: 0, mirror: false }, // clockwise, then mirrored from left to right
    people: { off: [] }, // numbers from the left
  };
}

export function copyOf(look) {
  return {
    background: { ...look.background },
    crop: { ...look.crop, box: look.crop.box && { ...look.crop.box } },
    finish: { ...look.finish },
    edges: { ...look.edges },
    turn: { ...look.turn },
    people: { off: [...look.people.off] },
  };
}

/** The look of one picture for another: what fits its own picture only stays there. */
export function copyFor(look, own) {
  const { turn, people, crop } = copyOf(own);
  const copied = { ...copyOf(look), turn, people };
  // A frame drawn by hand fits its own picture only.
  if (copied.crop.mode === "custom") copied.crop = crop;
  return copied;
}

/** What the pixels under the strokes are made by, as a text that can be compared. */
export function baseOf({ turn, people, edges }) {
  return JSON.stringify([turn, people, edges]);
}

/** Whether the server finishes it: by a preset, with a shadow, sized and placed. */
export function isFinished({ finish }) {
  return Boolean(finish.preset) || finish.shadow !== "none" || finish.placed;
}

export function changesEdges(edges) {
  return Object.values(edges).some((value) => value !== 0);
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
