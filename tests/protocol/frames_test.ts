import { assertEquals } from "@std/assert";
import {
  CLOSE_WAIT_FRAME,
  encodeFrame,
  FRAME_TYPE,
  HEARTBEAT_FRAME,
  MESSAGE_HEADER_LENGTH,
  OK_FRAME,
  readI32,
  readU32,
  writeU32,
} from "../../src/protocol/frames.ts";

const hex = (bytes: Readonly<Uint8Array>) =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

const FRAMES: readonly (readonly [name: string, frame: Readonly<Uint8Array>, bytes: string])[] = [
  ["OK_FRAME", OK_FRAME, "00000006" + "00000000" + "4f4b"],
  ["HEARTBEAT_FRAME", HEARTBEAT_FRAME, "0000000f" + "00000000" + "5f6865617274626561745f"],
  ["CLOSE_WAIT_FRAME", CLOSE_WAIT_FRAME, "0000000e" + "00000000" + "434c4f53455f57414954"],
  ["an error", encodeFrame(FRAME_TYPE.error, "E_BAD"), "00000009" + "00000001" + "455f424144"],
  ["an empty message", encodeFrame(FRAME_TYPE.message, new Uint8Array()), "00000004" + "00000002"],
  ["text beyond ASCII", encodeFrame(FRAME_TYPE.response, "é"), "00000006" + "00000000" + "c3a9"],
  ["bytes", encodeFrame(FRAME_TYPE.response, Uint8Array.of(0, 255)), "00000006" + "00000000" + "00ff"],
];

for (const [name, frame, bytes] of FRAMES) {
  Deno.test(`encodeFrame() writes size, type and data: ${name}`, () => {
    assertEquals(hex(frame), bytes);
  });
}

Deno.test("MESSAGE_HEADER_LENGTH is size, type, timestamp, attempts and id", () => {
  assertEquals(MESSAGE_HEADER_LENGTH, 4 + 4 + 8 + 2 + 16);
});

/** Bytes as an unsigned and as a signed number. */
const NUMBERS: readonly (readonly [bytes: string, unsigned: number, signed: number])[] = [
  ["00000000", 0, 0],
  ["00000001", 1, 1],
  ["12345678", 0x12345678, 0x12345678],
  ["7fffffff", 2147483647, 2147483647],
  ["80000000", 2147483648, -2147483648],
  ["ffffffff", 4294967295, -1],
];

for (const [text, unsigned, signed] of NUMBERS) {
  Deno.test(`readU32(), readI32() and writeU32() agree about ${text}`, () => {
    // With bytes around them that are not part of the number.
    const bytes = Uint8Array.from((`aa${text}bb`).match(/../g) ?? [], (pair) => parseInt(pair, 16));
    const out = Uint8Array.of(0xaa, 0, 0, 0, 0, 0xbb);

    writeU32(out, 1, unsigned);

    assertEquals(readU32(bytes, 1), unsigned);
    assertEquals(readI32(bytes, 1), signed);
    assertEquals(out, bytes);
  });
}
