import { assertEquals } from "@std/assert";
import { BackoffMachine } from "../../src/client/backoff_machine.ts";

Deno.test("BackoffMachine.settled() waits after a failure, and longer after each that follows a test", () => {
  const machine = new BackoffMachine({ multiplierMs: 1000, maxMs: 120_000 });
  const waits: number[] = [];

  for (let nowMs = 0, i = 0; i < 7; i++) {
    machine.settled("failed", nowMs);
    waits.push(machine.waitMs);
    nowMs += machine.waitMs;
    machine.passed(nowMs);
  }

  // 2^7 s would be more than two minutes: the level stays.
  assertEquals(waits, [2000, 4000, 8000, 16_000, 32_000, 64_000, 64_000]);
});

Deno.test("BackoffMachine.settled() counts nothing while it waits", () => {
  const machine = new BackoffMachine();
  machine.settled("failed", 0);

  assertEquals(machine.settled("failed", 10), false);
  assertEquals(machine.settled("finished", 20), false);
  assertEquals([machine.state, machine.level, machine.untilMs], ["waiting", 1, 2000]);
});

Deno.test("BackoffMachine.passed() tests when the wait is over, and no sooner", () => {
  const machine = new BackoffMachine();
  machine.settled("failed", 0);

  assertEquals([machine.passed(1999), machine.state], [false, "waiting"]);
  assertEquals([machine.passed(2000), machine.state], [true, "testing"]);
});

Deno.test("BackoffMachine.settled() opens when a test at level 1 succeeds", () => {
  const machine = new BackoffMachine();
  machine.settled("failed", 0);
  machine.passed(2000);

  assertEquals([machine.settled("finished", 2001), machine.state, machine.level], [true, "open", 0]);
});

Deno.test("BackoffMachine.settled() goes down level by level, with a wait at each", () => {
  const machine = new BackoffMachine();
  machine.settled("failed", 0);
  machine.passed(2000);
  machine.settled("failed", 2000);
  machine.passed(6000);

  assertEquals([machine.settled("finished", 6000), machine.state, machine.level, machine.waitMs], [
    true,
    "waiting",
    1,
    2000,
  ]);
});

Deno.test("BackoffMachine.settled() stays at its level when a message is requeued without backoff", () => {
  const machine = new BackoffMachine();
  machine.settled("failed", 0);
  machine.passed(2000);

  assertEquals([machine.settled("requeued", 2000), machine.state, machine.level], [true, "waiting", 1]);
});

Deno.test("BackoffMachine.settled() takes no notice of requeues without backoff when it is open", () => {
  const machine = new BackoffMachine();

  assertEquals([machine.settled("requeued", 0), machine.state], [false, "open"]);
});

Deno.test("BackoffMachine with a longest wait of 0 never holds back", () => {
  const machine = new BackoffMachine({ maxMs: 0 });

  assertEquals([machine.settled("failed", 0), machine.state], [false, "open"]);
});

Deno.test("BackoffMachine with jitter waits for a part of the time, chosen by chance", () => {
  const machine = new BackoffMachine({ jitter: true }, () => 0.25);

  machine.settled("failed", 0);

  assertEquals(machine.waitMs, 500);
});
