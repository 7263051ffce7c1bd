import { assertEquals, assertThrows } from "@std/assert";
import { crc32c } from "../../src/base/crc32c.ts";
import {
  type ChannelState,
  decodeTopicState,
  encodeTopicState,
  neededIn,
  type PageState,
  type TopicState,
} from "../../src/broker/topic_state.ts";
import { StateFormatError } from "../../src/broker/varints.ts";
import { NOTHING_DUE } from "../../src/log/message_reader.ts";
import { testTopic } from "../support/broker_setup.ts";
import { join } from "../support/frames.ts";

/** 2024-01-31 12:00 UTC, in ms. */
const NOON_MS = 1_706_702_400_000;
const MOST = Number.MAX_SAFE_INTEGER;

const PAGE: PageState = {
  base: 3,
  start: 2,
  end: 199,
  parked: 150,
  nextDueMs: NOON_MS,
  woken: { dueMs: NOON_MS, index: 65_535 },
  slots: [
    { index: 3, attempts: 258, dueMs: 0, offset: 16, length: 135 },
    { index: 5, attempts: 0, dueMs: 2, offset: 0, length: 0 },
  ],
  taken: [7, 198],
};
const STATE: TopicState = {
  distributed: 300,
  end: 301,
  closedEnd: 203,
  stored: [{ from: 3, to: 203 }, { from: 205, to: 301 }],
  channels: [{ name: "ch", ranges: [{ from: 100, to: 203 }, { from: 205, to: 300 }], pages: [PAGE] }],
};
const ITEMS = [
  "ac02 ad02 cb01",
  "02 03 c801 02 60",
  "01 02 6368",
  "02 64 67 02 5f",
  "01 03 02 c701 9601 80d48ffbd531 80d48ffbd531 808004",
  "02 03 8202 00 10 8701 01 00 02 00 00",
  "02 07 be01",
  "00",
  "00",
].join("").replaceAll(" ", "");
/** `STATE` in version 5, byte for byte. */
const GOLDEN = `4e5351535441 0005 0000003e 3c38aa33 ${ITEMS} 00000000 00000001`.replaceAll(" ", "");

Deno.test("encodeTopicState() writes version 5 of its format byte for byte", () => {
  assertEquals(encoded(STATE).toHex(), GOLDEN);
});

Deno.test("decodeTopicState() reads version 5 of its format", () => {
  assertEquals(decodeTopicState(Uint8Array.fromHex(GOLDEN)), STATE);
});

Deno.test("decodeTopicState() gives back what encodeTopicState() was given, at the edges too", () => {
  const states: TopicState[] = [
    { distributed: 0, end: 0, closedEnd: 0, stored: [], channels: [] },
    {
      distributed: MOST - 1,
      end: MOST,
      closedEnd: MOST,
      stored: [{ from: 0, to: 1 }, { from: 2 ** 52 + 1, to: MOST }],
      channels: [
        channel("x".repeat(64), {}),
        channel("a.b-c_d", {
          ranges: [{ from: MOST - 1, to: MOST }],
          pages: [
            page({ base: MOST - 65_536, slots: [0, 1, 2, 65_535].map((index) => slot(index, 65_535)) }),
            page({ base: MOST, start: 65_535, end: 65_536, parked: 1 }),
          ],
        }),
      ],
    },
  ];

  for (const state of states) assertEquals(decodeTopicState(encoded(state)), state);
});

Deno.test("encodeTopicState() writes a large state in chunks, and asks for a page when its turn has come", () => {
  let asked = 0;
  const pages = Array.from(
    { length: 20_000 },
    (_, i) => page({ base: 65_536 * i, slots: [slot(i % 65_536, 1)] }),
  );
  const counted = function* () {
    for (const one of pages) {
      asked++;
      yield one;
    }
  };
  const askedFor: number[] = [];
  const pieces: Uint8Array[] = [];
  for (
    const piece of encodeTopicState({ ...STATE, channels: [channel("c", { pages: counted() as never })] })
  ) {
    askedFor.push(asked);
    pieces.push(piece);
  }

  // A header, chunks of some more than 64 KiB, an end.
  assertEquals(pieces.slice(1, -2).every(({ length }) => length >= 65_536 && length < 65_700), true);
  assertEquals(askedFor.length > 3, true);
  assertEquals(askedFor, askedFor.toSorted((a, b) => a - b));
  assertEquals([askedFor[0], askedFor[1] < 10_000, askedFor.at(-1)], [0, true, 20_000]);
  const [{ pages: decoded }] = decodeTopicState(join(...pieces)).channels;
  assertEquals([...decoded], pages);
});

