import { assertEquals } from "@std/assert";
import { Backoff } from "../../src/base/backoff.ts";

Deno.test("Backoff.next() doubles the wait up to the limit", () => {
  const backoff = new Backoff({ minMs: 1000, maxMs: 5000 });

  assertEquals(Array.from({ length: 5 }, () => backoff.next()), [1000, 2000, 4000, 5000, 5000]);
});

Deno.test("Backoff.reset() begins again with the shortest wait", () => {
  const backoff = new Backoff({ minMs: 1000, maxMs: 5000 });
  backoff.next();
  backoff.next();

  backoff.reset();

  assertEquals(backoff.next(), 1000);
});
