/**
 * Throws golden segments with bytes changed at everything that reads segments. What must hold for every input:
 *
 * - it is read, or refused with a `SegmentFormatError`; what is not read is told, and lies in the image;
 * - that takes no more steps, and gives no more positions, than an image of its size can have;
 * - unless checksums were made to fit, no message is there that was not, and none is missing without a word;
 * - what was read can be written anew, and that is read without damage;
 * - of the closing batch, the index and single messages nothing else is said than of the whole.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Budget } from "../../src/base/budget.ts";
import { crc32c } from "../../src/base/crc32c.ts";
import { MessageReader, NOTHING_DUE } from "../../src/log/message_reader.ts";
import { Segment } from "../../src/log/segment.ts";
import {
  BATCH_MAGIC,
  closingOf,
  type Damage,
  isPlausible,
  readIndexBlock,
  SEGMENT_MESSAGES_MAX,
  SegmentFormatError,
} from "../../src/log/segment_image.ts";
import { readU32, writeU32 } from "../../src/protocol/frames.ts";
import { MemorySegments } from "../../src/storage/memory_segments.ts";
import { MixedRandom } from "../support/mixed_random.ts";
import type { Random } from "../support/random.ts";
import { contentOf, imageOf } from "../support/segments.ts";
import { type FuzzOptions, type FuzzReport, runRounds } from "./campaign.ts";
import { mutated } from "./mutated.ts";

/** Bytes that a step looks at, or more: what a step may be of `segment.restoring()`. */
const STEP_BYTES = 32 * 1024;
const DAMAGES_MAX = 16;

interface Golden {
  readonly base: number;
  readonly image: Uint8Array;
  readonly content: readonly unknown[];
}

/** Runs a campaign. */
export function fuzzSegments(options: FuzzOptions): Promise<FuzzReport> {
  const golden = goldenSegments();
  return runRounds("segments", options, (seed) => fuzzOnce(new MixedRandom(seed), golden));
}

/** Golden segments of all versions, and a long one. */
export function goldenSegments(): Golden[] {
  const folders = ["../log/golden/v1/", "../log/golden/v2/", "../broker/golden/v4/+golden.topic/"]
    .map((path) => new URL(path, import.meta.url));
  return folders.flatMap((folder) =>
    [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".seg"))
      .sort((a, b) => a.name < b.name ? -1 : 1)
      .map(({ name }): Golden => {
        const image = Deno.readFileSync(new URL(encodeURIComponent(name), folder));
        const segment = Segment.onDisk({ base: parseInt(name, 16), size: image.length });
        segment.restore(image.slice());
        return { base: segment.base, image, content: contentOf(segment) };
      })
  );
}

/** Writes the checksum anew of all that looks like a batch. */
export function resealed(image: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  for (let at = 0; at + 12 <= image.length;) {
    const end = at + 32 + readU32(image, at + 8);
    if (readU32(image, at) !== BATCH_MAGIC || end > image.length) {
      at++;
      continue;
    }
    writeU32(image, at + 4, crc32c(image, at + 8, end));
    at = end;
  }
  return image;
}

/** One input; what it has led to. */
async function fuzzOnce(random: Random, all: readonly Golden[]): Promise<string[]> {
  const golden = random.pick(all);
  const { base } = golden;
  const isResealed = random.oneIn(2);
  const image = mutated(random, golden.image);
  if (isResealed) resealed(image);
  const segment = random.pick([
    () => Segment.onDisk({ base, size: image.length }),
    () => Segment.onDisk({ base, size: image.length, closing: closingOf(golden.image, base) }),
    () => Segment.unread({ base, size: image.length, countMax: 1 + random.below(2 * golden.content.length) }),
  ])();
  const isKnown = segment.count > 0 && !segment.isUnread;
  const seen: string[] = [];
  const damages = restored(segment, image.slice(), { wasClosed: random.oneIn(2) });
  if (damages === undefined) {
    seen.push("refused");
  } else {
    seen.push(...damages.map(({ torn, reason }) => `${torn ? "torn" : "damaged"}: ${reason}`));
    if (damages.length === 0) seen.push("whole");
    checkContent(segment, damages, { golden, isResealed, isKnown, size: image.length });
    checkCopy(segment);
    await checkSingles(segment, image);
  }
  seen.push(...await checkEnd(image, base));
  return seen;
}

