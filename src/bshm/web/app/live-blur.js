// The whole picture, blurred until neither room nor face can be made out: what is shown while there is no mask to trust.

const SMALL_PX = 16;

const steps = [];

/**
 * Paints a source over the whole canvas of a context, by shrinking it: every browser can do that, not every one has filters.
 *
 * @param {CanvasImageSource} source @param {number} width @param {number} height of the source
 */
export function paintBlurred(context, source, width, height) {
  const { canvas } = context;
  let [from, w, h] = [source, width, height];
  let level = 0;
  const onto = (w2, h2) => {
    const step = (steps[level] ??= new OffscreenCanvas(1, 1));
    level += 1;
    step.width = w2;
    step.height = h2;
    const small = step.getContext("2d");
    small.imageSmoothingQuality = "high";
    small.drawImage(from, 0, 0, w2, h2);
    [from, w, h] = [step, w2, h2];
  };
  const goal = Math.min(1, SMALL_PX / Math.max(w, h));
  const [least, lowest] = [Math.max(1, Math.round(w * goal)), Math.max(1, Math.round(h * goal))];
  while (w > 2 * least || h > 2 * lowest) onto(Math.max(least, w >> 1), Math.max(lowest, h >> 1));
  onto(least, lowest);
  // Twice the size at a time: enlarged at once, squares would show.
  while (w < canvas.width / 4) onto(w * 2, h * 2);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(from, 0, 0, canvas.width, canvas.height);
}
