/**
 * What nsq_to_http sends: bodies of batches, headers, addresses. Pure.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import type { Kind } from "../../config/kind.ts";
import type { PoolMode } from "../host_pool.ts";
import { jsonIn } from "../json_path.ts";

/** Which address gets a message. */
export type HttpMode = PoolMode | "all";
/** The form of several messages in one body. */
export type BatchForm = "ndjson" | "json";

/** Statuses of HTTP. */
export interface StatusSet {
  readonly text: string;
  has(status: number): boolean;
}

/** Statuses by number or class, with commas between: `400,422`, `4xx`. */
export const statusSet: Kind<StatusSet> = {
  name: "statuses",
  fromFlag(texts) {
    const [text] = texts.slice(-1);
    const parts = text === "" ? [] : text.split(",").map((part) => part.trim());
    for (const part of parts) {
      if (!/^[1-5](\d\d|xx)$/.test(part)) throw new SyntaxError("must be statuses such as 400,422 or 4xx");
    }
    return {
      text,
      has: (status) => parts.some((part) => part === String(status) || part === `${String(status)[0]}xx`),
    };
  },
  fromFile() {
    throw new SyntaxError("is a flag only");
  },
  show: ({ text }) => text,
  toJson: ({ text }) => text,
};

const ENCODER = new TextEncoder();
const LINE_END = Uint8Array.of(10);
const HEX = "0123456789ABCDEF";

/**
 * The body of one request for these messages. What would break the form, because it is no JSON or has line ends in it, is
 * there as a string of JSON, or in one line.
 */
export function batchBody(form: BatchForm, bodies: readonly Uint8Array[]): Uint8Array {
  if (form === "ndjson") {
    return concat(bodies.flatMap((body) => [body.includes(LINE_END[0]) ? jsonOf(body) : body, LINE_END]));
  }
  const parts = bodies.flatMap((body, i) => [ENCODER.encode(i === 0 ? "" : ","), jsonOf(body)]);
  return concat([ENCODER.encode("["), ...parts, ENCODER.encode("]")]);
}

function jsonOf(body: Uint8Array): Uint8Array {
  const value = jsonIn(body);
  return ENCODER.encode(JSON.stringify(value === undefined ? new TextDecoder().decode(body) : value));
}

/** A body in the place of `%s`, escaped as Go's `url.QueryEscape` does it: byte by byte, spaces as `+`. */
export function getAddress(format: string, body: Uint8Array): string {
  let escaped = "";
  for (const byte of body) {
    const char = String.fromCharCode(byte);
    if (/[A-Za-z0-9\-_.~]/.test(char)) escaped += char;
    else escaped += char === " " ? "+" : `%${HEX[byte >> 4]}${HEX[byte & 15]}`;
  }
  return format.replace("%s", () => escaped).replaceAll("%%", "%");
}

/**
 * Headers as flags give them, `Name: value`.
 *
 * @throws {SyntaxError} If one is none.
 */
export function parseHeaders(texts: readonly string[]): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const text of texts) {
    const [, name, value] = /^([^:]*):([^]*)$/.exec(text)?.map((part) => part.trim()) ?? [];
    if (!name || !value || !/^[!#$%&'*+.^_`|~\w-]+$/.test(name) || /[\r\n\0]/.test(value)) {
      throw new SyntaxError(`--header value format should be 'Name: value', not ${JSON.stringify(text)}`);
    }
    headers[name] = value;
  }
  return headers;
}

/** How long an answer asks to wait, in ms; undefined if it does not. */
export function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const atMs = /^[A-Z][a-z]+, /.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
