// `bshm-live` in the browser: prepared, checked and run as src/bshm/matting/networks/mask.py does on a server.

const RUNTIME = "../vendor/onnxruntime-web/";
const WEIGHTS = "../web-weights/bshm-live";
const KNOWN = "live-known.json";
const SMALLEST_SIDE = 64;
const LONGEST_FACTOR = 4;
// Single precision differs from machine to machine by a few millionths; half precision by more than this.
const TOLERANCE = 0.005;
// All that the page knows how to do; another card wants another page.
const UNDERSTOOD = { mirrored: false, closer_px: 0, layout: "NCHW", order: "RGB", size_hw: null, shortest_px: 0 };

/** The network answers, but not what it should. */
export class WrongAnswerError extends Error {}

/**
 * Height and width that the network gets of a picture: `whole_picture_size` of src/bshm/geometry.py.
 *
 * @returns {[number, number]}
 */
export function networkSize(height, width, sidePx, multiplePx) {
  const scale = sidePx / Math.sqrt(height * width);
  const longest = Math.max(SMALLEST_SIDE, roundHalfEven((LONGEST_FACTOR * sidePx) / multiplePx) * multiplePx);
  const side = (length) =>
    Math.min(longest, Math.max(SMALLEST_SIDE, roundHalfEven((length * scale) / multiplePx) * multiplePx));
  return [side(height), side(width)];
}

function roundHalfEven(value) {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 === 0 ? low : low + 1;
}

export class Network {
  #ort;
  #session;

  /**
   * Opens the network and sees that it answers as it should.
   *
   * @param {{threads: number}} options threads of WebAssembly; more than one needs an isolated page
   * @throws {WrongAnswerError} its answer to the known picture is another
   */
  static async open({ threads }) {
    const network = new Network();
    await network.#open(threads);
    await network.#check();
    return network;
  }

  async #open(threads) {
    this.#ort = await import(`${RUNTIME}ort.wasm.min.mjs`);
    const { env } = this.#ort;
    env.wasm.wasmPaths = new URL(RUNTIME, import.meta.url).href;
    env.wasm.numThreads = threads;
    const card = await (await fetched(`${WEIGHTS}.json`)).json();
    const { preprocessing, look } = card.networks.mask;
    const rules = { ...preprocessing, ...look };
    for (const [name, value] of Object.entries(UNDERSTOOD)) {
      if (name in rules && rules[name] !== value) throw new Error(`this page knows no ${name}`);
    }
    if ([...preprocessing.mean, ...preprocessing.std].join() !== "0,0,0,1,1,1") throw new Error("this page knows no mean");
    this.sidePx = look.side_px;
    this.multiplePx = preprocessing.multiple_px;
    const weights = await (await fetched(`${WEIGHTS}.onnx`)).arrayBuffer();
    this.#session = await this.#ort.InferenceSession.create(weights, {
      executionProviders: ["wasm"],
      // A thread that waits for work by spinning would take the time of the camera and of the call.
      extra: { session: { intra_op: { allow_spinning: "0" } } },
    });
  }

  async #check() {
    const { size_hw: size, pixels, expected } = await (await fetched(KNOWN)).json();
    const bytes = Uint8Array.from(atob(pixels), (letter) => letter.charCodeAt(0));
    const input = new Float32Array(bytes.length);
    const count = size[0] * size[1];
    for (let i = 0; i < count; i += 1) {
      for (let c = 0; c < 3; c += 1) input[c * count + i] = bytes[i * 3 + c] / 255;
    }
    const { mask } = await this.look(input, size);
    for (const [index, value] of expected) {
      // Written so that NaN fails, too.
      if (!(Math.abs(mask[index] - value) <= TOLERANCE)) {
        throw new WrongAnswerError(`value ${index} of the known picture is ${mask[index]}, and should be ${value}`);
      }
    }
  }

  /**
   * Where the people are.
   *
   * @param {Float32Array} input planes of red, green and blue, 0..1
   * @param {[number, number]} size its height and width
   * @returns {Promise<{mask: Float32Array, height: number, width: number}>} mask: 0..1, coarser than the input
   */
  async look(input, [height, width]) {
    const image = new this.#ort.Tensor("float32", input, [1, 3, height, width]);
    const { mask } = await this.#session.run({ image });
    return { mask: mask.data, height: mask.dims[2], width: mask.dims[3] };
  }
}

async function fetched(address) {
  const answer = await fetch(new URL(address, import.meta.url));
  if (!answer.ok) throw new Error(`${address}: status ${answer.status}`);
  return answer;
}
