// Keeps the album in this browser, so that a reload loses nothing.  An album belongs to its tab: other tabs, and whoever
// opens the page next, start empty.

import { plainLook } from "./look.js";

const DATABASE = "bshm";
const ALBUM = "bshm.album";
const OPENED = "bshm.open";
// Originals and cut-outs together.  Browsers give an address more than this, mostly a share of the free disk.
const MOST_BYTES = 512 * 2 ** 20;
// What closed tabs left behind goes at the first visit after this; open ones say each hour that they are there.
const LEFT_BEHIND_MS = 24 * 3600_000;
const TOUCH_MS = 3600_000;
// Several changes in a row (a slider that is dragged) are written once.
const PAUSE_MS = 150;
// A storage that does not answer must not keep the page from its work.
const OPEN_MS = 4000;

/** Event: "change" (see `state`). */
export class Shelf extends EventTarget {
  #mostBytes;
  #database = null;
  #album = "";
  #kept = new Map();
  #left = new Set();
  #dirty = new Set();
  #timer = 0;
  #writing = Promise.resolve();
  #busy = 0;

  /** @param {{mostBytes?: number}} options mostBytes: how much is kept at most */
  constructor({ mostBytes = MOST_BYTES } = {}) {
    super();
    this.#mostBytes = mostBytes;
    this.ready = this.#open();
    addEventListener("pagehide", () => this.#flush());
    document.addEventListener("visibilitychange", () => document.hidden && this.#flush());
    setInterval(() => this.#touch(), TOUCH_MS);
  }

  /** "off": the browser stores nothing for this page; "saving"; "all" is kept; "some": there was no room for more. */
  get state() {
    if (!this.#database) return "off";
    if (this.#busy || this.#dirty.size) return "saving";
    return this.#left.size ? "some" : "all";
  }

  /** How many pictures are not kept. */
  get left() {
    return this.#left.size;
  }

  /**
   * What this tab's album held, in order.
   *
   * @returns {Promise<object[]>} records as `keep` takes them, with `background.picture` as {name, file, id}
   */
  async load() {
    await this.ready;
    if (!this.#database) return [];
    try {
      const { pictures, blobs } = await this.#read();
      const found = pictures.map((record) => restored(record, blobs)).filter(Boolean);
      for (const record of found) this.#count(record.key, sizesOf(record));
      this.#forget(blobs);
      return found;
    } catch (error) {
      this.#off(error);
      return [];
    }
  }

  /** Writes an entry as it is now, in a moment. */
  keep(entry) {
    this.#dirty.add(entry);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#flush(), PAUSE_MS);
    this.#changed();
  }

  remove(entry) {
    this.#dirty.delete(entry);
    this.#left.delete(entry);
    this.#write(async () => {
      const names = this.#kept.get(entry.key);
      this.#kept.delete(entry.key);
      await this.#transaction((store) => {
        store("pictures").delete([this.#album, entry.key]);
        for (const name of names?.keys() ?? []) {
          if (!name.startsWith("backdrop/")) store("blobs").delete([this.#album, name]);
        }
      });
      // There is room again for what found none.
      for (const other of [...this.#left]) this.keep(other);
    });
  }

  clear() {
    this.#dirty.clear();
    this.#left.clear();
    this.#kept.clear();
    this.#write(() => this.#drop([this.#album]));
  }

  /** Which picture is on the stage, by its key. */
  get opened() {
    return session(OPENED);
  }

  set opened(key) {
    session(OPENED, key);
  }

  // ---- the storage ----

  async #open() {
    try {
      this.#album = session(ALBUM) ?? randomName();
      // Where a tab remembers nothing its album would never be found again.
      if (session(ALBUM, this.#album) !== this.#album) return;
      this.#database = await inTime(openDatabase());
      await this.#touch();
      await this.#drop(await this.#leftBehind());
    } catch (error) {
      this.#off(error);
    }
    this.#changed();
  }

  #off(error) {
    console.info("bshm: the pictures are not kept over a reload:", error);
    this.#database = null;
    this.#changed();
  }

  async #touch() {
    if (!this.#database) return;
    await this.#transaction((store) => store("albums").put({ id: this.#album, touched: Date.now() }));
  }

  async #leftBehind() {
    let albums = [];
    await this.#transaction((store) => {
      store("albums").getAll().onsuccess = ({ target }) => (albums = target.result);
    });
    return albums.filter(({ touched }) => Date.now() - touched > LEFT_BEHIND_MS).map(({ id }) => id);
  }

  async #drop(albums) {
    if (!albums.length) return;
    await this.#transaction((store) => {
      for (const id of albums) {
        store("pictures").delete(allOf(id));
        store("blobs").delete(allOf(id));
        if (id !== this.#album) store("albums").delete(id);
      }
    });
  }

  async #read() {
    let pictures = [];
    let blobs = [];
    await this.#transaction((store) => {
      store("pictures").getAll(allOf(this.#album)).onsuccess = ({ target }) => (pictures = target.result);
      store("blobs").getAll(allOf(this.#album)).onsuccess = ({ target }) => (blobs = target.result);
    });
    return { pictures, blobs: new Map(blobs.map(({ name, blob }) => [name, blob])) };
  }

  /** Deletes what no picture needs any more: backgrounds that were changed for others. */
  #forget(blobs) {
    const needed = new Set([...this.#kept.values()].flatMap((sizes) => [...sizes.keys()]));
    const names = [...blobs.keys()].filter((name) => !needed.has(name));
    if (!names.length) return;
    this.#write(() =>
      this.#transaction((store) => {
        for (const name of names) store("blobs").delete([this.#album, name]);
      }),
    );
  }

  #flush() {
    clearTimeout(this.#timer);
    const entries = [...this.#dirty];
    this.#dirty.clear();
    for (const entry of entries) this.#write(() => this.#put(entry));
  }

  async #put(entry) {
    const blobs = blobsOf(entry);
    // A cut-out that finds no room is made again after a reload.
    if (!this.#fits(entry.key, blobs)) blobs.delete(cutoutName(entry));
    const room = this.#fits(entry.key, blobs);
    if (room) {
      try {
        await this.#store(entry, blobs);
      } catch (error) {
        if (error?.name !== "QuotaExceededError") throw error;
        this.#left.add(entry);
        return;
      }
    }
    const whole = room && (entry.state !== "done" || blobs.has(cutoutName(entry)));
    if (whole) this.#left.delete(entry);
    else this.#left.add(entry);
  }

  async #store(entry, blobs) {
    const known = this.#names();
    await this.#transaction((store) => {
      store("pictures").put({ album: this.#album, ...recordOf(entry, blobs) });
      for (const [name, blob] of blobs) {
        // Files and backgrounds never change; a cut-out does when another model makes it.
        if (!known.has(name) || name === cutoutName(entry)) store("blobs").put({ album: this.#album, name, blob });
      }
      if (!blobs.has(cutoutName(entry))) store("blobs").delete([this.#album, cutoutName(entry)]);
    });
    this.#count(entry.key, new Map([...blobs].map(([name, blob]) => [name, blob.size])));
  }

  #count(key, sizes) {
    this.#kept.set(key, sizes);
  }

  #names() {
    return new Set([...this.#kept.values()].flatMap((sizes) => [...sizes.keys()]));
  }

  #fits(key, blobs) {
    const sizes = new Map([...blobs].map(([name, blob]) => [name, blob.size]));
    for (const [other, its] of this.#kept) {
      if (other !== key) for (const [name, size] of its) sizes.set(name, size);
    }
    return [...sizes.values()].reduce((sum, size) => sum + size, 0) <= this.#mostBytes;
  }

  /** One after the other: a later state of a picture must not be overtaken by an earlier one. */
  #write(work) {
    this.#busy += 1;
    this.#writing = this.#writing
      .then(() => this.ready)
      .then(() => this.#database && work())
      .catch((error) => this.#off(error))
      .finally(() => {
        this.#busy -= 1;
        this.#changed();
      });
  }

  /** Runs `work(store)`, where store(name) is an object store, and waits until all of it is on disk. */
  #transaction(work) {
    return new Promise((resolve, reject) => {
      const transaction = this.#database.transaction(["albums", "pictures", "blobs"], "readwrite");
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
      work((name) => transaction.objectStore(name));
    });
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** A name that no other tab takes; names made later sort later. */
export function keyOf(place) {
  return [String(Date.now()).padStart(15, "0"), String(place).padStart(6, "0"), randomName()].join("-");
}

// Not crypto.randomUUID, which plain http does not have.
function randomName() {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((number) => number.toString(36)).join("");
}

/** Reads or writes what lasts as long as the tab; undefined where that is blocked. */
function session(name, value) {
  try {
    if (value !== undefined) sessionStorage.setItem(name, value);
    return sessionStorage.getItem(name) ?? undefined;
  } catch {
    return undefined;
  }
}

function openDatabase() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("albums", { keyPath: "id" });
      request.result.createObjectStore("pictures", { keyPath: ["album", "key"] });
      request.result.createObjectStore("blobs", { keyPath: ["album", "name"] });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function inTime(promise) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("the storage does not answer")), OPEN_MS));
  return Promise.race([promise, late]);
}

/** Every key of an album: in IndexedDB's order arrays come after all strings. */
function allOf(album) {
  return IDBKeyRange.bound([album], [album, []]);
}

const fileName = ({ key }) => `${key}/file`;
const cutoutName = ({ key }) => `${key}/cutout`;
const backdropName = ({ id }) => `backdrop/${id}`;

function blobsOf(entry) {
  const blobs = new Map([[fileName(entry), entry.file]]);
  if (entry.result) blobs.set(cutoutName(entry), entry.result.blob);
  const { picture } = entry.look.background;
  if (picture) blobs.set(backdropName(picture), picture.file);
  return blobs;
}

function recordOf(entry, blobs) {
  const { key, name, model, strokes, problem, look } = entry;
  const { picture } = look.background;
  const done = entry.state === "done" && blobs.has(cutoutName(entry));
  return {
    key,
    name,
    model,
    strokes,
    // What was on its way is sent again.
    state: done || entry.state === "failed" ? entry.state : "waiting",
    problem: problem && { ...problem },
    result: done ? { ...entry.result, blob: null } : null,
    look: {
      ...look,
      background: { ...look.background, picture: picture && { id: picture.id, name: picture.name } },
    },
  };
}

/** A record with its blobs; null where the file itself is gone. */
function restored(record, blobs) {
  const file = blobs.get(fileName(record));
  if (!file) return null;
  // What was kept before the page knew more.
  record.look = { ...plainLook(), ...record.look };
  const { picture } = record.look.background;
  if (picture) picture.file = blobs.get(backdropName(picture));
  const result = record.result && { ...record.result, blob: blobs.get(cutoutName(record)) };
  const whole = record.state !== "done" || Boolean(result?.blob);
  return { ...record, file, result: whole ? result : null, state: whole ? record.state : "waiting" };
}

function sizesOf(record) {
  return new Map([...blobsOf(record)].filter(([, blob]) => blob).map(([name, blob]) => [name, blob.size]));
}
