import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Slice } from "../../../src/base/time_slice.ts";
import {
  type BodySearch,
  JSON_SIZE_MAX,
  JsonSearch,
  PATTERN_BODY_SIZE_MAX,
  PATTERN_SIZE_MAX,
  PatternSearch,
  TextSearch,
} from "../../../src/nsqd/queue/body_search.ts";
import { parseJsonPath, PATH_LENGTH_MAX, valuesAt } from "../../../src/nsqd/queue/json_path.ts";
import { Random } from "../../support/random.ts";

/** It is always over: who looks at it lets others have their turn. */
class ShortSlice implements Slice {
  turns = 0;
  readonly isOver = true;

  next(): Promise<void> {
    this.turns++;
    return Promise.resolve();
  }
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

async function isIn(search: BodySearch, body: string): Promise<boolean> {
  return await search.isIn(bytes(body), new ShortSlice());
}

function path(text: string) {
  const steps = parseJsonPath(text);
  assert(steps, text);
  return steps;
}

Deno.test("TextSearch finds what indexOf() finds", async () => {
  const random = new Random(1);
  const word = (lengthMax: number) =>
    Array.from({ length: 1 + random.below(lengthMax) }, () => random.pick(["a", "a", "b"])).join("");
  for (let i = 0; i < 3000; i++) {
    const [wanted, body] = [word(6), word(40)];
    assertEquals([wanted, body, await isIn(new TextSearch(bytes(wanted)), body)], [
      wanted,
      body,
      body.includes(wanted),
    ]);
  }
});

Deno.test("TextSearch finds what lies on the edge of two pieces, and lets others have their turn between", async () => {
  const size = 64 * 1024;
  for (const at of [size - 6, size - 3, size, 3 * size - 1]) {
    const slice = new ShortSlice();
    const body = bytes("n".repeat(at) + "needle" + "e".repeat(size));
    assert(await new TextSearch(bytes("needle")).isIn(body, slice), `at ${at}`);
    assertEquals(slice.turns, Math.floor((at + 5) / size), `at ${at}`);
  }
});

Deno.test("TextSearch and PatternSearch go on when the body has gone with its segment", async () => {
  for (const search of [new TextSearch(bytes("needle")), new PatternSearch("[n]eedle")]) {
    const body = bytes("n".repeat(200_000) + "needle");
    const found = search.isIn(body, new ShortSlice());
    body.buffer.transfer(0);

    assert(await found);
  }
});

Deno.test("PatternSearch matches as RE2 does", async () => {
  const cases: readonly [pattern: string, body: string, expected: boolean][] = [
    ["order \\d+", "an order 12", true],
    ["^order", "an order", false],
    ["(?i)ORDER$", "an order", true],
    ["[äö]{2}", "aäöb", true],
    ["a.c", "a\nc", false],
  ];
  for (const [pattern, body, expected] of cases) {
    assertEquals([pattern, await isIn(new PatternSearch(pattern), body)], [pattern, expected]);
  }
});

Deno.test("PatternSearch searches a long body in windows, and lets others have their turn between", async () => {
  const search = new PatternSearch("[n]eedle");
  const slice = new ShortSlice();

  for (const at of [0, 800, 1500, 77_777, 200_000]) {
    const body = bytes("x".repeat(at) + "needle" + "x".repeat(200_000));
    assert(await search.isIn(body, slice), `at ${at}`);
  }

  assert(slice.turns > 30, `${slice.turns} turns`);
  assertEquals(search.partly, 0);
  assert(!await search.isIn(bytes("x".repeat(PATTERN_BODY_SIZE_MAX) + "needle"), slice));
  assertEquals(search.partly, 1);
});

Deno.test("PatternSearch ends when it is enough, in the middle of a body", async () => {
  const search = new PatternSearch("[n]eedle");
  const slice = new ShortSlice();

  const found = await search.isIn(bytes("x".repeat(100_000) + "needle"), slice, () => slice.turns === 2);

  assertEquals([found, search.partly, slice.turns], [false, 1, 2]);
});

Deno.test("PatternSearch takes no end of a window for the end of the body", async () => {
  const search = new PatternSearch("x$|\\Bx\\b");

  assert(!await isIn(search, "x".repeat(100_000) + "y"));
  assertEquals(search.partly, 1);
  assert(await isIn(search, "y".repeat(100) + "x"));
});

Deno.test("PatternSearch refuses what is no pattern, or too large", () => {
  for (const text of ["(", "a".repeat(PATTERN_SIZE_MAX + 1), `a{${PATTERN_SIZE_MAX + 1}}`, "\\1", "(?=a)"]) {
    assertThrows(() => new PatternSearch(text), SyntaxError, undefined, text);
  }
  assert(new PatternSearch("a".repeat(PATTERN_SIZE_MAX)).isIn(bytes("a".repeat(300)), new ShortSlice()));
});

Deno.test("JsonSearch compares what is at a path as text", async () => {
  const body = '{"n":42,"s":"42","t":true,"z":null,"o":{"a":[1,2]}}';
  const cases: readonly [path: string, value: string | undefined, expected: boolean][] = [
    ["$.n", "42", true],
    ["$.s", "42", true],
    ["$.t", "true", true],
    ["$.z", "null", true],
    ["$.o", '{"a":[1,2]}', false],
    ["$.o.a[*]", "2", true],
    ["$.o.a[-1]", "1", false],
    ["$.o.b", undefined, false],
    ["$.z", undefined, true],
  ];
  for (const [text, value, expected] of cases) {
    assertEquals([text, await isIn(new JsonSearch(path(text), value), body)], [text, expected]);
  }
  assert(!await isIn(new JsonSearch(path("$"), undefined), "no JSON"));
});

Deno.test("JsonSearch bears JSON that is as deep as it is long", async () => {
  const depth = JSON_SIZE_MAX / 2;
  const body = "[".repeat(depth) + "]".repeat(depth);

  assert(await isIn(new JsonSearch(path("$[0][0]"), undefined), body));
  assert(!await isIn(new JsonSearch(path("$"), "x"), body));
});

Deno.test("JsonSearch counts a body that is too long", async () => {
  const search = new JsonSearch(path("$"), undefined);

  assert(await isIn(search, `"${"x".repeat(JSON_SIZE_MAX - 2)}"`));
  assertEquals(search.partly, 0);
  assert(!await isIn(search, `"${"x".repeat(JSON_SIZE_MAX - 1)}"`));
  assertEquals(search.partly, 1);
});

Deno.test("parseJsonPath() reads names, indexes and wildcards, and valuesAt() follows them", () => {
  const json = JSON.parse('{"a":{"b-c":[{"d":1},{"d":2},3]},"__proto__":{"e":4},"x y":5,"ü":6}');
  const cases: readonly [path: string, values: unknown[]][] = [
    ["$", [json]],
    ["$.a['b-c'][1].d", [2]],
    ["$.a.b-c[*].d", [1, 2]],
    ['$["x y"]', [5]],
    ["$.ü", [6]],
    ["$.*.e", [4]],
    ["$.__proto__.e", [4]],
    ["$.a.b-c[-1]", [3]],
    ["$.a.b-c[9]", []],
    ["$.constructor", []],
    ["$.a.length", []],
  ];
  for (const [text, values] of cases) assertEquals([text, valuesAt(json, path(text))], [text, values]);
});

Deno.test("parseJsonPath() refuses what is no path, or too long", () => {
  const long = `$.${"a".repeat(PATH_LENGTH_MAX - 2)}`;
  for (
    const text of ["", "a", "$a", "$.", "$..a", "$[", "$[a]", "$[?(@.a)]", "$[0:1]", "$.a b", `${long}a`]
  ) {
    assertEquals([text, parseJsonPath(text)], [text, undefined]);
  }
  assertEquals(parseJsonPath(long)?.length, 1);
});
