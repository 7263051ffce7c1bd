import { assertEquals } from "@std/assert";
import { momentOf } from "../../../src/base/clock.ts";
import {
  type Alert,
  ALERTS_OF_RULE_MAX,
  type AlertSubject,
  DETAIL_LENGTH_MAX,
  Found,
} from "../../../src/nsqadmin/alerts/found.ts";
import { parseAlertRule } from "../../../src/nsqadmin/alerts/rules.ts";
import { FakeClock } from "../../support/fake_clock.ts";

/** A rule, and rounds for it, of which each is a second after the one before. */
function rounds(rule: string) {
  const clock = new FakeClock();
  const changes: string[] = [];
  const note = ({ subject, resolved }: Alert) =>
    changes.push(`${resolved === undefined ? "fires" : "over"}: ${subject.topic}`);
  const found = new Found(parseAlertRule(rule), note);
  /** What is seen of each topic; returns what has changed. */
  const round = (seen: Readonly<Record<string, number | undefined>>): string[] => {
    clock.advance(1000);
    changes.length = 0;
    found.begin();
    for (const [topic, value] of Object.entries(seen)) found.see({ topic }, { value }, momentOf(clock));
    found.end(momentOf(clock));
    return [...changes];
  };
  return { found, round, clock };
}

Deno.test("Found fires when something has been above the limit for as long as the rule says, and not before", () => {
  const { found, round } = rounds("depth > 10 for 2s");

  assertEquals(round({ t: 10 }), []);
  assertEquals(found.alerts, []);
  assertEquals(round({ t: 11 }), []);
  assertEquals(found.alerts.map(({ value, fired }) => [value, fired]), [[11, undefined]]);
  assertEquals(round({ t: 12 }), []);
  assertEquals(round({ t: 13 }), ["fires: t"]);
  assertEquals(round({ t: 14 }), []);
  const [{ since, fired, value }] = found.alerts;
  assertEquals([(fired?.wallMs ?? 0) - since.wallMs, value], [2000, 14]);
});

Deno.test("Found begins anew when what is pending was once not above the limit", () => {
  const { found, round } = rounds("depth > 10 for 2s");
  round({ t: 11 });
  round({ t: 11 });

  assertEquals(round({ t: 10 }), []);
  assertEquals(found.alerts, []);
  assertEquals([round({ t: 11 }), round({ t: 11 }), round({ t: 11 })], [[], [], ["fires: t"]]);
});

Deno.test("Found ends when something has not been above the limit for as long again, and not before", () => {
  const { found, round } = rounds("depth > 10 for 2s");
  for (let i = 0; i < 3; i++) round({ t: 11 });

  assertEquals([round({ t: 1 }), round({ t: 2 }), round({ t: 11 })], [[], [], []]);
  assertEquals([round({ t: 1 }), round({ t: 2 }), found.alerts.length], [[], [], 1]);
  assertEquals([round({ t: 3 }), found.alerts.length], [["over: t"], 0]);
});

Deno.test("Found without a duration fires and ends at once", () => {
  const { round } = rounds("depth > 10");

  assertEquals([round({ t: 11 }), round({ t: 11 }), round({ t: 10 })], [["fires: t"], [], ["over: t"]]);
});

Deno.test("Found neither begins nor ends anything as long as nobody knows", () => {
  const { found, round } = rounds("depth > 10 for 2s");

  assertEquals([round({ t: undefined }), found.alerts], [[], []]);
  round({ t: 11 });
  assertEquals([round({ t: undefined }), found.alerts.length], [[], 1]);
  assertEquals(round({ t: 11 }), ["fires: t"]);
  round({ t: 1 });
  assertEquals([round({ t: undefined }), round({ t: undefined }), round({ t: undefined })], [[], [], []]);
  assertEquals(found.alerts[0].value, 1);
  // What was known to be below before does not count.
  assertEquals([round({ t: 1 }), round({ t: 1 }), round({ t: 1 })], [[], [], ["over: t"]]);
});

Deno.test("Found takes what is not there any more for what is not above the limit", () => {
  const { found, round } = rounds("depth > 10 for 1s");
  round({ t: 11, u: 11 });
  assertEquals(round({ t: 11, u: 11 }), ["fires: t", "fires: u"]);

  assertEquals([round({ u: 11 }), round({ u: 11 })], [[], ["over: t"]]);
  assertEquals(found.alerts.map(({ subject }) => subject.topic), ["u"]);
});

Deno.test("Found goes by the clock that does not jump", () => {
  const { round, clock } = rounds("depth > 10 for 1m");
  round({ t: 11 });

  clock.step(3_600_000);

  assertEquals(round({ t: 11 }), []);
});

Deno.test("Found keeps as many as it may, and counts the others", () => {
  const { found, round } = rounds("depth > 0");
  const seen = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, 1]));

  assertEquals([round(seen(ALERTS_OF_RULE_MAX)).length, found.leftOut], [ALERTS_OF_RULE_MAX, 0]);
  assertEquals([round(seen(ALERTS_OF_RULE_MAX + 1)).length, found.leftOut], [0, 1]);
  assertEquals([found.alerts.length, round({}).length, found.leftOut], [
    ALERTS_OF_RULE_MAX,
    ALERTS_OF_RULE_MAX,
    0,
  ]);
});

Deno.test("Found tells subjects apart, whatever names are in them, and cuts what others say", () => {
  const found = new Found(parseAlertRule("depth > 0"), () => {});
  const now = momentOf(new FakeClock());
  const subjects: AlertSubject[] = [
    { topic: "a/b" },
    { topic: "a", channel: "b" },
    { node: "a" },
    { topic: 'a","b' },
    {},
  ];
  found.begin();
  for (const subject of subjects) {
    found.see(subject, { value: 1, detail: "x".repeat(DETAIL_LENGTH_MAX + 1) }, now);
  }

  assertEquals(found.alerts.map(({ subject }) => subject), subjects);
  assertEquals(found.alerts[0].detail?.length, DETAIL_LENGTH_MAX);
});

Deno.test("Found.concerns() says what need be seen: what is above the limit, and what it has found", () => {
  const { found, round } = rounds("depth > 10 for 2s");
  const concerns = (value: number | undefined) =>
    [{ topic: "t" }, { topic: "t", channel: "c" }, { topic: "u" }].map((subject) =>
      found.concerns(subject, value)
    );

  assertEquals([concerns(11), concerns(10), concerns(undefined)], [
    [true, true, true],
    [false, false, false],
    [false, false, false],
  ]);
  round({ t: 11 });
  assertEquals([concerns(10), concerns(undefined)], [[true, false, false], [true, false, false]]);
  round({ t: 10 });
  assertEquals(concerns(10), [false, false, false]);
});
