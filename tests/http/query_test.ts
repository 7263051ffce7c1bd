import { assertEquals, assertThrows } from "@std/assert";
import { parseQuery, percentDecode } from "../../src/http/query.ts";

const PARSED: readonly [query: string, parameters: Record<string, string>][] = [
  ["", {}],
  ["topic=x", { topic: "x" }],
  ["topic=x&channel=y", { topic: "x", channel: "y" }],
  ["topic=a&topic=b", { topic: "a" }],
  ["topic", { topic: "" }],
  ["topic=", { topic: "" }],
  ["=x", { "": "x" }],
  ["&&topic=x&", { topic: "x" }],
  ["a=b=c", { a: "b=c" }],
  ["a+b=c+d", { "a b": "c d" }],
  ["topic=%23ephemeral", { topic: "#ephemeral" }],
  ["t%6fpic=x", { topic: "x" }],
  ["a=%c3%A9", { a: "é" }],
  ["a=é", { a: "é" }],
  ["a=%ff", { a: "\ufffd" }],
  ["a=%EF%BB%BFb", { a: "\ufeffb" }],
];

for (const [query, parameters] of PARSED) {
  Deno.test("parseQuery() reads PARAMETERS_MAX parameters, and no more", () => {
    assertEquals(parseQuery(`${"&".repeat(4999)}a=1`).get("a"), "1");
    assertThrows(() => parseQuery(`${"&".repeat(5000)}a=1`), SyntaxError, "too many parameters");
  });

  Deno.test(`parseQuery() reads ${JSON.stringify(query)}`, () => {
    assertEquals(Object.fromEntries(parseQuery(query)), parameters);
  });
}

const REFUSED: readonly [query: string, message: string][] = [
  ["topic=a;b", "invalid semicolon separator in query"],
  [";", "invalid semicolon separator in query"],
  ["topic=%zz", 'invalid URL escape "%zz"'],
  ["topic=a%4", 'invalid URL escape "%4"'],
  ["a=1&%=2", 'invalid URL escape "%"'],
];

for (const [query, message] of REFUSED) {
  Deno.test(`parseQuery() refuses ${JSON.stringify(query)}`, () => {
    assertThrows(() => parseQuery(query), SyntaxError, message);
  });
}

Deno.test("percentDecode() leaves a plus sign alone", () => {
  assertEquals(percentDecode("/a+b%20c"), "/a+b c");
});

Deno.test("percentDecode() has no value for a bad escape", () => {
  assertEquals(percentDecode("/%zz"), undefined);
});
