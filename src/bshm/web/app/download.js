// Hands a file to the browser's downloads.

// Some browsers read a blob's address only after the click has returned.
const REVOKE_AFTER_MS = 60_000;

export function download({ name, blob }) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_AFTER_MS);
}
