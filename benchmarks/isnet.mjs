// A program held open that answers with @imgly/background-removal-node (ISNet); isnet.py starts it in the folder where
// that is installed.  Each line in is {"picture": path, "format": MIME type, "out": path or null}; each line out is
// {"ms": from reading the file to the bytes of the answer} or {"error": text}.
import { createRequire } from "node:module";
import { readFile, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";

const { removeBackground } = createRequire(`${process.cwd()}/`)("@imgly/background-removal-node");
const TYPES = { jpg: "image/jpeg", jpeg: "image/jpeg", png: "image/png" };

for await (const line of createInterface({ input: process.stdin })) {
  const { picture, format, out } = JSON.parse(line);
  try {
    const started = performance.now();
    const source = new Blob([await readFile(picture)], { type: TYPES[picture.split(".").pop().toLowerCase()] });
    const answer = await removeBackground(source, { output: { format } });
    const bytes = Buffer.from(await answer.arrayBuffer());
    const ms = performance.now() - started;
    if (out) await writeFile(out, bytes);
    console.log(JSON.stringify({ ms, type: answer.type }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
