import { assertEquals } from "@std/assert";
import { PendingBytes } from "../../src/base/pending_bytes.ts";

Deno.test("PendingBytes has what was added, in order, but for what was dropped", () => {
  const pending = new PendingBytes();

  pending.add(Uint8Array.of(1, 2, 3));
  pending.add(Uint8Array.of(4));
  pending.drop(2);
  pending.add(Uint8Array.of(5));

  assertEquals([...pending.bytes], [3, 4, 5]);
  assertEquals(pending.length, 3);
});

Deno.test("PendingBytes.take() gives away what stays as it is, and begins anew", () => {
  const pending = new PendingBytes();
  pending.add(Uint8Array.of(1, 2));

  const taken = pending.take();
  pending.add(Uint8Array.of(9, 9));

  assertEquals([...taken], [1, 2]);
  assertEquals([...pending.bytes], [9, 9]);
});
