import { assertEquals, assertRejects } from "@std/assert";
import { within } from "../../src/base/timers.ts";
import { FakeTimers } from "../support/fake_timers.ts";

Deno.test("within() gives what the promise settles with in time, and waits no longer", async () => {
  const timers = new FakeTimers();

  assertEquals(await within(timers, 100, Promise.resolve("x")), "x");
  assertEquals(timers.sleeping, []);
});

Deno.test("within() gives undefined when the promise takes too long", async () => {
  const timers = new FakeTimers();
  const never = new Promise<string>(() => {});

  const result = within(timers, 100, never);
  timers.advance(100);

  assertEquals(await result, undefined);
});

Deno.test("within() fails when the promise does", async () => {
  const timers = new FakeTimers();

  await assertRejects(() => within(timers, 100, Promise.reject(new RangeError("x"))), RangeError, "x");
  assertEquals(timers.sleeping, []);
});
