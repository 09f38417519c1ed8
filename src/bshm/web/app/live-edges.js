// A mask of the small picture becomes alpha with the edges of the large one: a guided filter in two passes, the second
// with a narrow window over what the first has found; the first runs on the small picture alone.
//
// Source: He, Sun and Tang, "Guided Image Filtering", TPAMI 2013; He and Sun, "Fast Guided Filter", 2015.  The bounds and
// the trust in colour are those of src/bshm/matting/refine/guided_filter.py, which measured them.

import { between, mean, planesOf } from "./live-planes.js";

const FIRST = { radiusPx: 5, smoothPx: 2 };
const AGAIN = { radiusPx: 3, smoothPx: 1 };
// What goes in again is stretched by this on both ends.
const CLEAR = 0.05;
// In squared colour 0..1: a camera's noise is above that of a photograph.
const NOISE = 4e-4;
const STRETCH = 0.02;
const [SURELY_FROM, SURELY_TO] = [0.8, 0.98];
const [HARDLY_FROM, HARDLY_TO] = [0.01, 0.05];

/**
 * @param {ImageData} picture
 * @param {Float32Array} mask 0..1, of the whole picture, height x width
 * @returns {ImageData} of the picture's size: black, with the alpha
 */
export function alphaOf(picture, mask, height, width) {
  const colours = planesOf(picture.data, picture.height, picture.width, height, width);
  const rough = applied(coefficients(colours, mask, height, width, FIRST), colours);
  const clear = rough.map((alpha) => clamp((alpha - CLEAR) / (1 - 2 * CLEAR)));
  return enlarged(picture, coefficients(colours, clear, height, width, AGAIN), height, width);
}

function clamp(value) {
  return Math.min(1, Math.max(0, value));
}

/** What the coefficients say on the small picture itself. */
function applied([red, green, blue, offset, mask], colours) {
  const count = mask.length;
  return mask.map((sure, i) =>
    bounded(
      255 * (red[i] * colours[i] + green[i] * colours[count + i] + blue[i] * colours[2 * count + i]) + offset[i],
      sure,
    ),
  );
}

/** Where the mask is nearly sure, colour may not overrule it. */
function bounded(alpha, sure) {
  const most = (sure - HARDLY_FROM) / (HARDLY_TO - HARDLY_FROM);
  const least = (sure - SURELY_FROM) / (SURELY_TO - SURELY_FROM);
  return clamp(Math.max(Math.min(alpha, most), least));
}

function enlarged(picture, fit, height, width) {
  const out = new ImageData(picture.width, picture.height);
  const rows = between(height, picture.height);
  const columns = between(width, picture.width);
  const next = width > 1 ? 1 : 0;
  const below = height > 1 ? width : 0;
  const { data } = picture;
  // The coefficients of one row, enlarged downwards; each pixel then only goes across.
  const row = Array.from({ length: 5 }, () => new Float32Array(width));
  for (let y = 0; y < picture.height; y += 1) {
    const start = rows.before[y] * width;
    const lower = rows.share[y];
    for (let k = 0; k < 5; k += 1) {
      const plane = fit[k];
      for (let x = 0; x < width; x += 1) {
        const above = plane[start + x];
        row[k][x] = above + lower * (plane[start + x + below] - above);
      }
    }
    const [red, green, blue, offset, wide] = row;
    for (let x = 0; x < picture.width; x += 1) {
      const a = columns.before[x];
      const b = a + next;
      const s = columns.share[x];
      const i = (y * picture.width + x) * 4;
      const sure = wide[a] + s * (wide[b] - wide[a]);
      let alpha = sure > 0.5 ? 1 : 0;
      if (sure > HARDLY_FROM && sure < SURELY_TO) {
        const fitted =
          (red[a] + s * (red[b] - red[a])) * data[i] +
          (green[a] + s * (green[b] - green[a])) * data[i + 1] +
          (blue[a] + s * (blue[b] - blue[a])) * data[i + 2] +
          offset[a] + s * (offset[b] - offset[a]);
        alpha = bounded(fitted, sure);
      }
      out.data[i + 3] = alpha * 255;
    }
  }
  return out;
}

/** Factors of red, green and blue (levels 0..255), the offset, and the mask, as planes. */
function coefficients(colours, mask, height, width, { radiusPx, smoothPx }) {
  const count = height * width;
  const window = (plane) => mean(plane, height, width, radiusPx);
  const product = (a, b) => {
    const out = new Float32Array(count);
    for (let i = 0; i < count; i += 1) out[i] = a[i] * b[i];
    return window(out);
  };
  const planes = [0, 1, 2].map((c) => colours.subarray(c * count, (c + 1) * count).map((value) => value - 0.5));
  const [r, g, b] = planes;
  const [meanR, meanG, meanB, meanP] = [r, g, b, mask].map(window);
  const [rr, rg, rb] = [product(r, r), product(r, g), product(r, b)];
  const [gg, gb, bb] = [product(g, g), product(g, b), product(b, b)];
  const [rp, gp, bp, pp] = [r, g, b, mask].map((plane) => product(plane, mask));
  const fit = Array.from({ length: 4 }, () => new Float32Array(count));
  const trusts = new Float32Array(count);
  const least = NOISE / 2;
  for (let i = 0; i < count; i += 1) {
    const mr = meanR[i];
    const mg = meanG[i];
    const mb = meanB[i];
    const mp = meanP[i];
    // The covariance with the noise on its diagonal, as LDLᵀ.
    const dR = Math.max(rr[i] - mr * mr + NOISE, least);
    const gr = (rg[i] - mr * mg) / dR;
    const br = (rb[i] - mr * mb) / dR;
    const dG = Math.max(gg[i] - mg * mg + NOISE - gr * gr * dR, least);
    const bg = (gb[i] - mg * mb - br * gr * dR) / dG;
    const dB = Math.max(bb[i] - mb * mb + NOISE - br * br * dR - bg * bg * dG, least);
    const cr = rp[i] - mr * mp;
    const cg = gp[i] - mg * mp;
    const cb = bp[i] - mb * mp;
    const yG = cg - gr * cr;
    const aB = (cb - br * cr - bg * yG) / dB;
    const aG = yG / dG - bg * aB;
    const aR = cr / dR - gr * aG - br * aB;
    // How much of the mask colour explains decides how much it counts against the mask itself.
    const explained = (aR * cr + aG * cg + aB * cb) / Math.max(pp[i] - mp * mp, 1e-4);
    const trust = Math.min(Math.max((explained - 0.1) / 0.4, 0), 1);
    trusts[i] = trust;
    fit[0][i] = trust * aR;
    fit[1][i] = trust * aG;
    fit[2][i] = trust * aB;
    fit[3][i] = trust * (mp - aR * mr - aG * mg - aB * mb);
  }
  const [red, green, blue, offset] = fit.map((plane) => mean(plane, height, width, smoothPx));
  const trusted = mean(trusts, height, width, smoothPx);
  const scale = 1 / (1 - 2 * STRETCH);
  for (let i = 0; i < count; i += 1) {
    // Back from centred colour, and from 0..1 to levels.
    const whole = offset[i] + (1 - trusted[i]) * mask[i] - 0.5 * (red[i] + green[i] + blue[i]);
    offset[i] = (whole - STRETCH) * scale;
    red[i] *= scale / 255;
    green[i] *= scale / 255;
    blue[i] *= scale / 255;
  }
  return [red, green, blue, offset, mask];
}
