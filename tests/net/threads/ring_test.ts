import { assert, assertEquals, assertThrows } from "@std/assert";
import { ringMemory, RingReader, RingWriter } from "../../../src/net/threads/ring.ts";
import { bytesOf, textOf } from "../../support/frames.ts";
import { Random } from "../../support/random.ts";

const CAPACITY = 1024;
/** A header is 8 bytes long. */
const LENGTH_MAX = CAPACITY / 2 - 8;
const EVERYTHING = Infinity;

/** Both ends of one ring, in one thread. */
function ring(position = 0): { writer: RingWriter; reader: RingReader } {
  const memory = ringMemory(CAPACITY, position);
  return { writer: new RingWriter(memory), reader: new RingReader(memory) };
}

/** What comes out, as `kind id payload`. */
function taken(reader: RingReader, mostBytes = EVERYTHING): string[] {
  const records: string[] = [];
  reader.take((kind, id, bytes, start, end) => {
    records.push(`${kind} ${id} ${textOf(bytes.slice(start, end))}`);
  }, mostBytes);
  return records;
}

Deno.test("RingReader.take() gives the records in the order in which they were put in", () => {
  const { writer, reader } = ring();

  writer.put(1, 7, bytesOf("one"));
  writer.put(2, 4_000_000_000, bytesOf(""));
  writer.put(255, 1, bytesOf("a payload of more than thirty-two bytes"));

  assertEquals(taken(reader), [
    "1 7 one",
    `2 ${4_000_000_000 | 0} `,
    "255 1 a payload of more than thirty-two bytes",
  ]);
  assertEquals([taken(reader), reader.hasRecords], [[], false]);
});

Deno.test("RingWriter.put() has room for all of the ring, and not for more", () => {
  const { writer, reader } = ring();
  const half = new Uint8Array(LENGTH_MAX);

  assertEquals([writer.put(1, 1, half), writer.put(1, 1, half), writer.put(1, 1, bytesOf(""))], [
    true,
    true,
    false,
  ]);

  assertEquals(reader.take(() => {}, EVERYTHING), true);
  assertEquals(writer.put(1, 1, half), true);
  assertEquals(reader.take(() => {}, EVERYTHING), false);
});

Deno.test("RingWriter.put() takes the longest payload, and refuses one byte more", () => {
  const { writer } = ring();

  assertEquals(writer.lengthMax, LENGTH_MAX);
  assert(writer.put(1, 1, new Uint8Array(LENGTH_MAX)));
  assertThrows(() => writer.put(1, 1, new Uint8Array(LENGTH_MAX + 1)), RangeError);
});

Deno.test("RingReader.take() takes not many more bytes than it is told", () => {
  const { writer, reader } = ring();
  for (const text of ["a", "b", "c"]) writer.put(1, 1, bytesOf(text));

  assertEquals([taken(reader, 1), taken(reader, 17), taken(reader)], [["1 1 a"], ["1 1 b", "1 1 c"], []]);
});

for (const position of [0, 2 ** 31 - 2048, 2 ** 32 - 2048]) {
  Deno.test(`A ring loses and changes nothing, however records lie in it, from position ${position} on`, () => {
    const { writer, reader } = ring(position);
    const random = new Random(position);
    const [sent, got]: [string[], string[]] = [[], []];

    for (let i = 0; i < 5000; i++) {
      const text = String.fromCharCode(97 + i % 26).repeat(random.below(LENGTH_MAX + 1));
      while (!writer.put(1 + i % 100, i, bytesOf(text))) got.push(...taken(reader, random.below(CAPACITY)));
      sent.push(`${1 + i % 100} ${i} ${text}`);
    }
    got.push(...taken(reader));

    assertEquals(got.length, sent.length);
    assertEquals(got, sent);
  });
}
