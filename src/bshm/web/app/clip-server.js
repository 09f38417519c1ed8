// What the Video tab asks of the server: clips as jobs.

import { ask, formOf, hasKey, Problem, sent } from "./server.js";

/**
 * What the server offers.
 *
 * @returns {Promise<{offered: boolean, why: string | null, max_bytes: number, max_seconds: number,
 *   max_background_bytes: number, codecs: string[]}>} the limits only where clips are offered
 * @throws {Problem}
 */
export async function offers() {
  const { videos } = await jsonOf(await ask("capabilities"));
  if (typeof videos?.offered !== "boolean") throw new Problem({ kind: "answer" });
  return videos;
}

/**
 * Sends a clip.
 *
 * @param {Record<string, string | Blob>} fields of POST /videos
 * @param {{signal: AbortSignal, onUpload: (share: number) => void, onWait: (seconds: number) => void}} hooks as
 *   `cutOut` of server.js has them
 * @returns {Promise<object>} the job as the server describes it
 * @throws {Problem}
 */
export async function sendClip(fields, hooks) {
  // A request that is sent once more makes no second clip.
  const once = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0"));
  const form = formOf({ ...fields, idempotency_key: once.join("") });
  const { blob } = await sent("videos", form, { ...hooks, accept: "application/json, application/problem+json" });
  return jobOf(new Response(blob));
}

/** How far a clip is. @param {string} id @throws {Problem} */
export async function lookAtClip(id) {
  return jobOf(await ask(`videos/${id}`));
}

/** Stops a clip and deletes all of it. @param {string} id @throws {Problem} */
export async function deleteClip(id) {
  await ask(`videos/${id}`, { method: "DELETE" });
}

/**
 * Where a browser gets a result from: the server's own address, read in parts, or a copy where a key has to be shown.
 *
 * @param {string} id @param {string} product a key of the job's `results` @throws {Problem}
 */
export async function placeOfResult(id, product) {
  const place = `videos/${id}/results/${product}`;
  if (!hasKey()) return place;
  return URL.createObjectURL(await (await ask(place)).blob());
}

async function jobOf(answer) {
  const job = await jsonOf(answer);
  if (!/^[\w-]{1,200}$/.test(job?.id ?? "") || typeof job.state !== "string") throw new Problem({ kind: "answer" });
  return job;
}

async function jsonOf(answer) {
  try {
    return await answer.json();
  } catch {
    throw new Problem({ kind: "answer" });
  }
}
