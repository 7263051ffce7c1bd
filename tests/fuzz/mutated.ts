/**
 * Bytes that were right once: cut off, overwritten, doubled, put elsewhere, as disks, people and faults of programs do it.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import type { Random } from "../support/random.ts";

/** Numbers at the edges of what 32 bits hold. */
const EDGES = [0, 1, 2, 16, 0x7fff, 0xffff, 0x10000, 0x10001, 0xffffff, 0x7fffffff, 0xffffffff];
const CHANGES_MAX = 4;
/** The most bytes that are changed in a row. */
const RANGE_MAX = 400;

type Mutation = (random: Random, bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;

const MUTATIONS: readonly Mutation[] = [
  flipBit,
  flipBit,
  overwriteNumber,
  overwriteNumber,
  overwriteRange,
  cutOff,
  removeRange,
  repeatRange,
  swapRanges,
  append,
];

/** A copy with a few things wrong. */
export function mutated(random: Random, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  let result = bytes.slice();
  for (let i = 1 + random.below(CHANGES_MAX); i > 0; i--) result = random.pick(MUTATIONS)(random, result);
  return result;
}

function flipBit(random: Random, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length > 0) bytes[random.below(bytes.length)] ^= 1 << random.below(8);
  return bytes;
}

function overwriteNumber(random: Random, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const length = random.pick([1, 2, 4]);
  if (bytes.length < length) return bytes;
  const number = new DataView(new ArrayBuffer(4));
  number.setUint32(0, random.oneIn(2) ? random.pick(EDGES) : random.next());
  bytes.set(new Uint8Array(number.buffer, 4 - length), random.below(bytes.length - length + 1));
  return bytes;
}

function overwriteRange(random: Random, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const { from, to } = rangeOf(random, bytes);
  return random.oneIn(2) ? bytes.fill(0, from, to) : replaced(bytes, { from, to }, random.bytes(to - from));
}

function cutOff(random: Random, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return bytes.slice(0, random.below(bytes.length + 1));
}

function removeRange(random: Random, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return replaced(bytes, rangeOf(random, bytes), new Uint8Array());
}

function repeatRange(random: Random, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const { from, to } = rangeOf(random, bytes);
  const at = random.oneIn(2) ? to : random.below(bytes.length + 1);
  const count = random.oneIn(10) ? 1 + random.below(50) : 1;
  return replaced(
    bytes,
    { from: at, to: at },
    concat(Array.from({ length: count }, () => bytes.slice(from, to))),
  );
}

function swapRanges(random: Random, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const { from, to } = rangeOf(random, bytes);
  const middle = from + random.below(to - from + 1);
  return replaced(bytes, { from, to }, concat([bytes.slice(middle, to), bytes.slice(from, middle)]));
}

function append(random: Random, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const { from, to } = rangeOf(random, bytes);
  const more = random.pick([
    new Uint8Array(1 + random.below(RANGE_MAX)),
    random.bytes(20),
    bytes.slice(from, to),
  ]);
  return concat([bytes, more]);
}

function rangeOf(random: Random, bytes: Uint8Array): { from: number; to: number } {
  const from = random.below(bytes.length + 1);
  return { from, to: Math.min(from + random.below(RANGE_MAX), bytes.length) };
}

function replaced(
  bytes: Uint8Array,
  { from, to }: { from: number; to: number },
  middle: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return concat([bytes.subarray(0, from), middle, bytes.subarray(to)]);
}
