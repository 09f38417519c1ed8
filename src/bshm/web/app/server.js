// The one door to the server.

/** What went wrong, in words that can be shown. */
export class Problem extends Error {
  /** @param {{kind: "server" | "offline" | "key" | "answer", title?: string, detail?: string, status?: number,
   *   code?: string}} what code: the stable last word of the problem's type */
  constructor({ kind, title = "", detail = "", status = 0, code = "" }) {
    super(detail || title || kind);
    this.kind = kind;
    this.title = title;
    this.detail = detail;
    this.status = status;
    this.code = code;
  }

  /** Whether the same picture may go through another time: not where the server refused the picture itself. */
  get mayPass() {
    return this.kind !== "server" || !REFUSES_THE_PICTURE.has(this.status);
  }
}

const REFUSES_THE_PICTURE = new Set([413, 415, 422]);
const BUSY = new Set([429, 503]);
// A server that stays busy for this many answers in a row is out of order; the person decides then.
const TRIES_WHEN_BUSY = 20;
const DEFAULT_WAIT_S = 2;
const LONGEST_WAIT_S = 120;

let apiKey = sessionStorageGet("bshm.key") ?? "";

export function setKey(key) {
  apiKey = key;
  try {
    sessionStorage.setItem("bshm.key", key);
  } catch {
    // Storage is blocked: the key lasts until the page is left.
  }
}

function sessionStorageGet(name) {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

/**
 * Asks for the cut-out of one picture; waits and asks again while the server is busy.
 *
 * @param {File} file
 * @param {object} hooks
 * @param {string} hooks.model the model's name; empty for the server's own choice
 * @param {AbortSignal} hooks.signal ends it
 * @param {(share: number) => void} hooks.onUpload 0..1
 * @param {(seconds: number) => void} hooks.onWait called each second while waiting, and with 0 after it
 * @returns {Promise<{blob: Blob, empty: boolean, model: string, device: string, milliseconds: number | null,
 *   verdict: {score: number, reasons: {code: string, box: number[]}[]} | null}>}
 * @throws {Problem}
 */
export async function cutOut(file, { model, signal, onUpload, onWait }) {
  return result(await sent("matte", formOf({ image: file, model }), { signal, onUpload, onWait }));
}

/**
 * Asks for the people of a picture, told apart.
 *
 * @param {File} file @param {string} model its name; empty for the server's own choice
 * @returns {Promise<Blob>} an OpenRaster file, a layer a person
 * @throws {Problem}
 */
export async function askLayers(file, model) {
  const { blob, header } = await sent("matte", formOf({ image: file, model, format: "ora" }));
  if (header("Content-Type") !== "image/openraster") throw new Problem({ kind: "answer" });
  return blob;
}

/**
 * Asks for a finished picture of a cut-out.
 *
 * @param {Record<string, string | Blob>} fields see the service's POST /finish
 * @returns {Promise<{blob: Blob, width: number, height: number, notes: string[], check: object | null}>}
 * @throws {Problem}
 */
export async function finish(fields) {
  const { blob, header } = await sent("finish", formOf(fields));
  if (!(header("Content-Type") ?? "").startsWith("image/")) throw new Problem({ kind: "answer" });
  return {
    blob,
    width: Number(header("X-Width")),
    height: Number(header("X-Height")),
    notes: (header("X-Bshm-Notes") ?? "").split("; ").filter(Boolean),
    check: parsed(header("X-Bshm-Check")),
  };
}

function formOf(fields) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof File) form.append(name, value, value.name);
    else if (value instanceof Blob) form.append(name, value, `${name}.png`);
    else if (value) form.append(name, value);
  }
  return form;
}

function parsed(json) {
  try {
    return JSON.parse(json ?? "null");
  } catch {
    return null;
  }
}

const nothing = () => {};

async function sent(path, form, hooks = {}) {
  const { signal = new AbortController().signal, onUpload = nothing, onWait = nothing } = hooks;
  for (let attempt = 1; ; attempt += 1) {
    const answer = await post(path, form, signal, onUpload);
    if (answer.status === 200) return answer;
    if (answer.status === 401) throw await problem(answer, "key");
    if (!BUSY.has(answer.status) || attempt >= TRIES_WHEN_BUSY) throw await problem(answer, "server");
    await wait(retryAfter(answer.header("Retry-After")), signal, onWait);
  }
}

