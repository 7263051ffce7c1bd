import { assertEquals, assertThrows } from "@std/assert";
import {
  InputError,
  type InputForm,
  type InputRecord,
  RECORD_SIZE_MAX,
  recordReader,
} from "../../src/tools/records.ts";

type Seen = [body: string, end: number, number: number];

/** Reads an input in pieces of so many bytes. */
function read(form: InputForm, input: string | Uint8Array, pieceSize: number, delimiter?: number): Seen[] {
  const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
  const reader = recordReader(form, delimiter);
  const records: InputRecord[] = [];
  for (let at = 0; at < bytes.length; at += pieceSize) {
    reader.push(bytes.slice(at, at + pieceSize), records);
  }
  reader.end(records);
  return records.map(({ body, end, number }) => [new TextDecoder().decode(body), end, number]);
}

const CASES: readonly (readonly [string, InputForm, string | Uint8Array, Seen[], number?])[] = [
  ["lines", "lines", "one\ntwo\n", [["one", 4, 1], ["two", 8, 2]]],
  ["a last line without an end, whole", "lines", "one\ntwo", [["one", 4, 1], ["two", 7, 2]]],
  ["no empty lines", "lines", "\n\none\n\ntwo\n\n", [["one", 6, 1], ["two", 11, 2]]],
  ["carriage returns as they are", "lines", "one\r\n", [["one\r", 5, 1]]],
  ["another delimiter", "lines", "a,b\nc,d,", [["a", 2, 1], ["b\nc", 6, 2], ["d", 8, 3]], 44],
  ["nothing", "lines", "", []],
  ["JSON", "ndjson", '{"a":1}\n\n[2]\n', [['{"a":1}', 8, 1], ["[2]", 13, 2]]],
  [
    "records of CSV",
    "csv",
    'a,b\r\n1,"x ""y"",\nz"\r\n\r\n2,\n',
    [['{"a":"1","b":"x \\"y\\",\\nz"}', 21, 2], ['{"a":"2","b":""}', 26, 4]],
  ],
  ["lengths", "length", Uint8Array.of(0, 0, 0, 2, 97, 98, 0, 0, 0, 0, 0, 0, 0, 1, 99), [["ab", 6, 1], [
    "c",
    15,
    3,
  ]]],
  ["everything at once", "whole", "one\ntwo\n", [["one\ntwo\n", 8, 1]]],
];

for (const [what, form, input, expected, delimiter] of CASES) {
  for (const pieceSize of [1, 3, 1000]) {
    Deno.test(`recordReader() reads ${what}, in pieces of ${pieceSize} bytes`, () => {
      assertEquals(read(form, input, pieceSize, delimiter), expected);
    });
  }
}

for (
  const [form, input, problem] of [
    ["ndjson", '{"a":1}\nnot json\n', "line 2 is no JSON: "],
    ["csv", "a,b\n1\n", "record 2 has 1 fields, and the first has 2"],
    ["csv", 'a\nx"y"\n', "record 2 is no CSV: a quote stands where none may"],
    ["csv", 'a\n"never ends\n', "record 2 is no CSV: a quote stands where none may"],
    ["length", "\0\0\0\x05abc", "the input ends within message 1"],
    ["length", "\0\0", "the input ends within message 1"],
  ] as const
) {
  Deno.test(`recordReader() refuses ${form} that is none: ${JSON.stringify(input)}`, () => {
    assertThrows(() => read(form, input, 1000), InputError, problem);
  });
}

Deno.test("recordReader() refuses a length above the most, and takes the most", () => {
  const prefixOf = (length: number) => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, length);
    return bytes;
  };

  recordReader("length").push(prefixOf(RECORD_SIZE_MAX), []);
  assertThrows(
    () => recordReader("length").push(prefixOf(RECORD_SIZE_MAX + 1), []),
    InputError,
    `message 1 has more than ${RECORD_SIZE_MAX} bytes`,
  );
});
