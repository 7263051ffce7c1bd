import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { KeptView } from "../../src/base/kept_view.ts";

Deno.test("KeptView.of() gives the same view for the same bytes", () => {
  const view = new KeptView();
  const bytes = Uint8Array.of(1, 2, 3);

  const first = view.of(bytes, 1, 3);

  assertEquals(first, Uint8Array.of(2, 3));
  assertStrictEquals(view.of(bytes, 1, 3), first);
});

Deno.test("KeptView.of() gives another view for another start, end, buffer, or place of the bytes in it", () => {
  const view = new KeptView();
  const bytes = Uint8Array.of(1, 2, 3, 4);
  view.of(bytes, 1, 3);

  assertEquals(view.of(bytes, 0, 2), Uint8Array.of(1, 2));
  assertEquals(view.of(bytes, 0, 3), Uint8Array.of(1, 2, 3));
  assertEquals(view.of(bytes.subarray(1), 0, 3), Uint8Array.of(2, 3, 4));
  assertEquals(view.of(Uint8Array.of(5, 6, 7), 0, 3), Uint8Array.of(5, 6, 7));
});

Deno.test("KeptView.clear() lets go of the buffer", () => {
  const view = new KeptView();
  const bytes = Uint8Array.of(1);
  const first = view.of(bytes, 0, 1);

  view.clear();

  assert(view.of(bytes, 0, 1) !== first);
});
