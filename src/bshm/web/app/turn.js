// Quarter turns and mirror images, of pixels and of what lies on them.

/** @param {{width: number, height: number, data: Uint8ClampedArray}} image RGBA; itself where nothing is turned */
export function turnedImage(image, { quarters, mirror }) {
  if (!quarters && !mirror) return image;
  const { width, height } = image;
  const size = quarters % 2 ? { width: height, height: width } : { width, height };
  const from = new Uint32Array(image.data.buffer, image.data.byteOffset, width * height);
  const to = new Uint32Array(width * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [tx, ty] = placeOf([x, y], { width: width - 1, height: height - 1 }, { quarters, mirror });
      to[ty * size.width + tx] = from[y * width + x];
    }
  }
  return { ...image, ...size, data: new Uint8ClampedArray(to.buffer) };
}

/** The original in the same way; it is closed where a new one is made. */
export async function turnedBitmap(bitmap, { quarters, mirror }) {
  if (!quarters && !mirror) return bitmap;
  const { width, height } = bitmap;
  const canvas = quarters % 2 ? new OffscreenCanvas(height, width) : new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.translate(canvas.width / 2, canvas.height / 2);
  context.scale(mirror ? -1 : 1, 1);
  context.rotate((quarters * Math.PI) / 2);
  context.drawImage(bitmap, -width / 2, -height / 2);
  bitmap.close();
  return createImageBitmap(canvas);
}

/** Where a point of the unturned picture of `size` is after the turn. */
export function placeOf([x, y], size, { quarters, mirror }) {
  const { width, height } = size;
  const turned = [
    [x, y],
    [height - y, x],
    [width - x, height - y],
    [y, width - x],
  ][quarters];
  return mirror ? [(quarters % 2 ? height : width) - turned[0], turned[1]] : turned;
}

/** A box of the unturned picture of `size`, after the turn. */
export function boxAfter({ x, y, width, height }, size, turn) {
  const [x0, y0] = placeOf([x, y], size, turn);
  const [x1, y1] = placeOf([x + width, y + height], size, turn);
  return { x: Math.min(x0, x1), y: Math.min(y0, y1), width: Math.abs(x1 - x0), height: Math.abs(y1 - y0) };
}

const STEPS = {
  left: { quarters: 3, mirror: false },
  right: { quarters: 1, mirror: false },
  mirror: { quarters: 0, mirror: true },
};

/**
 * Turns an entry further, with its frame and strokes.
 *
 * @param {object} entry of album.js @param {"left" | "right" | "mirror"} which
 * @param {{width: number, height: number}} size of the picture as it lies now
 */
export function turnEntry(entry, which, size) {
  const step = STEPS[which];
  const { turn, crop } = entry.look;
  // After a mirror image a turn goes the other way round.
  const quarters = turn.mirror ? -step.quarters : step.quarters;
  entry.look.turn = { quarters: (turn.quarters + quarters + 4) % 4, mirror: turn.mirror !== step.mirror };
  if (crop.box) crop.box = boxAfter(crop.box, size, step);
  entry.strokes = entry.strokes.map((stroke) => ({
    ...stroke,
    points: stroke.points.map((point) => placeOf(point, size, step)),
  }));
}
