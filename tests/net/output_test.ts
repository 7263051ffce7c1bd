import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { Output } from "../../src/net/output.ts";
import { copiedBytes } from "../support/copied_bytes.ts";
import { Random } from "../support/random.ts";

const KIB = 1024;

Deno.test("Output.take() gives all that was put in, in order", () => {
  const output = new Output();

  output.append(Uint8Array.of(1, 2));
  output.append(Uint8Array.of(3));
  const taken = output.take();

  assertEquals(taken, Uint8Array.of(1, 2, 3));
  assertEquals(output.length, 0);
  assertEquals(output.take(), new Uint8Array());
});

Deno.test("Output.reserve() makes room and says where", () => {
  const output = new Output();

  output.append(Uint8Array.of(1));
  const offset = output.reserve(2);
  output.bytes[offset] = 2;
  output.bytes[offset + 1] = 3;

  assertEquals(offset, 1);
  assertEquals(output.length, 3);
  assertEquals(output.take(), Uint8Array.of(1, 2, 3));
});

Deno.test("Output.take() leaves what it gave as it is until the next take()", () => {
  const output = new Output();
  output.append(new Uint8Array(100).fill(1));

  const sending = output.take();
  output.append(new Uint8Array(100).fill(2));
  const before = sending.slice();

  assertEquals(before, new Uint8Array(100).fill(1));
  assertEquals(output.take(), new Uint8Array(100).fill(2));
});

Deno.test("Output.truncate() takes the end back", () => {
  const output = new Output();
  output.append(Uint8Array.of(1, 2));
  output.append(Uint8Array.of(3, 4));

  output.truncate(2);
  output.append(Uint8Array.of(5));

  assertEquals(output.take(), Uint8Array.of(1, 2, 5));
});

Deno.test("Output grows without losing what is in it", () => {
  const output = new Output();
  const random = new Random(1);
  const parts = Array.from({ length: 300 }, () => random.bytes(random.below(700)));
  const expected = parts.flatMap((part) => [...part]);

  for (const part of parts) output.append(part);

  assertEquals([...output.take()], expected);
});

Deno.test("Output copies each byte a few times, however much comes in small parts", () => {
  const output = new Output();
  const part = new Uint8Array(100);

  const copied = copiedBytes(() => {
    for (let i = 0; i < 100_000; i++) output.append(part);
  });

  assertEquals(output.length, 10_000_000);
  assertLessOrEqual(copied, 3 * output.length);
});

Deno.test("Output reuses its buffers", () => {
  const output = new Output();
  const buffers = new Set<ArrayBufferLike>();

  for (let i = 0; i < 10; i++) {
    output.append(new Uint8Array(300));
    buffers.add(output.take().buffer);
  }

  assertEquals(buffers.size, 2);
});

Deno.test("Output gives large buffers back after use", () => {
  const output = new Output();

  output.append(new Uint8Array(4096 * KIB));
  output.take();
  output.take();
  output.take();

  assertLessOrEqual(output.bytes.length, 4 * KIB);
});

Deno.test("Output.shrink() gives unused memory back, and none that is in use", () => {
  const output = new Output();
  output.append(new Uint8Array(100 * KIB));

  output.shrink();
  const inUse = output.bytes.length;
  output.take();
  output.take();
  output.shrink();

  assert(inUse >= 100 * KIB);
  assertLessOrEqual(output.bytes.length, 1 * KIB);
});
