// Lengths, times and sizes in words.

import { t } from "./words.js";

/** "2 min" or "45 s". */
export function lengthOf(seconds) {
  const minutes = seconds / 60;
  if (minutes >= 1) return t("video.minutes", { count: Number.isInteger(minutes) ? minutes : minutes.toFixed(1) });
  return t("video.seconds", { count: Number(seconds.toFixed(seconds < 10 ? 1 : 0)) });
}

/** How much longer something takes, as coarse as it is known. */
export function leftOf(seconds) {
  if (seconds >= 90) return t("video.left.minutes", { count: Math.round(seconds / 60) });
  return t("video.left.seconds", { count: Math.max(5, Math.ceil(seconds / 5) * 5) });
}

/** "1:04.50" of seconds. */
export function clockOf(seconds) {
  const hundredths = Math.round(seconds * 100);
  const minutes = Math.floor(hundredths / 6000);
  return `${minutes}:${((hundredths % 6000) / 100).toFixed(2).padStart(5, "0")}`;
}

/** "4.2 MB" or "512 MB", in units of 1024. */
export function sizeOf(bytes) {
  const megabytes = bytes / 1024 ** 2;
  if (megabytes < 1) return `${Math.max(1, Math.round(bytes / 1024))} kB`;
  if (megabytes >= 1024) return `${Number((megabytes / 1024).toFixed(1))} GB`;
  return `${megabytes < 10 ? Number(megabytes.toFixed(1)) : Math.round(megabytes)} MB`;
}
