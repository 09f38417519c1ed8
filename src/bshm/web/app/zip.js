// A zip without compression: pictures are compressed already.  (PKWARE APPNOTE.TXT 6.3, sections 4.3.7 to 4.3.16.)

import { crc32 } from "./crc.js";

const LIMIT = 0xffffffff;
const UTF8_NAMES = 0x0800;

/**
 * Packs files into one archive.
 *
 * @param {{name: string, blob: Blob}[]} files names may repeat; later ones get " (2)" and so on
 * @param {Date} when the time stamped on each
 * @returns {Promise<Blob>}
 */
export async function zip(files, when = new Date()) {
  const [time, date] = dosTime(when);
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { name, blob } of distinct(files)) {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const encoded = new TextEncoder().encode(name);
    const common = [
      [20, 2], [UTF8_NAMES, 2], [0, 2], [time, 2], [date, 2], [crc32(bytes), 4],
      [bytes.length, 4], [bytes.length, 4], [encoded.length, 2], [0, 2],
    ];
    parts.push(record([[0x04034b50, 4], ...common]), encoded, blob);
    directory.push(
      record([[0x02014b50, 4], [20, 2], ...common, [0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]]),
      encoded,
    );
    offset += 30 + encoded.length + bytes.length;
    if (offset > LIMIT) throw new RangeError("a zip of this kind holds at most 4 GiB");
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const count = files.length;
  const end = record([[0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2], [size, 4], [offset, 4], [0, 2]]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

/** The same files with no name twice. */
function distinct(files) {
  const taken = new Set();
  return files.map(({ name, blob }) => {
    const [, stem, suffix] = /^(.*?)(\.[^.]*)?$/s.exec(name);
    let unique = name;
    for (let n = 2; taken.has(unique.toLowerCase()); n += 1) unique = `${stem} (${n})${suffix ?? ""}`;
    taken.add(unique.toLowerCase());
    return { name: unique, blob };
  });
}

function record(fields) {
  const bytes = new Uint8Array(fields.reduce((sum, [, size]) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [value, size] of fields) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return bytes;
}

function dosTime(when) {
  const time = (when.getHours() << 11) | (when.getMinutes() << 5) | (when.getSeconds() >> 1);
  const date = ((Math.max(when.getFullYear(), 1980) - 1980) << 9) | ((when.getMonth() + 1) << 5) | when.getDate();
  return [time, date];
}
