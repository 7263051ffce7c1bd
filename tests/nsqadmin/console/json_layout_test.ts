import { assert, assertEquals } from "@std/assert";
import { INDENTED_LEVELS_MAX, laidOutJson } from "../../../src/nsqadmin/console/json_layout.ts";

Deno.test("laidOutJson() has a line for each value, and leaves numbers and texts as they are written", () => {
  const text = '{"id":12345678901234567890,"a":[1.0, [],{}],"t":"{\\"x\\": [1,2]}","n":null}';

  assertEquals(
    laidOutJson(text),
    `{
  "id": 12345678901234567890,
  "a": [
    1.0,
    [],
    {}
  ],
  "t": "{\\"x\\": [1,2]}",
  "n": null
}`,
  );
  assertEquals(laidOutJson('[{"a":1},[2]]'), '[\n  {\n    "a": 1\n  },\n  [\n    2\n  ]\n]');
  assertEquals(laidOutJson(" 1 "), "1");
});

for (const text of ["", "{", "nope", "[1,]", '{"a":1} x']) {
  Deno.test(`laidOutJson() lays out nothing of ${JSON.stringify(text)}`, () => {
    assertEquals(laidOutJson(text), undefined);
  });
}

Deno.test("laidOutJson() of what is very deep is not much longer", () => {
  const deep = 1000;
  const laidOut = laidOutJson("[".repeat(deep) + "]".repeat(deep)) ?? "";

  assert(laidOut.length < deep * 2 * (INDENTED_LEVELS_MAX * 2 + 2));
});
