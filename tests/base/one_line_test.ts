import { assertEquals } from "@std/assert";
import { oneLine } from "../../src/base/one_line.ts";

Deno.test("oneLine() escapes control characters and leaves everything else", () => {
  assertEquals(oneLine("a b\\é\u{1f600}"), "a b\\é\u{1f600}");
  assertEquals(oneLine("a\r\nb\t\x00\x1b[2J\x7f\x85"), "a\\x0d\\x0ab\\x09\\x00\\x1b[2J\\x7f\\x85");
});
