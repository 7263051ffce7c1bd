/**
 * Numbers as people read them.
 *
 * @module
 */

import { formatDuration } from "../../base/duration.ts";

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const MS_PER_S = 1000;

/** A whole number, with commas. */
export function whole(value: number): string {
  return value.toLocaleString("en");
}

/** At most so many digits as anybody reads. */
export function rounded(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 });
}

/** An amount of memory or of a disk; nothing if it is not known. */
export function bytesText(bytes = 0): string {
  if (bytes === 0) return "";
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), BYTE_UNITS.length - 1);
  return `${rounded(bytes / 1024 ** power)} ${BYTE_UNITS[power]}`;
}

/** How long something has lasted, in whole seconds. */
export function durationText(ms: number): string {
  return formatDuration(Math.max(0, Math.round(ms / MS_PER_S)) * MS_PER_S);
}
