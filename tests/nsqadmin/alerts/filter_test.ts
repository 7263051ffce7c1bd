import { assertEquals, assertThrows } from "@std/assert";
import { AlertFilter, PATTERNS_MAX } from "../../../src/nsqadmin/alerts/filter.ts";

const SERIES = ["orders", "orders/archive", "orders/mail#ephemeral", "logs", "logs/archive"];

for (
  const [patterns, found] of [
    [[], SERIES],
    [["*"], SERIES],
    [["orders"], ["orders", "orders/archive", "orders/mail#ephemeral"]],
    [["orders/*"], ["orders/archive", "orders/mail#ephemeral"]],
    [["*/archive"], ["orders/archive", "logs/archive"]],
    [["o*s/*a*"], ["orders/archive", "orders/mail#ephemeral"]],
    [["order/*"], []],
    [["!*#ephemeral"], ["orders", "orders/archive", "logs", "logs/archive"]],
    [["!orders"], ["logs", "logs/archive"]],
    [["!orders/archive"], ["orders", "orders/mail#ephemeral", "logs", "logs/archive"]],
    [["*/*", "!*/mail*", "!logs"], ["orders/archive"]],
  ] as const
) {
  Deno.test(`AlertFilter of (${patterns.join(", ")}) lets through what it should`, () => {
    const filter = new AlertFilter(patterns);

    assertEquals(
      SERIES.filter((text) => {
        const [topic, channel] = text.split("/");
        return filter.hasSeries(topic, channel);
      }),
      found,
    );
  });
}

Deno.test("AlertFilter matches what stands between asterisks once each", () => {
  const matches = (pattern: string, text: string) => new AlertFilter([pattern]).hasName(text);

  assertEquals(matches("ab*ba", "aba"), false);
  assertEquals(matches("ab*ba", "abba"), true);
  assertEquals(matches("*a*a*", "a"), false);
  assertEquals(matches("*a*b*c", "xaxbxc"), true);
  assertEquals(matches("*a*b*c", "xbxaxc"), false);
  assertEquals(matches("a*bc*c", "abc"), false);
  assertEquals(matches("a.c", "abc"), false);
});

Deno.test("AlertFilter.hasName() is about any of the names", () => {
  const filter = new AlertFilter(["10.0.*", "web-*", "!*:4151"]);

  assertEquals(filter.hasName("10.0.0.1:1", "db"), true);
  assertEquals(filter.hasName("10.1.0.1:1", "web-1"), true);
  assertEquals(filter.hasName("10.1.0.1:1", "db"), false);
  assertEquals(filter.hasName("10.0.0.1:4151", "web-1"), false);
});

Deno.test("AlertFilter takes as many patterns as it may", () => {
  const patterns = Array.from({ length: PATTERNS_MAX }, (_, i) => `t${i}`);

  assertEquals(new AlertFilter(patterns).hasName("t49"), true);
  assertThrows(() => new AlertFilter([...patterns, "more"]), SyntaxError, "has more than 50 patterns");
  assertThrows(() => new AlertFilter(["a", "!"]), SyntaxError, "has an empty pattern");
});
