import { assertEquals, assertThrows } from "@std/assert";
import {
  alertRules,
  formatAlertValue,
  parseAlertRule,
  RULE_LENGTH_MAX,
  RULES_MAX,
} from "../../../src/nsqadmin/alerts/rules.ts";

for (
  const [text, shown, limit, forMs] of [
    ["depth > 10000", "depth > 10000", 10_000, 0],
    [
      " depth( orders/* ,!*#ephemeral )>10000 for 5m ",
      "depth(orders/*, !*#ephemeral) > 10000 for 5m",
      10_000,
      300_000,
    ],
    ["growth(orders) > 2.5/s for 90s", "growth(orders) > 2.5/s for 1m30s", 2.5, 90_000],
    ["growth > 3", "growth > 3/s", 3, 0],
    ["no-consumers", "no-consumers > 0", 0, 0],
    ["no-consumers > 99 for 1h", "no-consumers > 99 for 1h", 99, 3_600_000],
    ["requeued > 10%", "requeued > 10%", 10, 0],
    ["oldest(orders/*) > 1h30m", "oldest(orders/*) > 1h30m", 5_400_000, 0],
    ["paused for 30m", "paused for 30m", 0, 1_800_000],
    ["node-gone(web-*)", "node-gone(web-*)", 0, 0],
    ["node-failing for 0s", "node-failing", 0, 0],
    ["lookupd-failing", "lookupd-failing", 0, 0],
    ["lookupd-disagreement", "lookupd-disagreement", 0, 0],
    ["version-skew for 1h", "version-skew for 1h", 0, 3_600_000],
  ] as const
) {
  Deno.test(`parseAlertRule() reads ${JSON.stringify(text)}`, () => {
    const rule = parseAlertRule(text);

    assertEquals([rule.text, rule.limit, rule.forMs], [shown, limit, forMs]);
    assertEquals(parseAlertRule(rule.text).text, shown);
  });
}

for (
  const [text, reason] of [
    ["", 'must be like "depth(topic/channel) > 1000 for 5m": ""'],
    ["depth(a > 1", 'must be like "depth(topic/channel) > 1000 for 5m": "depth(a > 1"'],
    ["depth < 1", 'must be like "depth(topic/channel) > 1000 for 5m": "depth < 1"'],
    [
      "width > 1",
      'must begin with one of depth, growth, no-consumers, requeued, oldest, paused, node-gone, node-failing, lookupd-failing, lookupd-disagreement, version-skew: "width"',
    ],
    ["toString", "must begin with one of"],
    ["depth", "depth must have a limit: depth > …"],
    ["depth > many", 'the limit of depth must be a number: "many"'],
    ["depth > -1", 'the limit of depth must be a number: "-1"'],
    ["depth > 10%", 'the limit of depth must be a number: "10%"'],
    ["requeued > 10", 'the limit of requeued must be as 10%: "10"'],
    ["oldest > 10", 'missing unit in duration "10"'],
    ["oldest > -1s", 'must be no negative limit: "-1s"'],
    ["depth > 1 for 5", 'missing unit in duration "5"'],
    ["depth > 1 for -5m", 'must not be for less than nothing: "-5m"'],
    ["paused > 1", "paused is or is not, and has no limit"],
    ["depth() > 1", "has an empty pattern"],
    ["depth(a,) > 1", "has an empty pattern"],
    ["version-skew(a)", "version-skew is about all, and has no patterns"],
  ] as const
) {
  Deno.test(`parseAlertRule() refuses ${JSON.stringify(text)}`, () => {
    assertThrows(() => parseAlertRule(text), SyntaxError, reason);
  });
}

Deno.test("parseAlertRule() takes a rule of RULE_LENGTH_MAX characters, and none that is longer", () => {
  const rule = (length: number) => `depth(${"a".repeat(length - "depth() > 1".length)}) > 1`;

  assertEquals(parseAlertRule(rule(RULE_LENGTH_MAX)).limit, 1);
  assertThrows(
    () => parseAlertRule(rule(RULE_LENGTH_MAX + 1)),
    SyntaxError,
    "is longer than 1000 characters",
  );
});

Deno.test("alertRules reads flags, and a list or a text of the file, and shows them in one form", () => {
  const texts = ["depth(a,b) > 1 for 60s", "node-gone"];
  const shown = ["depth(a, b) > 1 for 1m", "node-gone"];

  assertEquals(alertRules.fromFlag(texts)?.map(({ text }) => text), shown);
  assertEquals(alertRules.toJson(alertRules.fromFile(texts) ?? []), shown);
  assertEquals(alertRules.toJson(alertRules.fromFile("depth(a,b) > 1") ?? []), ["depth(a, b) > 1"]);
  assertThrows(() => alertRules.fromFile([1]), SyntaxError, "must be a list of strings");
  assertEquals(alertRules.fromFlag(Array(RULES_MAX).fill("node-gone"))?.length, RULES_MAX);
  assertThrows(
    () => alertRules.fromFlag(Array(RULES_MAX + 1).fill("node-gone")),
    SyntaxError,
    "50 rules at most",
  );
});

Deno.test("formatAlertValue() has the unit of the kind", () => {
  assertEquals(formatAlertValue("depth", 12), "12");
  assertEquals(formatAlertValue("growth", 1.234), "1.23/s");
  assertEquals(formatAlertValue("requeued", 100 / 3), "33.33%");
  assertEquals(
    [61_000, 60_000, 3_600_000, 3_660_000, 10_000, 0].map((ms) => formatAlertValue("oldest", ms)),
    [
      "1m1s",
      "1m",
      "1h",
      "1h1m",
      "10s",
      "0s",
    ],
  );
});
