/**
 * The names of messages that lie in a database: 16 characters for the versionstamp of the chunk and the place in it. Whoever
 * is given one finds the message without a table.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { VERSIONSTAMP_LENGTH } from "./keys.ts";

/** Digits of a place: two bytes. */
const INDEX_LENGTH = 4;

/** The name of the message at that place of a chunk. */
export function messageName(versionstamp: string, index: number): string {
  const digits = versionstamp + index.toString(16).padStart(INDEX_LENGTH, "0");
  return Buffer.from(digits, "hex").toString("base64url");
}

/** The chunk and the place; any 16 characters of base64url are some. */
export function parseMessageName(name: string): { readonly versionstamp: string; readonly index: number } {
  const digits = Buffer.from(name, "base64url").toString("hex");
  const versionstamp = digits.slice(0, VERSIONSTAMP_LENGTH);
  return { versionstamp, index: parseInt(digits.slice(VERSIONSTAMP_LENGTH), 16) };
}
