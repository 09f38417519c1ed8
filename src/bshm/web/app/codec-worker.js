// The worker of codec.js.

import { decodePng, encodePng } from "./png.js";

const TASKS = {
  async decode({ blob }) {
    const output = await decodePng(blob);
    return { output, transfer: [output.data.buffer] };
  },
  async encode({ image, options }) {
    return { output: await encodePng(image, options), transfer: [] };
  },
};

addEventListener("message", async ({ data: { id, task, input } }) => {
  try {
    const { output, transfer } = await TASKS[task](input);
    postMessage({ id, output }, transfer);
  } catch (error) {
    postMessage({ id, reason: error.message });
  }
});
