import { assertEquals, assertLessOrEqual, assertThrows } from "@std/assert";
import { decode, encode } from "@std/msgpack";
import { MsgpackError, MsgpackStream, type MsgpackValue } from "../../src/base/msgpack_stream.ts";
import { copiedBytes } from "../support/copied_bytes.ts";
import { Random } from "../support/random.ts";

/** Values, and the bytes that the specification gives them. */
const VALUES: readonly (readonly [MsgpackValue, string])[] = [
  [null, "c0"],
  [false, "c2"],
  [true, "c3"],
  [0, "00"],
  [127, "7f"],
  [-1, "ff"],
  [-32, "e0"],
  [200, "cc c8"],
  [40_000, "cd 9c40"],
  [3_000_000_000, "ce b2d05e00"],
  [18_446_744_073_709_551_615n, "cf ffffffffffffffff"],
  [-100, "d0 9c"],
  [-1000, "d1 fc18"],
  [-100_000, "d2 fffe7960"],
  [-1n, "d3 ffffffffffffffff"],
  [0.5, "ca 3f000000"],
  [1.5, "cb 3ff8000000000000"],
  ["", "a0"],
  ["Seq", "a3 536571"],
  ["x".repeat(40), `d9 28 ${"78".repeat(40)}`],
  ["x".repeat(300), `da 012c ${"78".repeat(300)}`],
  ["x", "db 00000001 78"],
  [Uint8Array.of(1, 2), "c4 02 0102"],
  [Uint8Array.of(1), "c5 0001 01"],
  [Uint8Array.of(1), "c6 00000001 01"],
  [[], "90"],
  [[1, [2, []]], "92 01 92 02 90"],
  [[7], "dc 0001 07"],
  [["a"], "dd 00000001 a161"],
  [{}, "80"],
  [{ Seq: 5, Error: "" }, "82 a3536571 05 a5 4572726f72 a0"],
  [{ a: { b: [1, "c"] } }, "81 a161 81 a162 92 01 a163"],
  [{ a: 1 }, "de 0001 a161 01"],
  [{ a: 1 }, "df 00000001 a161 01"],
];

Deno.test("MsgpackStream gives each value that arrives whole", () => {
  for (const [value, hex] of VALUES) {
    const stream = new MsgpackStream({ sizeMax: 1000 });

    stream.push(bytesOf(hex));

    assertEquals(stream.next(), value);
    assertEquals(stream.next(), undefined);
  }
});

Deno.test("MsgpackStream waits for the last byte of a value", () => {
  for (const [value, hex] of VALUES) {
    const stream = new MsgpackStream({ sizeMax: 1000 });
    const bytes = bytesOf(hex);

    for (const [i, byte] of bytes.entries()) {
      assertEquals(stream.next(), undefined, `${hex}, ${i} bytes`);
      stream.push(Uint8Array.of(byte));
    }

    assertEquals(stream.next(), value);
  }
});

Deno.test("MsgpackStream gives values in their order, however the bytes are cut", () => {
  const random = new Random(7);
  const bytes = bytesOf(VALUES.map(([, hex]) => hex).join(""));
  for (let round = 0; round < 50; round++) {
    const stream = new MsgpackStream({ sizeMax: 1000 });
    const values: MsgpackValue[] = [];

    for (let at = 0; at < bytes.length;) {
      const end = at + 1 + random.below(40);
      stream.push(bytes.subarray(at, end));
      for (let value = stream.next(); value !== undefined; value = stream.next()) values.push(value);
      at = end;
    }

    assertEquals(values, VALUES.map(([value]) => value));
  }
});

Deno.test("MsgpackStream gives byte strings that later bytes do not change", () => {
  const stream = new MsgpackStream({ sizeMax: 100 });
  stream.push(bytesOf("c4 02 0102"));
  const value = stream.next();

  for (let i = 0; i < 2000; i++) stream.push(bytesOf("c4 02 ffff")), stream.next();

  assertEquals(value, Uint8Array.of(1, 2));
});

Deno.test("MsgpackStream copies each byte a few times, also of large values that come in small pieces", () => {
  const bytes = encode(Array.from({ length: 4 }, () => "x".repeat(100_000)));
  const stream = new MsgpackStream({ sizeMax: 1024 * 1024 });
  let values = 0;

  const copied = copiedBytes(() => {
    for (let round = 0; round < 3; round++) {
      for (let at = 0; at < bytes.length; at += 100) {
        stream.push(bytes.subarray(at, at + 100));
        if (stream.next() !== undefined) values++;
      }
    }
  });

  assertEquals(values, 3);
  assertLessOrEqual(copied, 3 * 5 * bytes.length);
});

Deno.test("MsgpackStream takes a value of as many bytes as there may be, and refuses a larger one", () => {
  const stream = new MsgpackStream({ sizeMax: 10 });
  stream.push(bytesOf(`c4 08 ${"00".repeat(8)}`));
  assertEquals(stream.next(), new Uint8Array(8));

  stream.push(bytesOf("c4 09"));

  const error = assertThrows(() => stream.next(), MsgpackError);
  assertEquals(error.message, "A MessagePack value has more than 10 bytes");
});

Deno.test("MsgpackStream refuses a value by what its head announces, before it arrives", () => {
  for (const hex of ["c6 ffffffff", "db 7fffffff", "dd 00100000", "df 00080000", "91 dd 000fffff"]) {
    const stream = new MsgpackStream({ sizeMax: 1024 * 1024 });

    stream.push(bytesOf(hex));

    assertThrows(() => stream.next(), MsgpackError, "A MessagePack value has more than 1048576 bytes", hex);
  }
});

Deno.test("MsgpackStream refuses types that have no meaning here", () => {
  for (const hex of ["c1", "c7 01 05 00", "d4 05 00", "92 01 d8"]) {
    const stream = new MsgpackStream({ sizeMax: 100 });

    stream.push(bytesOf(hex));

    assertThrows(() => stream.next(), MsgpackError, "which have no meaning here", hex);
  }
});

Deno.test("MsgpackStream refuses what cannot be decoded: keys that are no names, lists in lists without end", () => {
  const deep = new Uint8Array(200_000).fill(0x91);
  deep[deep.length - 1] = 0xc0;
  for (const bytes of [bytesOf("81 90 01"), deep]) {
    const stream = new MsgpackStream({ sizeMax: 1024 * 1024 });

    stream.push(bytes);

    assertThrows(() => stream.next(), MsgpackError, "Cannot decode a MessagePack value: ");
  }
});

Deno.test("MsgpackStream gives a value, waits, or throws a MsgpackError, whatever the bytes", () => {
  const random = new Random(11);
  for (let round = 0; round < 3000; round++) {
    const stream = new MsgpackStream({ sizeMax: 200 });
    try {
      for (let i = 0; i < 5; i++) {
        stream.push(Uint8Array.from({ length: random.below(30) }, () => random.below(256)));
        while (stream.next() !== undefined);
      }
    } catch (error) {
      if (!(error instanceof MsgpackError)) throw error;
    }
  }
});

Deno.test("@std/msgpack encode() and decode() are what their types say", () => {
  assertEquals(decode(encode({ a: [1, "b"] })), { a: [1, "b"] });
});

/** Wrong uses, a line each; never called. */
export function wrongUses(): unknown[] {
  return [
    // @ts-expect-error a function is no value
    encode(() => {}),
    // @ts-expect-error only bytes can be decoded
    decode("a"),
    // @ts-expect-error the value may be anything
    decode(new Uint8Array(1)).length,
  ];
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16));
}
