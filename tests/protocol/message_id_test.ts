import { assert, assertEquals } from "@std/assert";
import { firstPosition, POSITION_MAX, readMessageId, writeMessageId } from "../../src/protocol/message_id.ts";
import { Random } from "../support/random.ts";

function idOf(position: number, nodeId: number): string {
  const out = new Uint8Array(16);
  writeMessageId(out, 0, position, nodeId);
  return new TextDecoder().decode(out);
}

function positionOf(id: string, nodeId: number): number {
  return readMessageId(new TextEncoder().encode(id), 0, nodeId);
}

/** NSQ's layout: 42 bits of the position, 10 of the node, 12 of the position. */
const IDS: readonly (readonly [position: number, nodeId: number, id: string])[] = [
  [0, 0, "0000000000000000"],
  [1, 0, "0000000000000001"],
  [4095, 0, "0000000000000fff"],
  [4096, 0, "0000000000400000"],
  [0, 1, "0000000000001000"],
  [0, 1023, "00000000003ff000"],
  [4097, 1023, "00000000007ff001"],
  [POSITION_MAX, 1023, "7fffffffffffffff"],
  [POSITION_MAX, 0, "7fffffffffc00fff"],
];

for (const [position, nodeId, id] of IDS) {
  Deno.test(`writeMessageId() and readMessageId() take ${id} for ${position} of node ${nodeId}`, () => {
    assertEquals(idOf(position, nodeId), id);
    assertEquals(positionOf(id, nodeId), position);
  });
}

const NO_IDS: readonly (readonly [id: string, nodeId: number, why: string])[] = [
  ["0000000000001000", 0, "of another node"],
  ["000000000000000g", 0, "not hexadecimal"],
  ["0000000 00000000", 0, "a space"],
  ["000000000000000A", 0, "an upper-case digit"],
  ["8000000000000000", 0, "beyond the last position"],
  ["ffffffffffc00fff", 0, "far beyond the last position"],
  ["\x80000000000000000", 0, "no ASCII"],
];

for (const [id, nodeId, why] of NO_IDS) {
  Deno.test(`readMessageId() refuses ${JSON.stringify(id)}: ${why}`, () => {
    assertEquals(positionOf(id, nodeId), -1);
  });
}

Deno.test("readMessageId() reads back whatever writeMessageId() wrote", () => {
  const random = new Random(3);

  for (let i = 0; i < 2000; i++) {
    const position = (random.next() * 2 ** 21 + random.below(2 ** 21)) % POSITION_MAX;
    const nodeId = random.below(1024);
    assertEquals(positionOf(idOf(position, nodeId), nodeId), position, `${position} of node ${nodeId}`);
  }
});

Deno.test("writeMessageId() makes ids that ascend with the position", () => {
  const positions = [
    0,
    1,
    4095,
    4096,
    2 ** 31,
    2 ** 32,
    2 ** 44 - 1,
    2 ** 44,
    POSITION_MAX - 1,
    POSITION_MAX,
  ];

  const ids = positions.map((position) => idOf(position, 5));

  assertEquals(ids, [...ids].sort());
});

Deno.test("firstPosition() leaves 4096 positions for each 2^20 ns, so that ids do not return", () => {
  const nowMs = 1_706_702_400_000;

  const first = firstPosition(nowMs);
  const later = firstPosition(nowMs + 1000);

  assert(later - first >= 3_900_000 && later - first <= 3_910_000, `${later - first} positions in a second`);
  assert(first > 0 && first < POSITION_MAX);
});
