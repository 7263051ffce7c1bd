import { assertEquals } from "@std/assert";
import { oneLine } from "../../src/base/one_line.ts";

Deno.test("oneLine() escapes what separates lines, and what turns the direction of writing", () => {
  assertEquals(oneLine("a\u2028b\u2029c\u202ed\u2066e\u200ff"), "a\\u2028b\\u2029c\\u202ed\\u2066e\\u200ff");
  assertEquals(oneLine("\u{1f468}\u200d\u{1f469} \u0627"), "\u{1f468}\u200d\u{1f469} \u0627");
});

Deno.test("oneLine() escapes control characters and leaves everything else", () => {
  assertEquals(oneLine("a b\\é\u{1f600}"), "a b\\é\u{1f600}");
  assertEquals(oneLine("a\r\nb\t\x00\x1b[2J\x7f\x85"), "a\\x0d\\x0ab\\x09\\x00\\x1b[2J\\x7f\\x85");
});
