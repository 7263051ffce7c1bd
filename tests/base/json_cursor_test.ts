import { assertEquals, assertThrows } from "@std/assert";
import {
  ATOM_SIZE_MAX,
  DEPTH_MAX,
  JsonCursor,
  NO_FIELD,
  VALUE_SIZE_MAX,
} from "../../src/base/json_cursor.ts";
import { FieldNames, OTHER } from "../../src/base/field_names.ts";
import { KnownTexts } from "../../src/base/known_texts.ts";
import { mutated } from "../fuzz/mutated.ts";
import { Random } from "../support/random.ts";

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

function cursorAt(text: string | Uint8Array): JsonCursor {
  return new JsonCursor(typeof text === "string" ? ENCODER.encode(text) : text, new KnownTexts(100));
}

/** Passes over the whole text, which is the value of a field; how often it had to be called. */
function passed(text: string | Uint8Array): number {
  const bytes = typeof text === "string" ? ENCODER.encode(text) : text;
  const whole = new Uint8Array(bytes.length + 6);
  whole.set(ENCODER.encode('{"x":'));
  whole.set(bytes, 5);
  whole[whole.length - 1] = 0x7d;
  const cursor = cursorAt(whole);
  const names = new FieldNames([]);
  cursor.beginObject("it");
  assertEquals(cursor.nextField(names), OTHER);
  let calls = 1;
  while (!cursor.passField(names)) calls++;
  if (cursor.nextField(names) !== NO_FIELD) throw new SyntaxError("the text is more than a value");
  cursor.end();
  return calls;
}

