import { assertEquals } from "@std/assert";
import { writtenOut } from "../../src/base/pattern_size.ts";

Deno.test("writtenOut() is the size of a pattern with its repetitions written out", () => {
  const sizes = ["", "abc", "a{3}", "(ab){2,5}", "((a{10}){10}){10}", "[a-z]{4}x", "\\Qa{9}\\E", "\\d{7}"]
    .map((pattern) => [pattern, writtenOut(pattern)]);

  assertEquals(sizes, [
    ["", 0],
    ["abc", 3],
    ["a{3}", 3],
    ["(ab){2,5}", 15],
    ["((a{10}){10}){10}", 1110],
    ["[a-z]{4}x", 5],
    ["\\Qa{9}\\E", 8],
    ["\\d{7}", 7],
  ]);
});
