import { assertEquals, assertRejects } from "@std/assert";
import {
  ATOM_LENGTH_MAX,
  LONG_DEPTH_MAX,
  LONG_OBJECT_FIELDS_MAX,
  parseJson,
} from "../../src/base/json_slices.ts";

/** Longer than what is read in one go. */
const LONG = 300_000;
const PADDING = `"${"x".repeat(60_000)}",`.repeat(5);

/** A slice that is over at once, and counts how often others have had their turn. */
class ShortSlice {
  turns = 0;
  readonly isOver = true;

  next(): Promise<void> {
    this.turns++;
    return Promise.resolve();
  }
}

Deno.test("parseJson() reads a long text as JSON.parse does", async () => {
  const channels = Array.from(
    { length: 3 },
    (_, i) => ({ name: `c${i} "quoted" \\ \u2028 é😀`, depth: -1.5e3, paused: false }),
  );
  const value = {
    topics: Array.from(
      { length: 2000 },
      (_, i) => ({ topic: `t${i}`, channels, none: null, empty: [{}, []] }),
    ),
    "": true,
    ["__proto__"]: 1,
  };
  const texts = [JSON.stringify(value), JSON.stringify(value, null, "\t\r")];

  for (const text of texts) assertEquals(await parseJson(text), JSON.parse(text));
  assertEquals(texts.every(({ length }) => length > LONG), true);
});

Deno.test("parseJson() lets others have their turn between the parts of a long text", async () => {
  const slice = new ShortSlice();

  await parseJson(JSON.stringify(Array.from({ length: LONG / 10 }, () => "0123456789")), slice);

  assertEquals(slice.turns, LONG / 10);
});

Deno.test("parseJson() reads a short text in one go", async () => {
  const slice = new ShortSlice();

  assertEquals(await parseJson('{"a":[1]}', slice), { a: [1] });
  assertEquals(slice.turns, 0);
});

Deno.test("parseJson() reads lists of objects that begin alike, whatever their strings and lists look like", async () => {
  const names = [`},{"name":"`, `}`, `\\`, `\\"`, `},{`, `{"name":`, `]`];
  const deep = Array.from({ length: 3000 }, () => ({ name: `},{"name":1` }));
  const value = Array.from({ length: 6000 }, (_, i) => ({
    name: names[i % names.length],
    inside: [{ name: "a" }, { name: names[(i + 1) % names.length], inside: [{ name: [] }, { name: {} }] }],
    ...i === 3000 && { deep },
  }));
  const text = JSON.stringify(value);

  assertEquals(text.length > LONG, true);
  assertEquals(await parseJson(text), JSON.parse(text));
});

Deno.test("parseJson() refuses a list of objects that begin alike and are none", async () => {
  const good = `{"name":"${"x".repeat(100)}"}`;
  for (const bad of [`{"name":1}}`, `{"name":}`, `{"name":1},`, `{"name":"},{"name":1}`]) {
    const text = `[${`${good},`.repeat(4000)}${bad},${`${good},`.repeat(4000)}${good}]`;
    await assertRejects(() => parseJson(text), SyntaxError);
  }
});

const BAD: readonly (readonly [what: string, text: string])[] = [
  ["without an end", `[${PADDING}1`],
  ["with something behind", `[${PADDING}1]1`],
  ["with a comma too many", `[${PADDING}1,]`],
  ["without a comma", `[${PADDING}1 1]`],
  ["without a colon", `{"a" ${PADDING}1}`],
  ["with a name that is none", `[{a:[${PADDING}1]}]`],
  ["with another bracket at the end", `[${PADDING}1}`],
  ["with a word that is none", `[${PADDING}nul]`],
  ["with a string without an end", `[${PADDING}"`],
  ["of spaces only", " ".repeat(LONG)],
];

for (const [what, text] of BAD) {
  Deno.test(`parseJson() refuses a long text ${what}`, async () => {
    await assertRejects(() => parseJson(text), SyntaxError);
  });
}

Deno.test("parseJson() takes a string as long as it may be in a long text, and none that is longer", async () => {
  const longest = "x".repeat(ATOM_LENGTH_MAX - 1);

  assertEquals(await parseJson(`["${longest}"]`), [longest]);
  await assertRejects(() => parseJson(`["${longest}x"]`), SyntaxError);
});

Deno.test("parseJson() takes as many fields of a long object as there may be, and no more", async () => {
  const fields = (count: number) =>
    `{${Array.from({ length: count }, (_, i) => `"${"k".repeat(30)}${i}":${i}`).join(",")}}`;

  assertEquals(
    Object.keys(await parseJson(fields(LONG_OBJECT_FIELDS_MAX)) as object).length,
    LONG_OBJECT_FIELDS_MAX,
  );
  await assertRejects(() => parseJson(fields(LONG_OBJECT_FIELDS_MAX + 1)), SyntaxError, "fields");
});

Deno.test("parseJson() follows what is long as deep as it may be in one another, and no deeper", async () => {
  const nested = (depth: number) => "[".repeat(depth) + PADDING + "1" + "]".repeat(depth);

  assertEquals(await parseJson(nested(LONG_DEPTH_MAX)), JSON.parse(nested(LONG_DEPTH_MAX)));
  await assertRejects(() => parseJson(nested(LONG_DEPTH_MAX + 1)), SyntaxError, "too deeply");
});
