import { assertEquals } from "@std/assert";
import { HostPool } from "../../src/tools/host_pool.ts";

const FAILED = { failed: true, tookMs: 1 } as const;
const WORKED = { failed: false, tookMs: 1 } as const;

function picks(pool: HostPool, count: number, nowMs = 0): string {
  return Array.from({ length: count }, () => pool.pick(nowMs)).join("");
}

Deno.test("HostPool takes each in turn, round-robin from the second on", () => {
  assertEquals(picks(new HostPool(["a", "b", "c"], "round-robin"), 5), "bcabc");
});

Deno.test("HostPool round-robin does not care who has failed", () => {
  const pool = new HostPool(["a", "b"], "round-robin");
  pool.mark("b", { ...FAILED, nowMs: 0 });

  assertEquals(picks(pool, 4), "baba");
});

Deno.test("HostPool lets one that has failed rest for 30 s, and twice as long each time, up to 15 minutes", () => {
  const pool = new HostPool(["a", "b"], "hostpool");
  pool.mark("a", { ...FAILED, nowMs: 0 });

  assertEquals(picks(pool, 3, 30_000), "bbb");
  assertEquals(picks(pool, 3, 30_001), "abb");
  let nowMs = 30_001;
  for (const restMs of [60_000, 120_000, 240_000, 480_000, 900_000, 900_000]) {
    pool.mark("a", { ...FAILED, nowMs });
    assertEquals(picks(pool, 2, nowMs + restMs), "bb", `after a rest of ${restMs} ms`);
    nowMs += restMs + 1;
    assertEquals(picks(pool, 2, nowMs).includes("a"), true, `after a rest of ${restMs} ms and one more`);
  }
});

Deno.test("HostPool takes one that works again from then on", () => {
  const pool = new HostPool(["a", "b"], "hostpool");
  pool.mark("a", { ...FAILED, nowMs: 0 });
  pool.mark("a", { ...WORKED, nowMs: 1 });

  assertEquals(picks(pool, 4, 2), "abab");
});

Deno.test("HostPool tries all when all rest", () => {
  const pool = new HostPool(["a", "b"], "hostpool");
  for (const name of ["a", "b"]) pool.mark(name, { ...FAILED, nowMs: 0 });

  assertEquals(picks(pool, 4, 1), "aaba");
});

Deno.test("HostPool epsilon-greedy prefers the faster one in proportion, and never one that rests", () => {
  const values = [0.99, 0.6, 0.99, 0.8, 0.99, 0.8];
  const pool = new HostPool(["slow", "fast"], "epsilon-greedy", () => values.shift() ?? 0.99);
  pool.mark("slow", { failed: false, tookMs: 30, nowMs: 0 });
  pool.mark("fast", { failed: false, tookMs: 10, nowMs: 0 });

  // A quarter of the weight is the slow one's.
  assertEquals(picks(pool, 2), "fastfast");
  pool.mark("fast", { ...FAILED, nowMs: 0 });
  assertEquals(picks(pool, 1), "slow");
});

Deno.test("HostPool epsilon-greedy explores, less and less", () => {
  const pool = new HostPool(["a", "b"], "epsilon-greedy", () => 0.2);
  pool.mark("a", { failed: false, tookMs: 10, nowMs: 0 });

  // 0.3 × 0.9 × 0.9 × 0.9 × 0.9 is below 0.2: only the one that is known is left.
  assertEquals(picks(pool, 8), "ababaaaa");
});

Deno.test("HostPool epsilon-greedy forgets how fast one was after 5 minutes", () => {
  const pool = new HostPool(["a", "b"], "epsilon-greedy", () => 0.99);
  pool.mark("b", { failed: false, tookMs: 10, nowMs: 0 });

  assertEquals(picks(pool, 2, 299_999), "bb");
  assertEquals(picks(pool, 2, 600_000), "ab");
});
