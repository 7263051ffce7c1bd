import { assertEquals, assertThrows } from "@std/assert";
import { DER, derBoolean, derBytes, derNumber, DerReader, derTimeMs } from "../../src/tls/der.ts";

const bytes = (...values: readonly number[]) => Uint8Array.from(values);

Deno.test("DerReader reads values one after the other, and inside one another", () => {
  const reader = DerReader.only(bytes(0x30, 8, 0x02, 1, 7, 0x04, 3, 1, 2, 3), DER.sequence);

  assertEquals(reader.takeIf(DER.boolean), undefined);
  assertEquals(reader.take(DER.integer).content, bytes(7));
  assertEquals(reader.takeIf(DER.octetString)?.whole, bytes(0x04, 3, 1, 2, 3));
  assertEquals([reader.done, reader.takeIf(DER.boolean)], [true, undefined]);
  reader.end();
});

Deno.test("DerReader reads long lengths", () => {
  for (
    const [header, length] of [[[0x81, 0x80], 128], [[0x82, 1, 0], 256], [[0x83, 1, 0, 0], 65536]] as const
  ) {
    const content = new Uint8Array(length);

    assertEquals(new DerReader(bytes(0x04, ...header, ...content)).take(DER.octetString).content, content);
  }
});

Deno.test("DerReader refuses what is cut off, longer than need be, of a form that DER does not have, or too much", () => {
  const wrong = [
    [],
    [0x04],
    [0x04, 1],
    [0x04, 0x81],
    [0x04, 0x80, 0, 0],
    [0x04, 0x81, 1, 0],
    [0x04, 0x82, 0, 0x80, ...Array(128).fill(0)],
    [0x04, 0x85, 0, 0, 0, 0, 1, 0],
    [0x04, 0x84, 0xff, 0xff, 0xff, 0xff],
    [0x1f, 1, 0],
    [0x02, 1, 0],
    [0x04, 0, 0],
  ];

  for (const value of wrong) {
    assertThrows(() => DerReader.only(Uint8Array.from(value), DER.octetString), SyntaxError);
  }
});

Deno.test("derNumber() reads numbers up to six bytes that are not negative", () => {
  assertEquals([bytes(0), bytes(0x7f), bytes(1, 0), bytes(0, 0xff)].map(derNumber), [0, 127, 256, 255]);
  for (const value of [bytes(), bytes(0x80), bytes(0, 0, 0, 0, 0, 0, 1)]) {
    assertThrows(() => derNumber(value), SyntaxError);
  }
});

Deno.test("derBoolean() knows two values only", () => {
  assertEquals([bytes(0), bytes(0xff)].map(derBoolean), [false, true]);
  for (const value of [bytes(), bytes(1), bytes(0, 0)]) assertThrows(() => derBoolean(value), SyntaxError);
});

Deno.test("derBytes() takes whole bytes only", () => {
  assertEquals(derBytes(bytes(0, 1, 2)), bytes(1, 2));
  for (const value of [bytes(), bytes(1, 2)]) assertThrows(() => derBytes(value), SyntaxError);
});

Deno.test("derTimeMs() reads both forms of times, and no other", () => {
  const time = (type: number, text: string) => {
    const content = new TextEncoder().encode(text);
    return derTimeMs({ type, content, whole: content });
  };

  assertEquals(time(DER.utcTime, "240229235959Z"), Date.UTC(2024, 1, 29, 23, 59, 59));
  assertEquals(time(DER.utcTime, "500101000000Z"), Date.UTC(1950, 0, 1));
  assertEquals(time(DER.utcTime, "491231235959Z"), Date.UTC(2049, 11, 31, 23, 59, 59));
  assertEquals(time(DER.generalizedTime, "99991231235959Z"), Date.UTC(9999, 11, 31, 23, 59, 59));
  assertEquals(time(DER.generalizedTime, "00010101000000Z"), new Date("0001-01-01T00:00:00Z").getTime());
  for (
    const [type, text] of [
      [DER.utcTime, "20240229235959Z"],
      [DER.generalizedTime, "240229235959Z"],
      [DER.utcTime, "2402292359Z"],
      [DER.utcTime, "240229235959+0100"],
      [DER.utcTime, "230229000000Z"],
      [DER.utcTime, "241301000000Z"],
      [DER.utcTime, "240101240000Z"],
      [DER.utcTime, "240101006000Z"],
      [DER.utcTime, "240101000060Z"],
      [DER.utcTime, "240101000000Z0"],
      [DER.generalizedTime, "20240101000000.5Z"],
      [DER.integer, ""],
    ] as const
  ) {
    assertThrows(() => time(type, text), SyntaxError);
  }
});
