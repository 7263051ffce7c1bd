import { assertEquals } from "@std/assert";
import { shortened } from "../../src/base/shortened.ts";

for (
  const [what, text, expected] of [
    ["keeps what fits", "abc", "abc"],
    ["cuts what is longer", "abcd", "abc"],
    ["keeps whole characters", "a\u{1f600}b", "a\u{1f600}"],
    ["leaves no half of a character", "ab\u{1f600}", "ab\ufffd"],
    ["has none that was there before", "\ud83d", "\ufffd"],
  ] as const
) {
  Deno.test(`shortened() ${what}`, () => {
    assertEquals(shortened(text, 3), expected);
  });
}