Deno.test("Topic.saveState() needs few bytes, however many segments and channels have nothing out of order", async () => {
  const { topic, stores, publish } = testTopic({ durability: "disk" });
  for (let i = 0; i < 40; i++) topic.channel(`channel-${i}`);
  for (let i = 0; i < 200; i++) {
    publish("a");
    topic.log.seal();
  }

  await topic.saveState();

  const { length = 0 } = stores.open("t").readState() ?? {};
  assertEquals(topic.log.segments.length, 200);
  // Of each channel its name and a range.
  assertEquals(length < 40 * 30, true, `${length} bytes`);
});

Deno.test("encodeTopicState() rounds times up: nothing is due before its time", () => {
  const state = withPages(page({ nextDueMs: 0.25, slots: [{ ...slot(0, 1), dueMs: NOON_MS + 0.001 }] }));

  const [{ pages }] = decodeTopicState(encoded(state)).channels;
  const [{ nextDueMs, slots }] = pages;
  assertEquals([nextDueMs, slots[0].dueMs], [1, NOON_MS + 1]);
});

Deno.test("encodeTopicState() keeps a page of which nothing was due yet as one of which everything is to come", () => {
  const [{ pages }] = decodeTopicState(encoded(withPages(page({ woken: NOTHING_DUE, parked: 5 })))).channels;

  const [{ woken }] = pages;
  assertEquals(woken, { dueMs: 0, index: -1 });
});