/** What was damaged; undefined when the image was refused. */
function restored(
  segment: Segment,
  image: Uint8Array,
  options: { wasClosed: boolean },
): readonly Damage[] | undefined {
  const stepsMax = 4 + Math.ceil(image.length / STEP_BYTES);
  try {
    const steps = segment.restoring(image, options);
    for (let count = 0;; count++) {
      const step = steps.next();
      if (step.done) return step.value;
      assert(count < stepsMax, `${count} steps for ${image.length} bytes`);
    }
  } catch (error) {
    if (error instanceof SegmentFormatError) return undefined;
    throw error;
  }
}

function checkContent(
  segment: Segment,
  damages: readonly Damage[],
  { golden, isResealed, isKnown, size }: {
    golden: Golden;
    isResealed: boolean;
    isKnown: boolean;
    size: number;
  },
): void {
  assert(segment.count <= SEGMENT_MESSAGES_MAX, `${segment.count} positions`);
  assert(damages.length <= DAMAGES_MAX, `${damages.length} damages`);
  let end = 0;
  for (const damage of damages) {
    assert(damage.offset >= end && damage.length > 0, `a damage at ${damage.offset}, ${damage.length} bytes`);
    end = damage.offset + damage.length;
  }
  assert(end <= size, `a damage ends at ${end} of ${size} bytes`);
  const content = contentOf(segment);
  assertEquals(content.filter((message) => message).length, segment.messages);
  if (isResealed) return;
  for (const [index, message] of content.entries()) {
    if (message) assertEquals(message, golden.content[index], `message ${index}`);
  }
  const isMissing = golden.content.some((message, index) => message && !content[index]);
  // What was cut off where a batch ends cannot be seen in what is left, unless it should end in a closing batch.
  assert(
    !isMissing || damages.length > 0 || !segment.isClosed || isKnown,
    "a message is missing without a word",
  );
}

/** A copy of what was read is whole, and has the same. */
function checkCopy(segment: Segment): void {
  if (segment.count === 0) return;
  const content = contentOf(segment);
  const copy = segment.compacted(() => true, { stored: true });
  const again = Segment.onDisk({ base: segment.base, size: copy.used });
  assertEquals(again.restore(imageOf(copy)), []);
  assertEquals(contentOf(again), content);
}

/** Each message can be had alone. */
async function checkSingles(segment: Segment, image: Uint8Array): Promise<void> {
  const store = new MemorySegments();
  store.append(segment.base, image);
  const reader = new MessageReader(store, new Budget(1024 * 1024));
  const content = contentOf(segment);
  const places = content.flatMap((message, index) => {
    if (!message) return [];
    const offset = segment.batchOffset(index);
    return [{
      position: segment.base + index,
      base: segment.base,
      offset,
      length: segment.batchLength(offset),
    }];
  });
  const found = await reader.read(places);
  assertEquals(found.size, places.length);
  for (const [position, single] of found) {
    const index = position - segment.base;
    assertEquals(contentOf(single)[position - single.base], content[index], `message ${index} alone`);
  }
}

/** What is said of the segment without reading it. */
async function checkEnd(image: Uint8Array, base: number): Promise<string[]> {
  const closing = closingOf(image, base);
  if (!closing) return ["no closing batch"];
  assert(isPlausible(closing), "a closing batch that cannot be");
  const { index } = closing;
  if (!index) return ["closed"];
  const store = new MemorySegments();
  store.append(base, image);
  const reader = new MessageReader(store, new Budget(1024 * 1024));
  const all = reader.readDueSync(base, index);
  const first = await reader.readDue(base, index, NOTHING_DUE);
  for (const entries of [all, first]) assert((entries?.length ?? 0) <= index.entries, "too many entries");
  readIndexBlock(image);
  return [all ? "closed, with an index" : "closed, with a damaged index"];
}
