import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  LOG_LEVELS,
  LOG_TEXT_LENGTH_MAX,
  Logger,
  type LogLevel,
  parseLogLevel,
} from "../../src/base/logger.ts";

function capture(level: LogLevel): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  return { logger: new Logger({ prefix: "[nsqd] ", level, write: (line) => lines.push(line) }), lines };
}

Deno.test("Logger writes prefix, local time with six decimals, level and text, as Go's log does", () => {
  const { logger, lines } = capture(LOG_LEVELS.info);

  logger.info("TOPIC(x): created");

  assertEquals(lines.length, 1);
  assertMatch(lines[0], /^\[nsqd\] \d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d\.\d{6} INFO: TOPIC\(x\): created$/);
});

Deno.test("Logger writes the time of now", () => {
  const { logger, lines } = capture(LOG_LEVELS.info);
  const before = Date.now();

  logger.info("now");

  const [, year, month, day, hour, minute, second, ms] =
    /(\d{4})\/(\d\d)\/(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{3})/.exec(lines[0])?.map(Number) ?? [];
  const written = new Date(year, month - 1, day, hour, minute, second, ms).getTime();
  assert(written >= before && written <= Date.now(), lines[0]);
});

Deno.test("Logger labels the levels as NSQ does", () => {
  const { logger, lines } = capture(LOG_LEVELS.debug);

  logger.debug("a");
  logger.info("b");
  logger.warn("c");
  logger.error("d");
  logger.fatal("e");

  assertEquals(lines.map((line) => line.slice(34)), [
    "DEBUG: a",
    "INFO: b",
    "WARNING: c",
    "ERROR: d",
    "FATAL: e",
  ]);
});

const FROM_LEVEL: readonly (readonly [level: LogLevel, written: string])[] = [
  [LOG_LEVELS.debug, "diwef"],
  [LOG_LEVELS.info, "iwef"],
  [LOG_LEVELS.warn, "wef"],
  [LOG_LEVELS.error, "ef"],
  [LOG_LEVELS.fatal, "f"],
];

for (const [level, written] of FROM_LEVEL) {
  Deno.test(`Logger writes "${written}" of "diwef" at level ${level}`, () => {
    const { logger, lines } = capture(level);

    logger.debug("d");
    logger.info("i");
    logger.warn("w");
    logger.error("e");
    logger.fatal("f");

    assertEquals(lines.map((line) => line.at(-1)).join(""), written);
  });
}

Deno.test("Logger.level can be changed while running", () => {
  const { logger, lines } = capture(LOG_LEVELS.error);

  logger.info("not written");
  logger.level = LOG_LEVELS.info;
  logger.info("written");

  assertEquals(lines.map((line) => line.slice(34)), ["INFO: written"]);
});

Deno.test("Logger escapes whatever could pass for a line of its own, at every level", () => {
  const { logger, lines } = capture(LOG_LEVELS.debug);
  const text = "a\n[nsqd] forged\r\x1b[31m\x9b31m\u2028";

  for (const write of ["debug", "info", "warn", "error", "fatal"] as const) logger[write](text);

  assertEquals(
    lines.map((line) => line.slice(line.indexOf(": ") + 2)),
    Array(5).fill("a\\x0a[nsqd] forged\\x0d\\x1b[31m\\x9b31m\\u2028"),
  );
});

Deno.test("Logger leaves its prefix as it was given", () => {
  const lines: string[] = [];
  const logger = new Logger({ prefix: "\x1b[1m", level: LOG_LEVELS.info, write: (line) => lines.push(line) });

  logger.info("x");

  assertEquals(lines[0].slice(0, 4), "\x1b[1m");
});

for (const more of [0, 1]) {
  Deno.test(`Logger ${more === 0 ? "leaves" : "cuts"} a text of ${LOG_TEXT_LENGTH_MAX + more} characters`, () => {
    const { logger, lines } = capture(LOG_LEVELS.info);

    logger.info("x".repeat(LOG_TEXT_LENGTH_MAX + more));

    const end = more === 0 ? "" : "… (1 more characters)";
    assertEquals(lines[0].slice(34), `INFO: ${"x".repeat(LOG_TEXT_LENGTH_MAX)}${end}`);
  });
}

Deno.test("Logger writes the same fields as JSON, with what strangers have written escaped as in text", () => {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line);
  const logger = new Logger({ prefix: "[nsqd] ", level: LOG_LEVELS.info, format: "json", write });

  logger.debug("not written");
  logger.warn('client "a"\n{"level":"FATAL"}\x1b[31m');

  assertEquals(lines.length, 1);
  const { time, ...rest } = JSON.parse(lines[0]);
  assertMatch(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assertEquals(rest, {
    level: "WARNING",
    prefix: "[nsqd]",
    message: 'client "a"\\x0a{"level":"FATAL"}\\x1b[31m',
  });
  assertMatch(lines[0], /^[\x20-\x7e]+$/);
});

Deno.test("Logger leaves an empty prefix out of JSON", () => {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line);

  new Logger({ prefix: "", level: LOG_LEVELS.info, format: "json", write }).info("x");

  assertEquals(Object.keys(JSON.parse(lines[0])), ["time", "level", "message"]);
});

Deno.test("Logger.raw() writes a line as it is, whatever the level", () => {
  const { logger, lines } = capture(LOG_LEVELS.fatal);

  logger.raw('{"a":1}');

  assertEquals(lines, ['{"a":1}']);
});

Deno.test("Logger.debugs is true at level debug only", () => {
  assertEquals(capture(LOG_LEVELS.debug).logger.debugs, true);
  assertEquals(capture(LOG_LEVELS.info).logger.debugs, false);
});

Deno.test("parseLogLevel() knows the five names in any case, and nothing else", () => {
  const names = ["debug", "INFO", "Warn", "error", "fatal", "warning", "", "toString", "1"];

  assertEquals(names.map(parseLogLevel), [1, 2, 3, 4, 5, undefined, undefined, undefined, undefined]);
});
