import { assertEquals, assertThrows } from "@std/assert";
import { parseRename } from "../../src/tools/topic_rename.ts";

for (
  const [rule, topic, expected] of [
    ["", "a", "a"],
    ["s/^eu_//", "eu_orders", "orders"],
    ["s/^eu_//", "orders", "orders"],
    ["s/o/0/", "foo", "f0o"],
    ["s/o/0/g", "foo", "f00"],
    ["s|^(\\w+)\\.(\\w+)$|\\2-&|", "a.b", "b-a.b"],
    ["s/a/$1$$/", "a", "$1$$"],
  ]
) {
  Deno.test(`parseRename(${rule}) makes ${expected} of ${topic}`, () => {
    assertEquals(parseRename(rule)(topic), expected);
  });
}

for (
  const [rule, text] of [
    ["x", "must be a rule such as s/from/to/"],
    ["s/a/b", "must be a rule"],
    ["s/a/b/x", "must be a rule"],
    ["s/(/b/", "is no rule for names"],
    ["s/a/\\1/", "there is no group \\1"],
  ]
) {
  Deno.test(`parseRename(${rule}) says what is wrong`, () => {
    assertThrows(() => parseRename(rule), SyntaxError, text);
  });
}
