// The people of a picture, told apart by the server.

import { decode } from "./codec.js";
import { headOf, subjectBox } from "./frame.js";
import { askLayers } from "./server.js";
import { unzip } from "./unzip.js";

const FACE_PX = 120;
// Of a person's shorter side: a head with its shoulders; and what is left above it, of that.
const FACE_SHARE = 0.7;
const FACE_ABOVE = 0.12;

// By the result that they belong to: another model finds others.
const found = new WeakMap();

/**
 * Who is in an entry's picture; the server is asked once.
 *
 * @returns {Promise<{number: number, box: object, alpha: Uint8Array, face: HTMLCanvasElement}[]>} from left to right;
 *   alpha within the box
 * @throws {import("./server.js").Problem}
 */
export function peopleOf(entry) {
  const { result } = entry;
  if (!found.has(result)) {
    const asking = ask(entry);
    found.set(result, asking);
    asking.catch(() => found.delete(result));
  }
  return found.get(result);
}

/** Whether they are known already. */
export function knowsPeople(entry) {
  return found.has(entry.result);
}

async function ask(entry) {
  const files = await unzip(await askLayers(entry.file, entry.model));
  const xml = new DOMParser().parseFromString(await files.get("stack.xml").text(), "text/xml");
  const people = [];
  for (const layer of xml.querySelectorAll("layer")) {
    const person = personOf(await decode(files.get(layer.getAttribute("src"))), Number(layer.getAttribute("name")));
    if (person) people.push(person);
  }
  return people.sort((one, other) => one.number - other.number);
}

function personOf(image, number) {
  const box = subjectBox(image);
  if (!box) return null;
  const alpha = new Uint8Array(box.width * box.height);
  for (let y = 0; y < box.height; y += 1) {
    for (let x = 0; x < box.width; x += 1) {
      alpha[y * box.width + x] = image.data[((box.y + y) * image.width + box.x + x) * 4 + 3];
    }
  }
  return { number, box, alpha, face: faceOf(image, box) };
}

function faceOf(image, box) {
  const whole = new OffscreenCanvas(image.width, image.height);
  whole.getContext("2d").putImageData(new ImageData(image.data, image.width, image.height), 0, 0);
  const head = headOf(image);
  const side = FACE_SHARE * Math.min(box.width, box.height);
  const y = Math.max(0, head.top - FACE_ABOVE * side);
  const x = head.x - side / 2;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = FACE_PX;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(whole, x, y, side, side, 0, 0, FACE_PX, FACE_PX);
  return canvas;
}

/** Takes people out of a cut-out, in place: what is left of each pixel is what the others cover. */
export function without(image, people, off) {
  const stay = people.filter(({ number }) => !off.includes(number));
  for (const { box, alpha } of people.filter(({ number }) => off.includes(number))) {
    for (let row = 0; row < box.height; row += 1) {
      for (let column = 0; column < box.width; column += 1) {
        if (!alpha[row * box.width + column]) continue;
        const [x, y] = [box.x + column, box.y + row];
        const clear = stay.reduce((left, other) => left * (1 - alphaAt(other, x, y) / 255), 1);
        const at = (y * image.width + x) * 4;
        const kept = Math.min(image.data[at + 3], Math.round(255 * (1 - clear)));
        image.data[at + 3] = kept;
        // Colour 0 where nothing is left, as the server writes it.
        if (!kept) image.data.fill(0, at, at + 3);
      }
    }
  }
}

function alphaAt({ box, alpha }, x, y) {
  const [column, row] = [x - box.x, y - box.y];
  const inside = column >= 0 && row >= 0 && column < box.width && row < box.height;
  return inside ? alpha[row * box.width + column] : 0;
}
