/**
 * Segments as tests make them, and what is in their images: read byte by byte as src/log/segment_image.ts describes it, and
 * not by the code under test.
 *
 * @module
 */
import { crc32c } from "../../src/base/crc32c.ts";
import { Segment, type SegmentUser } from "../../src/log/segment.ts";
import type { Timestamp } from "../../src/log/segment_image.ts";
import { readU32, writeU32 } from "../../src/protocol/frames.ts";
import { blockOf, blockOfTexts, textOf } from "./broker_messages.ts";

/** Where the segments of the tests begin: a position of more than 32 bits. */
export const BASE = 0x102030405;

/** A moment in January 2024, in ms: when messages are due that are deferred. */
export const DUE_MS = 1_704_067_200_000;

/** Bytes of a file's header, and of a batch before its attributes. */
const FILE_HEADER_LENGTH = 16;
const BATCH_HEADER_LENGTH = 34;

/** A segment without messages. */
export function newSegment({ capacityBytes = 4096, stored = true } = {}): Segment {
  return new Segment({ base: BASE, capacityBytes, stored });
}

/** A segment of which nothing is known but its place. */
export function unknownSegment(): Segment {
  return Segment.onDisk({ base: BASE, size: 0 });
}

/** Adds messages. */
export function append(
  segment: Segment,
  bodies: readonly (string | Uint8Array)[],
  facts: { timestamp?: Timestamp; dueMs?: number; attributes?: string } = {},
): void {
  const { timestamp = { high: 1, low: 2 }, dueMs = 0, attributes } = facts;
  const block = blockOf(
    bodies.map((body) => typeof body === "string" ? new TextEncoder().encode(body) : body),
  );
  segment.append(block, 0, block.length, {
    count: bodies.length,
    timestamp,
    dueMs,
    attributes: attributes === undefined ? undefined : Uint8Array.fromHex(attributes),
  });
}

/** Messages that come with attributes of their own, as a batch of kind `own` has them. */
export function ownBlock(
  ...messages: readonly { attributes: string; body: string }[]
): Uint8Array<ArrayBuffer> {
  const parts = messages.map(({ attributes, body }) => {
    const length = (attributes.length / 2).toString(16).padStart(4, "0");
    return Uint8Array.fromHex(length + attributes + blockOfTexts(body).toHex());
  });
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** The whole image, with its checksums, in a copy. */
export function imageOf(segment: Segment): Uint8Array<ArrayBuffer> {
  const { written } = segment;
  segment.written = 0;
  const image = segment.unwritten().slice();
  segment.written = written;
  return image;
}

/** What a segment says of each of its messages; undefined of a hole. */
export function contentOf(segment: Segment) {
  return Array.from({ length: segment.count }, (_, index) =>
    segment.has(index)
      ? {
        body: textOf(segment, index),
        high: segment.timestampHigh(index),
        low: segment.timestampLow(index),
        dueMs: segment.dueMs(index),
      }
      : undefined);
}

/** The bodies of a segment's messages; "-" is a hole. */
export function bodiesOf(segment: Segment): string[] {
  return contentOf(segment).map((message) => message?.body ?? "-");
}

/** A batch, as the bytes say it. */
export interface ImageBatch {
  readonly offset: number;
  readonly length: number;
  readonly kind: number;
  readonly position: number;
  readonly timestamp: string;
  /** All attributes, as they are. */
  readonly attributes: string;
  /** What follows the attributes in a batch without messages. */
  readonly rest: string;
  readonly messages: readonly { readonly own: string; readonly body: string }[];
}

/** The batches of an image that is whole. */
export function batchesOf(image: Uint8Array): ImageBatch[] {
  const batches: ImageBatch[] = [];
  for (let at = FILE_HEADER_LENGTH; at < image.length;) {
    const length = BATCH_HEADER_LENGTH - 2 + readU32(image, at + 8);
    batches.push(batchAt(image.subarray(at, at + length), at));
    at += length;
  }
  return batches;
}

/** Writes the checksum anew of the batch at the offset. */
export function seal(image: Uint8Array, offset: number): void {
  const end = offset + BATCH_HEADER_LENGTH - 2 + readU32(image, offset + 8);
  writeU32(image, offset + 4, crc32c(image, offset + 8, end));
}

function batchAt(bytes: Uint8Array, offset: number): ImageBatch {
  if (readU32(bytes, 4) !== crc32c(bytes, 8)) throw new Error(`The batch at ${offset} has a wrong checksum`);
  const messagesAt = BATCH_HEADER_LENGTH + u16(bytes, 32);
  const kind = bytes[12];
  const messages: { own: string; body: string }[] = [];
  let at = messagesAt;
  const isIndex = (kind & 0x20) !== 0;
  for (let i = 0; !isIndex && i < (readU32(bytes, 12) & 0xffffff); i++) {
    const ownLength = kind & 0x40 ? 2 + u16(bytes, at) : 0;
    const own = bytes.subarray(at, at + ownLength).toHex();
    const body = at + ownLength + 4;
    at = body + readU32(bytes, body - 4);
    messages.push({ own, body: new TextDecoder().decode(bytes.subarray(body, at)) });
  }
  return {
    offset,
    length: bytes.length,
    kind,
    position: readU32(bytes, 16) * 2 ** 32 + readU32(bytes, 20),
    timestamp: bytes.subarray(24, 32).toHex(),
    attributes: bytes.subarray(BATCH_HEADER_LENGTH, messagesAt).toHex(),
    rest: bytes.subarray(at).toHex(),
    messages,
  };
}

function u16(bytes: Uint8Array, offset: number): number {
  return bytes[offset] << 8 | bytes[offset + 1];
}

/** A user of a segment who writes down what it is told, and what was in the segment then. */
export class NotedUser implements SegmentUser {
  /** Called when the segment is there. */
  onLoaded: (segment: Segment) => void = () => {};
  segment: Segment | undefined;
  readonly #name: string;
  readonly #told: string[];

  constructor(name: string, told: string[]) {
    this.#name = name;
    this.#told = told;
  }

  /** Becomes a user of the segment. */
  use(segment: Segment): this {
    this.segment = segment;
    segment.addUser(this);
    return this;
  }

  leaving(): void {
    this.#note("leaving");
  }

  loaded(): void {
    this.#note("loaded");
    if (this.segment) this.onLoaded(this.segment);
  }

  replaced(copy: Segment): void {
    this.segment = copy;
    this.#note("replaced");
  }

  restarted(next: Segment): void {
    this.segment = next;
    this.#note(`restarted as ${next.base}`);
  }

  released(): void {
    this.#note("released");
  }

  #note(what: string): void {
    const { segment } = this;
    const content = segment?.resident ? bodiesOf(segment).join(" ") : "not there";
    this.#told.push(`${this.#name} ${what}: ${content}`);
  }
}
