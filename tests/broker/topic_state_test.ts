import { assertEquals, assertThrows } from "@std/assert";
import {
  decodeTopicState,
  encodeTopicState,
  StateFormatError,
  type TopicState,
} from "../../src/broker/topic_state.ts";

const STATE: TopicState = {
  distributed: 5,
  end: 6.5,
  channels: [{
    name: "ch",
    cursor: 3,
    outstanding: [{ position: 1, attempts: 258, dueMs: 2 }],
    finishedAhead: [4],
  }],
};

/** Version 1, byte for byte; see topic_state.ts. */
const GOLDEN = [
  "4e5351535441 0001 dd31b99d",
  "4014000000000000 401a000000000000 00000001",
  "02 6368 4008000000000000",
  "00000001 3ff0000000000000 0102 4000000000000000",
  "00000001 4010000000000000",
].join("").replaceAll(" ", "");

Deno.test("encodeTopicState() writes version 1 of its format byte for byte", () => {
  assertEquals(encodeTopicState(STATE).toHex(), GOLDEN);
});

Deno.test("decodeTopicState() reads version 1 of its format", () => {
  assertEquals(decodeTopicState(Uint8Array.fromHex(GOLDEN)), STATE);
});

Deno.test("decodeTopicState() gives back what encodeTopicState() was given, at the edges too", () => {
  const states: TopicState[] = [
    { distributed: 0, end: 0, channels: [] },
    {
      distributed: Number.MAX_SAFE_INTEGER,
      end: Number.MAX_SAFE_INTEGER,
      channels: [
        { name: "x".repeat(64), cursor: 2 ** 52 + 1, outstanding: [], finishedAhead: [] },
        {
          name: "a.b-c_d",
          cursor: 0,
          outstanding: [
            { position: 2 ** 52 + 1, attempts: 65535, dueMs: 1_706_702_400_000.125 },
            { position: 7, attempts: 0, dueMs: 0 },
          ],
          finishedAhead: [9, 2 ** 52 + 3],
        },
      ],
    },
  ];

  for (const state of states) assertEquals(decodeTopicState(encodeTopicState(state)), state);
});

Deno.test("decodeTopicState() reads from the middle of a buffer", () => {
  const buffer = new Uint8Array(200).fill(0xee);
  const bytes = encodeTopicState(STATE);
  buffer.set(bytes, 13);

  assertEquals(decodeTopicState(buffer.subarray(13, 13 + bytes.length)), STATE);
});

Deno.test("decodeTopicState() refuses a state with a wrong bit, whichever", () => {
  for (let bit = 0; bit < GOLDEN.length * 4; bit++) {
    const bytes = Uint8Array.fromHex(GOLDEN);
    bytes[bit >> 3] ^= 1 << (bit & 7);

    assertThrows(() => decodeTopicState(bytes), StateFormatError, undefined, `bit ${bit}`);
  }
});

Deno.test("decodeTopicState() refuses a state that is cut off, wherever", () => {
  for (let length = 0; length < GOLDEN.length / 2; length++) {
    const bytes = Uint8Array.fromHex(GOLDEN).subarray(0, length);

    assertThrows(() => decodeTopicState(bytes), StateFormatError, undefined, `${length} bytes`);
  }
});

Deno.test("decodeTopicState() names the version that it does not know", () => {
  const bytes = Uint8Array.fromHex(GOLDEN);
  bytes[7] = 2;

  assertThrows(
    () => decodeTopicState(bytes),
    StateFormatError,
    "State file of version 2, this program knows 1",
  );
});
