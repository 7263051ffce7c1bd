import { assertEquals } from "@std/assert";
import { ReconnectWait } from "../../src/client/reconnect_wait.ts";

Deno.test("ReconnectWait.next() has a limit that doubles up to the greatest", () => {
  const wait = new ReconnectWait({ minMs: 100, maxMs: 1000 }, () => 1);

  assertEquals([wait.next(), wait.next(), wait.next(), wait.next(), wait.next()], [100, 200, 400, 800, 1000]);
});

Deno.test("ReconnectWait.next() is chosen by chance below its limit", () => {
  const wait = new ReconnectWait({ minMs: 100, maxMs: 1000 }, () => 0.5);

  assertEquals([wait.next(), wait.next()], [50, 100]);
});

Deno.test("ReconnectWait.next() begins anew after a connection that held for 10 s", () => {
  const wait = new ReconnectWait({ minMs: 100, maxMs: 1000 }, () => 1);
  wait.next();
  wait.next();

  assertEquals([wait.next(9999), wait.next(10_000)], [400, 100]);
});
