// PNG in and out with straight alpha.  A canvas would do both, but it stores colours multiplied by alpha: in thin
// hair (alpha 20 of 255) that leaves 20 levels of each colour, and a saved file could never be what the server sent.

import { crc32 } from "./crc.js";

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const CHANNELS = { 0: 1, 2: 3, 4: 2, 6: 4 };
const COLOUR_CHUNKS = new Set(["iCCP", "cICP", "gAMA", "cHRM"]);

/**
 * Reads a PNG of 8 or 16 bits (grey or colour, with or without alpha, not interlaced).
 *
 * @param {Blob} blob
 * @returns {Promise<{width: number, height: number, data: Uint8ClampedArray, density: Uint8Array | null}>}
 *   data: RGBA, 8 bit, straight alpha, sRGB; density: the pHYs chunk's bytes.
 */
export async function decodePng(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const chunks = chunksOf(bytes);
  const header = chunks.find((chunk) => chunk.type === "IHDR").data;
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  const [width, height, depth, type] = [view.getUint32(0), view.getUint32(4), header[8], header[9]];
  const channels = CHANNELS[type];
  if (!channels || (depth !== 8 && depth !== 16) || header[12] !== 0) {
    throw new Error(`PNG of colour type ${type}, ${depth} bit, interlace ${header[12]} is not one the server writes`);
  }
  const packed = new Blob(chunks.filter((chunk) => chunk.type === "IDAT").map((chunk) => chunk.data));
  const rows = await inflate(packed);
  const step = (channels * depth) / 8;
  const expected = height * (width * step + 1);
  if (rows.length < expected) throw new Error(`PNG data ends early: ${rows.length} of ${expected} bytes`);
  unfilter(rows, width * step, height, step);
  const data = toRgba(rows, width, height, channels, depth);
  if (chunks.some((chunk) => COLOUR_CHUNKS.has(chunk.type))) await toSrgb(data, width, height, chunks);
  return { width, height, data, density: chunks.find((chunk) => chunk.type === "pHYs")?.data.slice() ?? null };
}

/**
 * Writes a PNG.
 *
 * @param {{width: number, height: number, data: Uint8ClampedArray}} image RGBA, 8 bit, straight alpha
 * @param {{opaque?: boolean, density?: Uint8Array | null, extra?: {type: string, data: Uint8Array}[]}} options
 *   opaque: leave alpha out; extra: chunks to put before the pixels.
 * @returns {Promise<Blob>}
 */
export async function encodePng({ width, height, data }, { opaque = false, density = null, extra = [] } = {}) {
  const step = opaque ? 3 : 4;
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, opaque ? 2 : 6, 0, 0, 0], 8);
  const packed = await deflate(filterUp(data, width, height, step));
  return new Blob(
    [
      new Uint8Array(SIGNATURE),
      ...chunk("IHDR", header),
      ...extra.flatMap((one) => chunk(one.type, one.data)),
      ...(density ? chunk("pHYs", density) : []),
      ...chunk("IDAT", packed),
      ...chunk("IEND", new Uint8Array(0)),
    ],
    { type: "image/png" },
  );
}

function chunksOf(bytes) {
  if (SIGNATURE.some((value, i) => bytes[i] !== value)) throw new Error("not a PNG");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const chunks = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    chunks.push({ type, data: bytes.subarray(at + 8, at + 8 + length) });
    if (type === "IEND") return chunks;
    at += 12 + length;
  }
  throw new Error("PNG ends early");
}

function chunk(type, data) {
  const name = new TextEncoder().encode(type);
  const length = new Uint8Array(4);
  const sum = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, data.length);
  new DataView(sum.buffer).setUint32(0, crc32(name, data));
  return [length, name, data, sum];
}

async function inflate(blob) {
  const stream = blob.stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function deflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Undoes the row filters in place (PNG specification, section 9). */
function unfilter(rows, stride, height, step) {
  let above = -1;
  for (let y = 0; y < height; y += 1) {
    const start = y * (stride + 1) + 1;
    const end = start + stride;
    const filter = rows[start - 1];
    if (filter === 1) {
      for (let i = start + step; i < end; i += 1) rows[i] += rows[i - step];
    } else if (filter === 2) {
      if (above >= 0) for (let i = start, j = above; i < end; i += 1, j += 1) rows[i] += rows[j];
    } else if (filter === 3) {
      for (let i = start; i < end; i += 1) {
        const left = i - start >= step ? rows[i - step] : 0;
        const up = above >= 0 ? rows[above + i - start] : 0;
        rows[i] += (left + up) >> 1;
      }
    } else if (filter === 4) {
      for (let i = start; i < end; i += 1) {
        const inside = i - start >= step;
        const left = inside ? rows[i - step] : 0;
        const up = above >= 0 ? rows[above + i - start] : 0;
        const corner = inside && above >= 0 ? rows[above + i - start - step] : 0;
        rows[i] += paeth(left, up, corner);
      }
    }
    above = start;
  }
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

function toRgba(rows, width, height, channels, depth) {
  const data = new Uint8ClampedArray(width * height * 4);
  const bytes = depth / 8;
  const step = channels * bytes;
  const colours = channels >= 3;
  const alphaAt = channels === 4 || channels === 2 ? (channels - 1) * bytes : -1;
  // 16 bit: 65535 / 255 = 257, rounded.
  const level =
    depth === 8 ? (at) => rows[at] : (at) => Math.round(((rows[at] << 8) | rows[at + 1]) / 257);
  let out = 0;
  for (let y = 0; y < height; y += 1) {
    let at = y * (width * step + 1) + 1;
    for (let x = 0; x < width; x += 1, at += step, out += 4) {
      data[out] = level(at);
      data[out + 1] = colours ? level(at + bytes) : data[out];
      data[out + 2] = colours ? level(at + 2 * bytes) : data[out];
      data[out + 3] = alphaAt < 0 ? 255 : level(at + alphaAt);
    }
  }
  return data;
}

/** Converts colours in place from the file's own space to sRGB: as an opaque picture, so that nothing is multiplied. */
async function toSrgb(data, width, height, chunks) {
  const extra = chunks.filter((one) => COLOUR_CHUNKS.has(one.type) || one.type === "sRGB");
  const opaque = await encodePng({ width, height, data }, { opaque: true, extra });
  const bitmap = await createImageBitmap(opaque);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const converted = context.getImageData(0, 0, width, height).data;
  for (let i = 0; i < data.length; i += 4) {
    data[i] = converted[i];
    data[i + 1] = converted[i + 1];
    data[i + 2] = converted[i + 2];
  }
}

/** Rows less the row above (filter 2): one cheap filter that makes photographs about a third smaller than none. */
function filterUp(data, width, height, step) {
  const rows = new Uint8Array(height * (width * step + 1));
  let out = 0;
  for (let y = 0; y < height; y += 1) {
    rows[out] = 2;
    out += 1;
    const row = y * width * 4;
    const above = row - width * 4;
    for (let x = 0; x < width * 4; x += 4) {
      for (let c = 0; c < step; c += 1, out += 1) {
        rows[out] = data[row + x + c] - (y ? data[above + x + c] : 0);
      }
    }
  }
  return rows;
}
