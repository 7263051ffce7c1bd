import { assertEquals, assertThrows } from "@std/assert";
import { encodeFrame, FRAME_TYPE } from "../../src/protocol/frames.ts";
import { FrameError, FrameReader } from "../../src/protocol/frame_reader.ts";
import { bytesOf, i32, join, textOf } from "../support/frames.ts";

const SIZE_MAX = 100;

const FRAMES: readonly (readonly [bytes: Uint8Array, told: string])[] = [
  [encodeFrame(FRAME_TYPE.response, "OK"), "response OK"],
  [encodeFrame(FRAME_TYPE.error, "E_BAD_TOPIC no"), "error E_BAD_TOPIC no"],
  [encodeFrame(FRAME_TYPE.response, ""), "response "],
  [
    encodeFrame(FRAME_TYPE.message, "12345678\0\x010123456789abcdefbody"),
    "message 12345678\0\x010123456789abcdefbody",
  ],
  [
    encodeFrame(FRAME_TYPE.message, "12345678\0\x010123456789abcdef"),
    "message 12345678\0\x010123456789abcdef",
  ],
  [encodeFrame(FRAME_TYPE.response, "x".repeat(SIZE_MAX - 4)), `response ${"x".repeat(SIZE_MAX - 4)}`],
];
const STREAM = join(...FRAMES.map(([bytes]) => bytes));
const TOLD = FRAMES.map(([, told]) => told);

for (const size of [1, 2, 3, 7, 8, 9, 40, STREAM.length]) {
  Deno.test(`FrameReader.push() tells of every frame in pieces of ${size} bytes`, () => {
    assertEquals(read(piecesOf(STREAM, size)), TOLD);
  });
}

Deno.test("FrameReader.push() does not copy a frame that lies whole in a piece", () => {
  const buffers = new Set<ArrayBufferLike>();
  const reader = new FrameReader({
    message: (bytes) => buffers.add(bytes.buffer),
    response: (data) => buffers.add(data.buffer),
    error: (data) => buffers.add(data.buffer),
  }, { sizeMax: SIZE_MAX });

  reader.push(STREAM);

  assertEquals(buffers, new Set([STREAM.buffer]));
});

Deno.test("FrameReader.push() refuses a frame that is too long before it has come", () => {
  assertThrows(() => read([i32(SIZE_MAX + 1), i32(0)]), FrameError, "A frame of 101 bytes, 100 is the limit");
});

for (const size of [-1, 0, 3]) {
  Deno.test(`FrameReader.push() refuses a frame that says its size is ${size}`, () => {
    assertThrows(() => read([join(i32(size), i32(0))]), FrameError, `Not a frame: its size is ${size}`);
  });
}

Deno.test("FrameReader.push() refuses a frame of no known type", () => {
  assertThrows(() => read([join(i32(4), i32(3))]), FrameError, "Not a frame: its type is 3");
});

Deno.test("FrameReader.push() refuses a message without all of its head", () => {
  const frame = encodeFrame(FRAME_TYPE.message, bytesOf("x".repeat(25)));

  assertThrows(() => read([frame]), FrameError, "Not a message: it has 25 bytes");
});

function read(pieces: readonly Uint8Array[]): string[] {
  const told: string[] = [];
  const reader = new FrameReader({
    message: (bytes, start, end) => told.push(`message ${textOf(bytes.subarray(start, end))}`),
    response: (data) => told.push(`response ${textOf(data)}`),
    error: (data) => told.push(`error ${textOf(data)}`),
  }, { sizeMax: SIZE_MAX });
  for (const piece of pieces) reader.push(piece);
  return told;
}

function piecesOf(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from(
    { length: Math.ceil(bytes.length / size) },
    (_, i) => bytes.slice(i * size, (i + 1) * size),
  );
}
