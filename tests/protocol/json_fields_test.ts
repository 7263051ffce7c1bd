import { assertEquals, assertThrows } from "@std/assert";
import { JSON_DEPTH_MAX, jsonFields } from "../../src/protocol/json_fields.ts";

const OBJECTS:
  readonly (readonly [text: string, fields: readonly (readonly [name: string, text: string])[]])[] = [
    ["{}", []],
    [" { } ", []],
    ['{"a":1}', [["a", "1"]]],
    [' {\n"a" : 1.0 ,\t"b":null } ', [["a", "1.0"], ["b", "null"]]],
    ['{"a":1,"a":"b","A":true}', [["a", "1"], ["a", '"b"'], ["A", "true"]]],
    ['{"a":{"b":1,"c":[2,{"d":3}]},"e":[]}', [["a", '{"b":1,"c":[2,{"d":3}]}'], ["e", "[]"]]],
    ['{"a":"}","b":"\\",\\"b\\":1","c":"\\\\"}', [["a", '"}"'], ["b", '"\\",\\"b\\":1"'], ["c", '"\\\\"']]],
    ['{"\\u0061\\n":1,"":2,":":3}', [["a\n", "1"], ["", "2"], [":", "3"]]],
    ['{"__proto__":1}', [["__proto__", "1"]]],
  ];

for (const [text, fields] of OBJECTS) {
  Deno.test(`jsonFields() finds the fields of ${text}`, () => {
    assertEquals(jsonFields(text)?.map(({ name, text }) => [name, text]), fields.map((field) => [...field]));
  });
}

Deno.test("jsonFields() takes null for no object, and nothing else", () => {
  assertEquals(jsonFields(" null "), undefined);
  for (const text of ["", "1", "[]", '"a"', '["a"]', "{", '{"a"}', '{"a":1}}', "\ufeff{}"]) {
    assertThrows(() => jsonFields(text), SyntaxError);
  }
});

Deno.test("jsonFields() takes what is as deep as Go takes, and not one more", () => {
  const nested = (depth: number) => `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;

  assertEquals(jsonFields(nested(JSON_DEPTH_MAX))?.length, 1);
  assertThrows(() => jsonFields(nested(JSON_DEPTH_MAX + 1)), SyntaxError, "JSON is nested too deeply");
});
