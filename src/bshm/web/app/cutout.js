// The cut-out that strokes go on: the server's, with the people who stay and the edges that are wanted.

import { decode, encode } from "./codec.js";
import { changesEdges } from "./look.js";
import { peopleOf, without } from "./people.js";
import { finish } from "./server.js";

// What the server made of edges, by entry: {key, result, blob}.
const edged = new WeakMap();

/**
 * @param {object} entry that is done
 * @returns {Promise<{width: number, height: number, data: Uint8ClampedArray}>}
 * @throws {import("./server.js").Problem} the server cannot tell people apart or change edges now
 */
export async function cutoutOf(entry) {
  const { people, edges } = entry.look;
  const image = await decode(entry.result.blob);
  if (people.off.length) without(image, await peopleOf(entry), people.off);
  return changesEdges(edges) ? decode(await edgedBlob(entry, image)) : image;
}

async function edgedBlob(entry, image) {
  const { people, edges } = entry.look;
  const key = JSON.stringify([people, edges]);
  const known = edged.get(entry);
  if (known?.key === key && known.result === entry.result) return known.blob;
  const plain = people.off.length === 0;
  const cut = plain ? entry.result.blob : await encode(image, { opaque: false, density: image.density });
  const { result } = entry;
  const { blob } = await finish({
    image: cut,
    format: "png",
    grow: edges.grow && String(edges.grow),
    feather: edges.feather && String(edges.feather),
    fill_holes: edges.holes && `${edges.holes}%`,
    drop_islands: edges.islands && `${edges.islands}%`,
  });
  edged.set(entry, { key, result, blob });
  return blob;
}
