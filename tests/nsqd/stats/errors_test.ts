import { assertEquals } from "@std/assert";
import {
  ERROR_TEXT_LENGTH_MAX,
  ErrorCounts,
  ERRORS_KEPT_MAX,
  errorStats,
} from "../../../src/nsqd/stats/errors.ts";
import { httpApi } from "../../support/http_api.ts";

const TIME_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

Deno.test("ErrorCounts counts each kind, and keeps the last with time and address, the newest first", () => {
  const errors = new ErrorCounts(() => TIME_MS);

  errors.note("E_INVALID", "10.0.0.1:5000", "E_INVALID invalid command X");
  errors.note("HTTP_404", "10.0.0.2:5001", "GET /nope");
  errors.note("E_INVALID", "10.0.0.3:5002", "E_INVALID invalid command Y");

  assertEquals([...errors.counts], [["E_INVALID", 2], ["HTTP_404", 1]]);
  const time = "2026-01-02T03:04:05.678Z";
  assertEquals(errors.last(), [
    { time, address: "10.0.0.3:5002", code: "E_INVALID", text: "E_INVALID invalid command Y" },
    { time, address: "10.0.0.2:5001", code: "HTTP_404", text: "GET /nope" },
    { time, address: "10.0.0.1:5000", code: "E_INVALID", text: "E_INVALID invalid command X" },
  ]);
});

for (
  const [count, oldest] of [[ERRORS_KEPT_MAX - 1, "0"], [ERRORS_KEPT_MAX, "0"], [
    ERRORS_KEPT_MAX + 1,
    "1",
  ]] as const
) {
  Deno.test(`ErrorCounts keeps of ${count} errors the last ${ERRORS_KEPT_MAX}`, () => {
    const errors = new ErrorCounts(() => TIME_MS);

    for (let i = 0; i < count; i++) errors.note("HTTP_400", "a", String(i));

    const texts = errors.last().map(({ text }) => text);
    assertEquals([texts.length, texts[0], texts.at(-1)], [
      Math.min(count, ERRORS_KEPT_MAX),
      String(count - 1),
      oldest,
    ]);
    assertEquals(errors.counts.get("HTTP_400"), count);
  });
}

for (const length of [ERROR_TEXT_LENGTH_MAX, ERROR_TEXT_LENGTH_MAX + 1]) {
  Deno.test(`ErrorCounts keeps ${ERROR_TEXT_LENGTH_MAX} characters of a text of ${length}`, () => {
    const errors = new ErrorCounts(() => TIME_MS);

    errors.note("HTTP_400", "a", "x".repeat(length));

    assertEquals(errors.last()[0].text.length, ERROR_TEXT_LENGTH_MAX);
  });
}

Deno.test("ErrorCounts escapes what a terminal would act on", () => {
  const errors = new ErrorCounts(() => TIME_MS);

  errors.note("HTTP_404", "a", "GET /\x1b[31m\n");

  assertEquals(errors.last()[0].text, "GET /\\x1b[31m\\x0a");
});

Deno.test("errorStats() is absent while nobody has done anything wrong", () => {
  assertEquals(errorStats(new ErrorCounts(() => TIME_MS)), undefined);
});

Deno.test("GET /stats tells in JSON which requests were refused, behind NSQ's own fields", async () => {
  const api = httpApi();
  await api.request("POST", "/pub?topic=t", "");
  await api.request("GET", "/nope");
  await api.request("GET", "/nope");

  const { text } = await api.request("GET", "/stats?format=json");

  const stats = JSON.parse(text);
  assertEquals(Object.keys(stats).slice(-2), ["producers", "errors"]);
  assertEquals(stats.errors.counts, { HTTP_400: 1, HTTP_404: 2 });
  assertEquals(stats.errors.last.map(({ text }: { text: string }) => text), [
    'GET /nope {"message":"NOT_FOUND"}',
    'GET /nope {"message":"NOT_FOUND"}',
    'POST /pub?topic=t {"message":"MSG_EMPTY"}',
  ]);
});