function accepts(bytes: Uint8Array): boolean {
  try {
    passed(bytes);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(DECODER.decode(bytes));
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

Deno.test("JsonCursor reads objects, lists, numbers, texts and flags, whatever stands between them", () => {
  const names = new FieldNames(["name", "count", "list", "is"]);
  const said: unknown[] = [];
  const text =
    ' { "count" : 12 ,"more":{"a":[1,{}]}, "is":true,"name":"a\\u0062\\n\u00e9","list":[ 1, 2 ] }\n';
  const cursor = cursorAt(text);

  assertEquals(cursor.beginObject("it"), true);
  for (let field = cursor.nextField(names); field !== NO_FIELD; field = cursor.nextField(names)) {
    if (field === 0) said.push(cursor.text("name"));
    else if (field === 1) said.push(cursor.whole("count"));
    else if (field === 3) said.push(cursor.flag("is"));
    else if (field === 2) {
      cursor.beginList("list");
      while (cursor.nextItem()) said.push(cursor.whole("item"));
    } else said.push(cursor.value("more"));
  }
  cursor.end();

  assertEquals(said, [12, { a: [1, {}] }, true, "ab\n\u00e9", 1, 2]);
});

Deno.test("JsonCursor takes null for what is empty", () => {
  const cursor = cursorAt("[null,null,null,null,null]");
  cursor.beginList("it");
  const items = [
    () => cursor.beginObject("o"),
    () => cursor.beginList("l"),
    () => cursor.whole("n"),
    () => cursor.text("t"),
    () => cursor.flag("f"),
  ].map((read) => [cursor.nextItem(), read()]);

  assertEquals(items, [[true, false], [true, false], [true, 0], [true, ""], [true, false]]);
  assertEquals(cursor.nextItem(), false);
  cursor.end();
});

for (
  const [text, value] of [
    ["0", 0],
    ["-0", -0],
    ["7", 7],
    ["-12", -12],
    ["999999999999999", 999_999_999_999_999],
    ["1000000000000000", 1e15],
    ["9007199254740993", 9_007_199_254_740_992],
    ["1e3", 1000],
    ["1E+3", 1000],
    ["10e-1", 1],
    ["1.0", 1],
    ["12345678901234567890123", 1.2345678901234568e22],
  ] as const
) {
  Deno.test(`JsonCursor.whole() reads ${text}`, () => {
    assertEquals(cursorAt(text).whole("n"), value);
  });
}

for (
  const [text, read, reason] of [
    ["1.5", "whole", "n is no whole number"],
    ["1e400", "whole", "n is no whole number"],
    ['"1"', "whole", "n is no whole number"],
    ["{}", "whole", "n is no whole number"],
    ["1", "text", "n is no string"],
    ["[]", "text", "n is no string"],
    ["true", "text", "n is no string"],
    ["0", "flag", "n is not true or false"],
    ['"true"', "flag", "n is not true or false"],
    ["[]", "beginObject", "n is no object"],
    ["{}", "beginList", "n is no list"],
    ['"[]"', "beginList", "n is no list"],
  ] as const
) {
  Deno.test(`JsonCursor.${read}() refuses ${text}`, () => {
    assertThrows(() => cursorAt(text)[read]("n"), TypeError, reason);
  });
}

Deno.test("JsonCursor learns in which order fields come, and reads them in any other", () => {
  const names = new FieldNames(["a", "b"]);
  const objects = [
    '{"a":1,"x":[1],"b":2}',
    '{"a":3,"x":[1],"b":4}',
    '{"b":5,"x":[1,2],"a":6}',
    '{"ab":1,"\\u0061":7}',
    "{}",
  ];
  const read = objects.map((text) => {
    const cursor = cursorAt(text);
    const found: Record<string, number> = {};
    cursor.beginObject("it");
    for (let field = cursor.nextField(names); field !== NO_FIELD; field = cursor.nextField(names)) {
      if (field === OTHER) assertEquals(cursor.passField(names), true);
      else found["ab"[field]] = cursor.whole("n");
    }
    cursor.end();
    return found;
  });

  assertEquals(read, [{ a: 1, b: 2 }, { a: 3, b: 4 }, { b: 5, a: 6 }, { a: 7 }, {}]);
});

Deno.test("JsonCursor does not take the beginning of a value for the one that was there before", () => {
  for (
    const [first, second] of [["1", "12"], ["1", "1.5"], ["1", "1e5"], ["true", "truex"], ['"a"', '"a"b']]
  ) {
    const names = new FieldNames([]);
    const read = (text: string) => {
      const cursor = cursorAt(`{"x":${text}}`);
      cursor.beginObject("it");
      cursor.nextField(names);
      cursor.passField(names);
      return [cursor.nextField(names), cursor.end()][0];
    };
    assertEquals(read(first), NO_FIELD);
    if (isJson(ENCODER.encode(second))) assertEquals(read(second), NO_FIELD);
    else assertThrows(() => read(second), SyntaxError);
  }
});

Deno.test("JsonCursor tells names and values that differ in one byte, wherever that is and wherever they begin", () => {
  for (let length = 1; length <= 12; length++) {
    const text = "a".repeat(length);
    for (let i = 0; i < length; i++) {
      const other = `${text.slice(0, i)}b${text.slice(i + 1)}`;
      const object = (field: string, value: string) => `{"${field}":1,"x":"${value}","${field}":2}`;
      const list = [object(text, text), object(text, other), object(other, text), object(text, text)];
      for (const space of ["", " ", "  ", "   "]) {
        const names = new FieldNames([text, other]);
        const cursor = cursorAt(`${space}[${list}]`);
        const found: number[] = [];
        cursor.beginList("it");
        while (cursor.nextItem()) {
          cursor.beginObject("it");
          for (let field = cursor.nextField(names); field !== NO_FIELD; field = cursor.nextField(names)) {
            if (field === OTHER) cursor.passField(names);
            else found.push(field, cursor.whole("it"));
          }
        }
        cursor.end();

        assertEquals(found, [0, 1, 0, 2, 0, 1, 0, 2, 1, 1, 1, 2, 0, 1, 0, 2]);
      }
    }
  }
});

Deno.test("JsonCursor finds that a text ends where it was to go on as before", () => {
  const object = '{"name":"a","message_count":12,"latency":{"count":0}}';
  for (let end = 0; end < object.length; end++) {
    const bytes = ENCODER.encode(`[${object},${object}]`);
    // What lies behind it in the same memory is not its own.
    const cursor = cursorAt(bytes.subarray(0, 1 + object.length + 1 + end));
    const names = new FieldNames(["message_count"]);
    const read = () => {
      cursor.beginList("it");
      while (cursor.nextItem()) {
        cursor.beginObject("it");
        for (let field = cursor.nextField(names); field !== NO_FIELD; field = cursor.nextField(names)) {
          if (field === 0) cursor.whole("it");
          else cursor.passField(names);
        }
      }
    };

    assertThrows(read, SyntaxError, "Unexpected end of JSON");
  }
});

Deno.test("JsonCursor takes for JSON what JSON.parse takes for it", () => {
  const right = [
    '{"a":[1,-2.5e+10,true,false,null,"\\u00e9\\n\\"",{"b":{}},[[]]],"":0}',
    '["\u00e9\ud83d\ude00",0.1,-0,1E5, [ ] ,{ "c" : "d" } ]',
    '"text \\\\ \\/ \\b\\f\\r\\t"',
    "  -12.0e-3  ",
  ].map((text) => ENCODER.encode(text));
  for (const bytes of right) assertEquals([isJson(bytes), accepts(bytes)], [true, true]);

  for (let seed = 0; seed < 4000; seed++) {
    const random = new Random(seed);
    const bytes = mutated(random, random.pick(right));
    assertEquals(accepts(bytes), isJson(bytes), `seed ${seed}: ${DECODER.decode(bytes)}`);
  }
});

for (
  const text of [
    ...[
      "",
      " ",
      "{",
      "[",
      "[1",
      "[1,",
      "[,1]",
      "[1,]",
      '{"a"',
      '{"a":',
      '{"a":1',
      '{"a":1,}',
      "{,}",
      "{a:1}",
      "[1}",
      "{]",
    ],
    ...[
      "01",
      "-",
      "+1",
      "1.",
      ".5",
      "1e",
      "1e+",
      "0x1",
      "NaN",
      "tru",
      "nulll",
      "1 2",
      '"',
      '"\\',
      '"\\x"',
      '"\\u12"',
    ],
    ...['"\n"', '"\u0000"', "\ufeff1", "\u00a01", "/**/1", "'a'"],
  ]
) {
  Deno.test(`JsonCursor refuses ${JSON.stringify(text)}`, () => {
    assertEquals(isJson(ENCODER.encode(text)), false);
    assertThrows(() => passed(text), SyntaxError);
  });
}

Deno.test("JsonCursor passes over what is long a part at a time", () => {
  const long = JSON.stringify(
    Array.from({ length: 50_000 }, (_, i) => ({ name: `n${i}`, list: [i, [null]] })),
  );

  assertEquals([passed("[1]"), passed(long) > 10], [1, true]);
});

Deno.test("JsonCursor refuses what cannot be read in one go, and what is too deep", () => {
  const text = (length: number) => `"${"x".repeat(length)}"`;
  const deep = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

  for (
    const [passing, refused] of [
      [text(ATOM_SIZE_MAX), text(ATOM_SIZE_MAX + 1)],
      ["1".repeat(ATOM_SIZE_MAX), "1".repeat(ATOM_SIZE_MAX + 1)],
      [`${" ".repeat(ATOM_SIZE_MAX)}1`, `${" ".repeat(ATOM_SIZE_MAX + 1)}1`],
      [deep(DEPTH_MAX), deep(DEPTH_MAX + 1)],
    ]
  ) {
    passed(passing);
    assertThrows(() => passed(refused), SyntaxError);
  }
  assertEquals(cursorAt(text(VALUE_SIZE_MAX - 2)).value("it"), "x".repeat(VALUE_SIZE_MAX - 2));
  assertThrows(() => cursorAt(text(VALUE_SIZE_MAX - 1)).value("it"), TypeError, "it is too long");
});

Deno.test("KnownTexts knows texts again, and forgets them when there are too many", () => {
  const texts = new KnownTexts(2);
  const read = (text: string) => texts.at(ENCODER.encode(`<${text}>`), 1, text.length + 1);

  const all = ["a", "topic", "a", "", "topic", "x".repeat(1000)];
  assertEquals(all.map(read), all);
});
