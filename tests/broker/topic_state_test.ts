import { assertEquals, assertThrows } from "@std/assert";
import { crc32c } from "../../src/base/crc32c.ts";
import {
  decodePage,
  decodeTopicState,
  encodePage,
  encodeTopicState,
  type PageState,
  StateFormatError,
  type TopicState,
} from "../../src/broker/topic_state.ts";

/** 2024-01-31 12:00 UTC, in ms. */
const NOON_MS = 1_706_702_400_000;

const PAGE: PageState = {
  finished: [{ from: 0, to: 2 }, { from: 4, to: 5 }],
  parked: [{ from: 6, to: 200 }],
  parkedDueMs: NOON_MS,
  outstanding: [{ index: 3, attempts: 258, dueMs: 0 }, { index: 5, attempts: 0, dueMs: 2 }],
};
/** `PAGE`, byte for byte; see topic_state.ts. */
const PAGE_GOLDEN = [
  "02 00 02 02 01",
  "01 06 c201 80d48ffbd531",
  "02 03 8202 00 01 00 02",
].join("").replaceAll(" ", "");

const STATE: TopicState = {
  first: 3,
  distributed: 300,
  end: 301,
  segments: [{ base: 3, count: 200 }, { base: 203, count: 98 }],
  channels: [{ name: "ch", pages: [{ base: 3, bytes: Uint8Array.fromHex(PAGE_GOLDEN) }] }],
};
/** `STATE` in version 3, byte for byte. */
const GOLDEN = [
  "4e5351535441 0003 bb1804d1",
  "03 ac02 ad02",
  "02 03 c801 c801 62",
  "01 02 6368 01",
  `03 17 ${PAGE_GOLDEN}`,
]
  .join("").replaceAll(" ", "");

/** Pages and their records. */
const PAGES: readonly (readonly [name: string, page: PageState, record: string])[] = [
  ["nothing", page({}), "00 00 00 00"],
  ["all finished", page({ finished: [{ from: 0, to: 65536 }] }), "01 00 808004 00 00 00"],
  [
    "a million parked",
    page({ parked: [{ from: 0, to: 1_000_000 }], parkedDueMs: NOON_MS }),
    "00 01 00 c0843d 80d48ffbd531 00",
  ],
  ["the last of a segment", page({ finished: [{ from: 65535, to: 65536 }] }), "01 ffff03 01 00 00 00"],
  [
    "one after the other",
    page({ outstanding: [0, 1, 2].map((index) => ({ index, attempts: 1, dueMs: 0 })) }),
    "00 00 00 03 00 01 00 00 01 00 00 01 00",
  ],
  [
    "the most attempts",
    page({ outstanding: [{ index: 127, attempts: 65535, dueMs: 128 }] }),
    "00 00 00 01 7f ffff03 8001",
  ],
  ["all kinds", PAGE, PAGE_GOLDEN],
];

for (const [name, state, record] of PAGES) {
  Deno.test(`encodePage() and decodePage() have a record of ${name}`, () => {
    const hex = record.replaceAll(" ", "");

    assertEquals(encodePage(state).toHex(), hex);
    assertEquals(decodePage(Uint8Array.fromHex(hex)), state);
  });
}

Deno.test("encodePage() rounds times up: nothing is due before its time", () => {
  const record = encodePage(page({
    parked: [{ from: 1, to: 2 }],
    parkedDueMs: 0.25,
    outstanding: [{ index: 0, attempts: 1, dueMs: NOON_MS + 0.001 }],
  }));

  const { parkedDueMs, outstanding } = decodePage(record);
  assertEquals([parkedDueMs, outstanding[0].dueMs], [1, NOON_MS + 1]);
});

Deno.test("decodePage() refuses a record that is cut off, wherever", () => {
  for (let length = 0; length < PAGE_GOLDEN.length / 2; length++) {
    const bytes = Uint8Array.fromHex(PAGE_GOLDEN).subarray(0, length);

    assertThrows(() => decodePage(bytes), StateFormatError, "State file ends too early", `${length} bytes`);
  }
});

Deno.test("encodeTopicState() writes version 3 of its format byte for byte", () => {
  assertEquals(encodeTopicState(STATE).toHex(), GOLDEN);
});

Deno.test("decodeTopicState() reads version 3 of its format", () => {
  assertEquals(decodeTopicState(Uint8Array.fromHex(GOLDEN)), STATE);
});

Deno.test("decodeTopicState() gives back what encodeTopicState() was given, at the edges too", () => {
  const most = Number.MAX_SAFE_INTEGER;
  const states: TopicState[] = [
    { first: 0, distributed: 0, end: 0, segments: [], channels: [] },
    {
      first: most - 2,
      distributed: most - 1,
      end: most,
      segments: [{ base: 0, count: 1 }, { base: 2 ** 52 + 1, count: 65536 }, { base: most - 2, count: 2 }],
      channels: [
        { name: "x".repeat(64), pages: [] },
        {
          name: "a.b-c_d",
          pages: [{ base: 0, bytes: new Uint8Array() }, {
            base: 2 ** 52 + 1,
            bytes: new Uint8Array(70_000).fill(7),
          }],
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

Deno.test("decodeTopicState() refuses a state that is too short for what it says, though its checksum fits", () => {
  for (let length = 12; length < GOLDEN.length / 2; length++) {
    const bytes = Uint8Array.fromHex(GOLDEN).slice(0, length);
    new DataView(bytes.buffer).setUint32(8, crc32c(bytes, 12));

    assertThrows(
      () => decodeTopicState(bytes),
      StateFormatError,
      "State file ends too early",
      `${length} bytes`,
    );
  }
});

for (const version of [0, 1, 2, 4, 0x0102]) {
  Deno.test(`decodeTopicState() names version ${version}, which it does not know`, () => {
    const bytes = Uint8Array.fromHex(GOLDEN);
    new DataView(bytes.buffer).setUint16(6, version);

    assertThrows(
      () => decodeTopicState(bytes),
      StateFormatError,
      `State file of version ${version}, this program knows 3`,
    );
  });
}

Deno.test("decodeTopicState() refuses the file of another program", () => {
  for (const text of ["", "NSQ", "nsqd.dat is JSON", '{"topics":[],"version":"1.3.0"}']) {
    const bytes = new TextEncoder().encode(text);

    assertThrows(() => decodeTopicState(bytes), StateFormatError, "Not a state file", JSON.stringify(text));
  }
});

/** A page of which only some is not empty. */
function page(given: Partial<PageState>): PageState {
  return { finished: [], parked: [], parkedDueMs: 0, outstanding: [], ...given };
}
