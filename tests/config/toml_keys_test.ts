import { assertEquals } from "@std/assert";
import { parse } from "@std/toml";
import { repeatedKey } from "../../src/config/toml_keys.ts";

/** Files with a key twice: the key, and its lines. */
const REPEATED: readonly (readonly [text: string, key: string, first: number, second: number])[] = [
  ["a=1\na=2", "a", 1, 2],
  ["a = 1\n\n  b = 2 # a = 3\n# a = 4\n\ta = 5\n", "a", 1, 5],
  ["a = 1\r\na = 2\r\n", "a", 1, 2],
  ['a = 1\n"a" = 2', "a", 1, 2],
  ["'a' = 1\na = 2", "a", 1, 2],
  ["a.b = 1\na . 'b' = 2", "a.b", 1, 2],
  ["a-b = 1\na_b = 2", "a_b", 1, 2],
  ["[x]\na = 1\n[y]\na = 1\n[z]\na = 1\na = 2", "a", 6, 7],
  ['a = """\nb = 1\n"""\nb = 1\nb = 2', "b", 4, 5],
  ["a = '''\nb = 1\n'''\nb = 1\nb = 2", "b", 4, 5],
  ['a = [\n  "]", # b = 1\n  2,\n]\nb = 1\na = 3', "a", 1, 6],
  ['a = "\\"\\n="\na = 1', "a", 1, 2],
];

for (const [text, key, first, second] of REPEATED) {
  Deno.test(`repeatedKey() finds "${key}" in ${JSON.stringify(text)}`, () => {
    parse(text);

    assertEquals(repeatedKey(text), { key, lines: [first, second] });
  });
}

const UNIQUE = [
  "",
  "\n\n",
  "# a = 1\n# a = 2",
  "a = 1\nb = 2\n",
  "[x]\na = 1\n[y]\na = 2",
  "[[x]]\na = 1\n[[x]]\na = 2",
  "a = 1\n[x]\na = 2",
  'a = """\nb = 1\nb = 2\n"""\nb = 3',
  'a = "b = 1"\nb = "a = 1"\n',
  'a = [\n  "a",\n  "b", # b = 1\n]\nb = 1',
  "a.b = 1\na.c = 2",
];

for (const text of UNIQUE) {
  Deno.test(`repeatedKey() finds nothing in ${JSON.stringify(text)}`, () => {
    parse(text);

    assertEquals(repeatedKey(text), undefined);
  });
}

Deno.test("repeatedKey() finds tables that are there twice, which the parser refuses as well", () => {
  assertEquals(repeatedKey("[x]\na = 1\n[x]\nb = 2"), { key: "x", lines: [1, 3] });
});