function post(path, form, signal, onUpload) {
  return new Promise((resolve, reject) => {
    // XMLHttpRequest, because fetch tells nothing while a large photo travels up a slow line.
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = "blob";
    request.setRequestHeader("Accept", "image/*, application/problem+json");
    if (apiKey) request.setRequestHeader("X-Api-Key", apiKey);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable && event.total) onUpload(event.loaded / event.total);
    });
    request.addEventListener("load", () =>
      resolve({ status: request.status, blob: request.response, header: (name) => request.getResponseHeader(name) }),
    );
    request.addEventListener("error", () => reject(new Problem({ kind: "offline" })));
    request.addEventListener("abort", () => reject(new DOMException("given up", "AbortError")));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    if (signal.aborted) reject(new DOMException("given up", "AbortError"));
    else request.send(form);
  });
}

function result({ blob, header }) {
  if (!(header("Content-Type") ?? "").startsWith("image/")) throw new Problem({ kind: "answer" });
  return {
    blob,
    empty: header("X-Bshm-Empty") === "true",
    model: header("X-Bshm-Model") ?? "",
    device: header("X-Bshm-Device") ?? "",
    milliseconds: duration(header("Server-Timing")),
    verdict: parsed(header("X-Bshm-Verdict")),
  };
}

/** The total of a Server-Timing header, or the sum of its stages, in milliseconds. */
export function duration(timing) {
  if (!timing) return null;
  const stages = timing.split(",").map((stage) => {
    const found = /;\s*dur\s*=\s*"?([\d.]+)/.exec(stage);
    return { name: stage.split(";")[0].trim(), value: found ? Number(found[1]) : 0 };
  });
  const total = stages.find((stage) => stage.name === "total");
  return total ? total.value : stages.reduce((sum, stage) => sum + stage.value, 0);
}

async function problem({ status, blob, header }, kind) {
  const said = { kind, status };
  if ((header("Content-Type") ?? "").includes("json")) {
    try {
      const { type, title, detail } = JSON.parse(await blob.text());
      if (typeof type === "string") said.code = type.slice(type.lastIndexOf(":") + 1);
      if (typeof title === "string") said.title = title;
      if (typeof detail === "string") said.detail = detail;
    } catch {
      // Not JSON after all (a proxy's page): the status alone is told.
    }
  }
  return new Problem(said);
}

/**
 * Which models the server has.
 *
 * @returns {Promise<{default: string, models: {name: string, purpose: string}[]} | null>} null where it does not say:
 *   it wants a key first, or cannot be reached
 */
export async function listModels() {
  const found = await listed("models");
  return Array.isArray(found?.models) ? found : null;
}

/** What shops and offices ask of a picture, as the server lists it; null where it does not say. */
export async function listPresets() {
  const found = await listed("presets");
  return Array.isArray(found?.presets) ? found.presets : null;
}

async function listed(path) {
  try {
    const answer = await fetch(path, { headers: apiKey ? { "X-Api-Key": apiKey } : {} });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

/** Seconds to wait by a Retry-After header, which is a number of seconds or a date. */
export function retryAfter(value, now = Date.now()) {
  if (!value) return DEFAULT_WAIT_S;
  const seconds = /^\d+$/.test(value.trim()) ? Number(value) : (Date.parse(value) - now) / 1000;
  if (!Number.isFinite(seconds)) return DEFAULT_WAIT_S;
  return Math.min(Math.max(Math.ceil(seconds), 1), LONGEST_WAIT_S);
}

function wait(seconds, signal, onWait) {
  return new Promise((resolve, reject) => {
    let left = seconds;
    onWait(left);
    const timer = setInterval(() => {
      left -= 1;
      onWait(Math.max(left, 0));
      if (left <= 0) finish(resolve);
    }, 1000);
    const stop = () => finish(() => reject(new DOMException("given up", "AbortError")));
    function finish(then) {
      clearInterval(timer);
      signal.removeEventListener("abort", stop);
      then();
    }
    signal.addEventListener("abort", stop);
  });
}
