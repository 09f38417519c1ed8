// Arithmetic on planes: shrinking by area, enlarging, means over windows.

/**
 * Planes of red, green and blue, 0..1, of a picture's bytes, shrunk by area.
 *
 * @param {Uint8ClampedArray} data RGBA
 * @returns {Float32Array} three planes of outHeight x outWidth, one after the other
 */
export function planesOf(data, height, width, outHeight, outWidth) {
  const across = spans(width, outWidth);
  const down = spans(height, outHeight);
  const count = outHeight * outWidth;
  const out = new Float32Array(3 * count);
  const row = new Float32Array(outWidth * 3);
  for (let y = 0; y < outHeight; y += 1) {
    for (let at = down.from[y]; at < down.to[y]; at += 1) {
      const share = covered(at, y, down.step) / (255 * down.step * across.step);
      row.fill(0);
      for (let x = 0; x < outWidth; x += 1) {
        for (let from = across.from[x]; from < across.to[x]; from += 1) {
          const weight = covered(from, x, across.step);
          const i = (at * width + from) * 4;
          row[x * 3] += weight * data[i];
          row[x * 3 + 1] += weight * data[i + 1];
          row[x * 3 + 2] += weight * data[i + 2];
        }
      }
      for (let x = 0; x < outWidth; x += 1) {
        const i = y * outWidth + x;
        out[i] += share * row[x * 3];
        out[count + i] += share * row[x * 3 + 1];
        out[2 * count + i] += share * row[x * 3 + 2];
      }
    }
  }
  return out;
}

/** Which of `length` pixels each of `outLength` covers, at least in part. */
function spans(length, outLength) {
  const step = length / outLength;
  const from = new Int32Array(outLength);
  const to = new Int32Array(outLength);
  for (let i = 0; i < outLength; i += 1) {
    from[i] = Math.floor(i * step + 1e-6);
    to[i] = Math.min(length, Math.ceil((i + 1) * step - 1e-6));
  }
  return { from, to, step };
}

/** How much of pixel `at` lies within the span of pixel `i`. */
function covered(at, i, step) {
  return Math.min(at + 1, (i + 1) * step) - Math.max(at, i * step);
}

/** The mean over each pixel's window, the edges repeated, as a new plane. */
export function mean(plane, height, width, radius) {
  const middle = new Float32Array(plane.length);
  const out = new Float32Array(plane.length);
  for (let y = 0; y < height; y += 1) runningMean(plane, middle, y * width, 1, width, radius);
  for (let x = 0; x < width; x += 1) runningMean(middle, out, x, width, height, radius);
  return out;
}

function runningMean(plane, out, start, step, count, radius) {
  const last = start + (count - 1) * step;
  const share = 1 / (2 * radius + 1);
  let sum = (radius + 1) * plane[start];
  for (let i = 1; i <= radius; i += 1) sum += plane[Math.min(start + i * step, last)];
  let enters = start + (radius + 1) * step;
  let leaves = start - radius * step;
  for (let at = start; at <= last; at += step) {
    out[at] = sum * share;
    sum += plane[enters < last ? enters : last] - plane[leaves > start ? leaves : start];
    enters += step;
    leaves += step;
  }
}

/** For enlarging with half-pixel centres: the small pixel before each large one's middle, and the share of the next. */
export function between(small, large) {
  const before = new Int32Array(large);
  const share = new Float32Array(large);
  for (let i = 0; i < large; i += 1) {
    const at = Math.min(Math.max(((i + 0.5) * small) / large - 0.5, 0), small - 1);
    before[i] = Math.min(Math.floor(at), Math.max(0, small - 2));
    share[i] = small > 1 ? at - before[i] : 0;
  }
  return { before, share };
}
