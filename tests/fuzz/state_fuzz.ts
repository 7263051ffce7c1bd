/**
 * Throws golden saved states with bytes changed at the reader of saved states. What must hold for every input:
 *
 * - it is read, or refused with a `StateFormatError`;
 * - what is read is not more than so many bytes can say: whole numbers, ordered ranges and messages, each of a byte at least;
 * - unless checksums were made to fit, it is what was written, or refused;
 * - what was read can be written, and is read again as the same.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { assert, assertEquals } from "@std/assert";
import { crc32c } from "../../src/base/crc32c.ts";
import {
  decodeTopicState,
  encodeTopicState,
  neededIn,
  type TopicState,
} from "../../src/broker/topic_state.ts";
import { StateFormatError } from "../../src/broker/varints.ts";
import { readU32, writeU32 } from "../../src/protocol/frames.ts";
import { MixedRandom } from "../support/mixed_random.ts";
import type { Random } from "../support/random.ts";
import { type FuzzOptions, type FuzzReport, runRounds } from "./campaign.ts";
import { mutated } from "./mutated.ts";

const HEADER_LENGTH = 8;
const CHUNK_HEADER_LENGTH = 8;

/** Runs a campaign. */
export function fuzzStates(options: FuzzOptions): Promise<FuzzReport> {
  const golden = goldenStates();
  return runRounds("states", options, (seed) => fuzzOnce(new MixedRandom(seed), golden));
}

/** Golden states of all versions. */
function goldenStates(): Uint8Array[] {
  const folder = new URL("../broker/golden/", import.meta.url);
  const paths = [
    "v3/Golden.topic",
    "v3/imported.topic",
    "v3/own.topic",
    "v4/+golden.topic",
    "v4/imported.topic",
  ];
  return paths.map((path) => Deno.readFileSync(new URL(`${path}/state`, folder)));
}

/** Writes the checksums anew, as either version has them. */
export function resealedState(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.length < HEADER_LENGTH + 4) return bytes;
  if (bytes[7] === 3) {
    writeU32(bytes, 8, crc32c(bytes, 12));
    return bytes;
  }
  let chunks = 0;
  for (let at = HEADER_LENGTH; at + CHUNK_HEADER_LENGTH <= bytes.length; chunks++) {
    const start = at + CHUNK_HEADER_LENGTH;
    const end = start + readU32(bytes, at);
    if (end > bytes.length) break;
    writeU32(bytes, at + 4, end === start ? chunks : crc32c(bytes, start, end));
    at = end;
  }
  return bytes;
}

/** One input; what it has led to. */
function fuzzOnce(random: Random, golden: readonly Uint8Array[]): string[] {
  const original = random.pick(golden);
  const isResealed = random.oneIn(2);
  const bytes = mutated(random, original);
  if (isResealed) resealedState(bytes);
  const state = decoded(bytes);
  if (typeof state === "string") return [state];
  checkBounds(state, bytes.length);
  if (!isResealed) assertEquals(plain(state), plain(decodeTopicState(original)));
  // Of version 3 is left what is to be done with it; that is not written.
  const again = decodeTopicState(concat([...encodeTopicState(state)]));
  assertEquals(plain(again), plain(state));
  return [`read version ${bytes[7]}`];
}

/** The state, or why there is none. */
function decoded(bytes: Uint8Array): TopicState | string {
  try {
    return decodeTopicState(bytes);
  } catch (error) {
    if (error instanceof StateFormatError) return `refused: ${error.message.replace(/\d+/, "#")}`;
    throw error;
  }
}

function checkBounds(state: TopicState, size: number): void {
  const { distributed, end, closedEnd, stored } = state;
  let count = 0;
  const whole = (...numbers: readonly number[]) => {
    count += numbers.length;
    for (const number of numbers) assert(Number.isSafeInteger(number) && number >= 0, `the number ${number}`);
  };
  const ordered = (ranges: readonly { readonly from: number; readonly to: number }[]) => {
    let last = 0;
    for (const { from, to } of ranges) {
      whole(from, to);
      assert(last <= from && from <= to, `a range of [${from}, ${to}) after ${last}`);
      last = to;
    }
  };
  whole(distributed, end, closedEnd);
  ordered(stored);
  for (const { ranges, pages } of state.channels) {
    ordered(ranges);
    for (const { base, start, end, parked, nextDueMs, woken, slots, unparked = [] } of pages) {
      whole(base, start, end, parked, nextDueMs);
      assert(woken.dueMs === -Infinity || Number.isSafeInteger(woken.dueMs), `the number ${woken.dueMs}`);
      ordered(unparked);
      let last = -1;
      for (const { index, attempts, dueMs, offset, length } of slots) {
        whole(index, attempts, dueMs, offset, length);
        assert(index > last, `message ${index} after ${last}`);
        last = index;
      }
    }
  }
  // What version 3 leaves out a hole says: twice as many ranges as it has.
  assert(count <= 8 * size, `${count} numbers of ${size} bytes`);
  const needed = neededIn(state, { from: distributed, to: distributed + 1000 });
  assert(needed >= 0 && Number.isFinite(needed), `${needed} messages`);
}

/** What can be compared. */
function plain({ channels, ...rest }: TopicState) {
  return {
    ...rest,
    channels: [...channels].map(({ name, ranges, pages }) => ({
      name,
      ranges,
      pages: [...pages].map(({ unparked: _, woken, ...page }) => ({
        ...page,
        // Nothing has been due yet, or everything is to come: that is the same.
        woken: woken.index < 0 ? "nothing" : woken,
      })),
    })),
  };
}
