// Files out of a zip without compression, as OpenRaster files are.  (PKWARE APPNOTE.TXT 6.3, sections 4.3.12 and 4.3.16.)

const END = 0x06054b50;
const END_BYTES = 22;

/**
 * @param {Blob} archive
 * @returns {Promise<Map<string, Blob>>} by their names
 * @throws {Error} it is no such zip
 */
export async function unzip(archive) {
  const bytes = await archive.arrayBuffer();
  const view = new DataView(bytes);
  let end = bytes.byteLength - END_BYTES;
  while (end >= 0 && view.getUint32(end, true) !== END) end -= 1;
  if (end < 0) throw new Error("not a zip");
  const files = new Map();
  let at = view.getUint32(end + 16, true);
  for (let count = view.getUint16(end + 10, true); count > 0; count -= 1) {
    if (view.getUint16(at + 10, true) !== 0) throw new Error("a compressed file in a zip");
    const [size, name] = [view.getUint32(at + 24, true), view.getUint16(at + 28, true)];
    const local = view.getUint32(at + 42, true);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const called = new TextDecoder().decode(new Uint8Array(bytes, at + 46, name));
    files.set(called, new Blob([new Uint8Array(bytes, start, size)]));
    at += 46 + name + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return files;
}