Deno.test("decodeTopicState() reads from the middle of a buffer", () => {
  const buffer = new Uint8Array(200).fill(0xee);
  const bytes = Uint8Array.fromHex(GOLDEN);
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

Deno.test("decodeTopicState() refuses a state that is cut off, or goes on, wherever", () => {
  const whole = Uint8Array.fromHex(GOLDEN);
  for (let length = 0; length < whole.length; length++) {
    const bytes = whole.subarray(0, length);

    assertThrows(() => decodeTopicState(bytes), StateFormatError, undefined, `${length} bytes`);
  }
  assertThrows(() => decodeTopicState(join(whole, Uint8Array.of(0))), StateFormatError);
});

Deno.test("decodeTopicState() refuses a state without one of its chunks", () => {
  const pages = Array.from({ length: 20_000 }, (_, i) => page({ base: i, slots: [slot(0, 1)] }));
  const pieces = [...encodeTopicState(withPages(...pages))];
  assertEquals(pieces.length > 4, true);

  for (let i = 1; i < pieces.length; i++) {
    const bytes = join(...pieces.filter((_, j) => j !== i));

    assertThrows(() => decodeTopicState(bytes), StateFormatError, undefined, `without ${i}`);
  }
});

Deno.test("decodeTopicState() refuses items that are too few for what they say, though their checksum fits", () => {
  const items = Uint8Array.fromHex(ITEMS);
  for (let length = 1; length < items.length; length++) {
    const bytes = ofItems(items.subarray(0, length));

    assertThrows(() => decodeTopicState(bytes), StateFormatError, "State file ends too early");
  }
});

Deno.test("decodeTopicState() believes no count that the rest of the bytes cannot have", () => {
  // 2^52 ranges.
  assertThrows(
    () => decodeTopicState(ofItems(Uint8Array.of(1, 1, 1, 128, 128, 128, 128, 128, 128, 128, 8))),
    StateFormatError,
    "State file ends too early",
  );
  assertThrows(
    () => decodeTopicState(ofItems(new Uint8Array(20).fill(255))),
    StateFormatError,
    "Number out of range",
  );
});

for (const version of [0, 1, 2, 6, 0x0102]) {
  Deno.test(`decodeTopicState() names version ${version}, which it does not know`, () => {
    const bytes = Uint8Array.fromHex(GOLDEN);
    new DataView(bytes.buffer).setUint16(6, version);

    assertThrows(
      () => decodeTopicState(bytes),
      StateFormatError,
      `State file of version ${version}, this program knows 5`,
    );
  });
}

Deno.test("decodeTopicState() refuses the file of another program", () => {
  for (const text of ["", "NSQ", "nsqd.dat is JSON", '{"topics":[],"version":"1.3.0"}']) {
    const bytes = new TextEncoder().encode(text);

    assertThrows(() => decodeTopicState(bytes), StateFormatError, "Not a state file", JSON.stringify(text));
  }
});

/** `STATE` as version 3 would have had it, byte for byte. */
const GOLDEN_V3 = [
  "4e5351535441 0003 bb1804d1",
  "03 ac02 ad02",
  "02 03 c801 c801 62",
  "01 02 6368 01",
  "03 17 02 00 02 02 01 01 06 c201 80d48ffbd531 02 03 8202 00 01 00 02",
].join("").replaceAll(" ", "");

Deno.test("decodeTopicState() reads version 3: what a channel's records do not speak of waits", () => {
  const { channels, ...topic } = decodeTopicState(Uint8Array.fromHex(GOLDEN_V3));

  assertEquals(topic, {
    distributed: 300,
    end: 301,
    closedEnd: 0,
    stored: [{ from: 3, to: 203 }, { from: 203, to: 301 }],
  });
  // Of the segment at 3, messages 0, 1, 4 are finished, 3 and 5 outstanding, 6 to 199 parked.
  assertEquals([...channels], [{
    name: "ch",
    ranges: [{ from: 5, to: 6 }, { from: 203, to: 300 }],
    pages: [{
      base: 3,
      start: 0,
      end: 0,
      parked: 0,
      nextDueMs: NOON_MS,
      woken: NOTHING_DUE,
      slots: [
        { index: 3, attempts: 258, dueMs: 0, offset: 0, length: 0 },
        { index: 5, attempts: 0, dueMs: 2, offset: 0, length: 0 },
      ],
      taken: [],
      unparked: [{ from: 6, to: 200 }],
    }],
  }]);
});

Deno.test("decodeTopicState() refuses a state of version 3 with a wrong bit, whichever", () => {
  for (let bit = 0; bit < GOLDEN_V3.length * 4; bit++) {
    const bytes = Uint8Array.fromHex(GOLDEN_V3);
    bytes[bit >> 3] ^= 1 << (bit & 7);

    assertThrows(() => decodeTopicState(bytes), StateFormatError, undefined, `bit ${bit}`);
  }
});

Deno.test("decodeTopicState() refuses a state of version 3 that is too short for what it says, though its checksum fits", () => {
  for (let length = 12; length < GOLDEN_V3.length / 2; length++) {
    const bytes = Uint8Array.fromHex(GOLDEN_V3).slice(0, length);
    new DataView(bytes.buffer).setUint32(8, crc32c(bytes, 12));

    assertThrows(() => decodeTopicState(bytes), StateFormatError, "State file ends too early");
  }
});

Deno.test("neededIn() counts what the topic and the channel with most had still to deliver", () => {
  const state: TopicState = {
    ...STATE,
    distributed: 100,
    channels: [
      channel("few", { ranges: [{ from: 90, to: 100 }] }),
      channel("many", {
        ranges: [{ from: 50, to: 100 }],
        pages: [
          // One behind the cursor, one in front of it; of the parked ones, five are behind it at most.
          page({ base: 40, slots: [slot(0, 1), slot(12, 1)], start: 5, end: 30, parked: 20 }),
          page({ base: 30, slots: [slot(0, 1), slot(1, 1)] }),
        ],
      }),
    ],
  };

  assertEquals(neededIn(state, { from: 40, to: 120 }), 20 + 50 + 1 + 5);
  assertEquals(neededIn(state, { from: 95, to: 105 }), 5 + 5);
  assertEquals(neededIn(state, { from: 30, to: 40 }), 2);
  assertEquals(neededIn(state, { from: 0, to: 30 }), 0);
  // The end of a segment.
  assertEquals(neededIn(state, { from: 31, to: 40 }), 1);
  assertEquals(neededIn(state, { from: 46, to: 50 }), 4);
});

function encoded(state: TopicState): Uint8Array {
  return join(...encodeTopicState(state));
}

/** A file with one chunk of these items. */
function ofItems(items: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + 8 + items.length + 8);
  const view = new DataView(bytes.buffer);
  bytes.set(Uint8Array.fromHex(GOLDEN).subarray(0, 8));
  view.setUint32(8, items.length);
  view.setUint32(12, crc32c(items));
  bytes.set(items, 16);
  view.setUint32(16 + items.length + 4, 1);
  return bytes;
}

function withPages(...pages: readonly PageState[]): TopicState {
  return { ...STATE, channels: [channel("c", { pages })] };
}

function channel(name: string, given: Partial<ChannelState>): ChannelState {
  return { name, ranges: [], pages: [], ...given };
}

/** A page of which only some is not empty. */
function page(given: Partial<PageState>): PageState {
  return {
    base: 0,
    start: 0,
    end: 0,
    parked: 0,
    nextDueMs: 0,
    woken: { dueMs: 0, index: -1 },
    slots: [],
    taken: [],
    ...given,
  };
}

function slot(index: number, attempts: number) {
  return { index, attempts, dueMs: 0, offset: 1024 * index, length: 40 };
}
