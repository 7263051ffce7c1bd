import { assertEquals, assertThrows } from "@std/assert";
import { jsonJudge, type JsonRules } from "../../src/tools/json_rules.ts";

/** What becomes of a body: its text when it is passed on, or why not. */
function verdict(rules: Partial<JsonRules>, body: string): string | undefined {
  const judge = jsonJudge({ requireField: "", requireValue: "", fields: [], ...rules });
  const found = judge?.(new TextEncoder().encode(body));
  if (found?.kind === "passed") return new TextDecoder().decode(found.body);
  return found?.kind === "unusable" ? found.reason : found?.kind;
}

for (
  const [rules, body, expected] of [
    [{ requireField: "a" }, '{"a":null}', '{"a":null}'],
    [{ requireField: "a" }, '{"b":1}', "left out"],
    [{ requireField: "a" }, "null", "left out"],
    [{ requireField: "a" }, "[1]", "Unable to decode json"],
    [{ requireField: "a" }, "not json", "Unable to decode json"],
    [{ requireField: "a", requireValue: "yes" }, '{"a":"no"}', "left out"],
    [{ requireField: "a", requireValue: "5" }, '{"a":5.0}', '{"a":5.0}'],
    [{ requireField: "a", requireValue: "5" }, '{"a":"5"}', '{"a":"5"}'],
    [{ requireField: "a", requireValue: "true" }, '{"a":true}', "left out"],
    [{ requireField: "a", requireValue: " 5" }, '{"a":5}', "left out"],
    [{ requireField: "a", requireValue: "5" }, '{"b":5}', "missing field to check required value"],
    [{ requireField: "a.b" }, '{"a.b":1}', '{"a.b":1}'],
    [{ requireField: ".a.b[1]", requireValue: "x" }, '{"a":{"b":[0,"x"]}}', '{"a":{"b":[0,"x"]}}'],
    [{ requireField: ".a.b" }, '{"a":1}', "left out"],
    [{ fields: ["c", "a"] }, '{"a":1,"b":2,"c":[1.50,null]}', '{"a":1,"c":[1.50,null]}'],
    [{ fields: ["a"] }, '{"a":12345678901234567890.10}', '{"a":12345678901234567890.10}'],
    [{ fields: [".a.b", ".a.c"] }, '{"a":{"b":1,"c":2,"d":3},"e":4}', '{"a":{"b":1,"c":2}}'],
    [{ fields: ["__proto__"] }, '{"__proto__":{"x":1}}', '{"__proto__":{"x":1}}'],
    [{ fields: ["a"] }, '{"b":1}', "{}"],
  ] as const
) {
  Deno.test(`jsonJudge() by ${JSON.stringify(rules)}: ${body} becomes ${expected}`, () => {
    assertEquals(verdict(rules, body), expected);
  });
}

Deno.test("jsonJudge() is none without rules", () => {
  assertEquals(jsonJudge({ requireField: "", requireValue: "x", fields: [] }), undefined);
});

Deno.test("jsonJudge() refuses paths that are none, and indexes in what is passed on", () => {
  assertThrows(() => verdict({ requireField: ".a b" }, "{}"), SyntaxError, "not a path into JSON");
  assertThrows(() => verdict({ fields: [".a[0]"] }, "{}"), SyntaxError, "has names only, not [0]");
});
