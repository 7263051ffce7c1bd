/**
 * Messages as topics take them and as segments have them.
 *
 * @module
 */
import type { Segment } from "../../src/log/segment.ts";
import { ATTRIBUTE, ATTRIBUTE_HEADER_LENGTH, writeAttribute } from "../../src/log/segment_image.ts";
import { writeU32 } from "../../src/protocol/frames.ts";

/** The bodies as a topic takes them: size and body of each. */
export function blockOf(bodies: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(bodies.reduce((sum, body) => sum + 4 + body.length, 0));
  let at = 0;
  for (const body of bodies) {
    writeU32(block, at, body.length);
    block.set(body, at + 4);
    at += 4 + body.length;
  }
  return block;
}

/** As `blockOf`, of texts. */
export function blockOfTexts(...bodies: readonly string[]): Uint8Array<ArrayBuffer> {
  return blockOf(bodies.map((body) => new TextEncoder().encode(body)));
}

/** What another queue had said about a message, an id and attempts, as an attribute. */
export function originOf(origin: Uint8Array): Uint8Array {
  const attribute = new Uint8Array(ATTRIBUTE_HEADER_LENGTH + origin.length);
  writeAttribute(attribute, 0, ATTRIBUTE.origin, origin.length);
  attribute.set(origin, ATTRIBUTE_HEADER_LENGTH);
  return attribute;
}

/** The body of the message at the index. */
export function bodyOf(segment: Segment, index: number): Uint8Array {
  const from = segment.bodyOffset(index);
  return segment.bytes.subarray(from, from + segment.bodyLength(index));
}

/** As `bodyOf`, as text. */
export function textOf(segment: Segment, index: number): string {
  return new TextDecoder().decode(bodyOf(segment, index));
}

/** True when both have the same bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
