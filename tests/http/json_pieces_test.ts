import { assert, assertEquals } from "@std/assert";
import { jsonPieces } from "../../src/http/json_pieces.ts";
import { PIECE_LENGTH } from "../../src/http/text_pieces.ts";

async function textOf(data: unknown): Promise<string> {
  const decoder = new TextDecoder();
  return (await jsonPieces(data)).map((piece) => decoder.decode(piece)).join("");
}

const VALUES: readonly unknown[] = [
  null,
  true,
  "text",
  1.5,
  [],
  {},
  [1, "a", null, [], {}],
  { a: 1, b: "é\u2028", c: null },
  { a: [{ b: [1, 2] }, { c: {} }], d: undefined, e: { f: undefined, g: [undefined] } },
  { 'a "quoted" key': [{ "\n": "\u0001" }] },
  [new Date(0), { at: new Date(0), list: [] }],
  [{ [Symbol("s")]: 1, a: [1] }],
];

for (const value of VALUES) {
  Deno.test(`jsonPieces() writes what JSON.stringify() does: ${JSON.stringify(value)}`, async () => {
    assertEquals(await textOf(value), JSON.stringify(value).replace("\u2028", "\\u2028"));
  });
}

Deno.test("jsonPieces() escapes what could be taken for HTML, keys and all, as Go does", async () => {
  assertEquals(
    await textOf({ "<a>": ["&", "\u2028\u2029"] }),
    String.raw`{"\u003ca\u003e":["\u0026","\u2028\u2029"]}`,
  );
});

Deno.test("jsonPieces() writes a Map as an object", async () => {
  assertEquals(await textOf(new Map<string, unknown>([["b", [1]], ["a", "x"]])), '{"b":[1],"a":"x"}');
  assertEquals(await textOf(new Map()), "{}");
});

Deno.test("jsonPieces() makes pieces of a long text, which end between two values", async () => {
  const names = Array.from({ length: 30_000 }, (_, i) => `name_é_${i}`);

  const pieces = await jsonPieces({ names });

  assert(pieces.length > 5);
  for (const piece of pieces) assert(piece.length < 2 * PIECE_LENGTH);
  assertEquals(await textOf({ names }), JSON.stringify({ names }));
});
