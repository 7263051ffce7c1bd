import { assertEquals } from "@std/assert";
import { RateLimit } from "../../src/base/rate_limit.ts";

Deno.test("RateLimit lets the first through at once, and then so many a second", () => {
  const limit = new RateLimit(10);

  const taken = [0, 0, 50, 100, 250, 1000].map((nowMs) => limit.take(100, nowMs));

  assertEquals(taken, [1, 0, 0, 1, 1, 8]);
});

Deno.test("RateLimit keeps what was not used for a second at most", () => {
  const limit = new RateLimit(10);
  limit.take(1, 0);

  assertEquals([limit.take(100, 60_000), limit.take(100, 60_000)], [10, 0]);
});

Deno.test("RateLimit of 0 lets everything through", () => {
  assertEquals(new RateLimit(0).take(100, 0), 100);
});
