import { assertEquals } from "@std/assert";
import { Bell } from "../../src/base/bell.ts";
import { FakeTimers } from "../support/fake_timers.ts";

Deno.test("Bell.ring() wakes the one who waits", async () => {
  const timers = new FakeTimers();
  const bell = new Bell();
  const waiting = bell.wait(timers, 1000, new AbortController().signal);

  bell.ring();
  await waiting;

  assertEquals(timers.sleeping, []);
});

Deno.test("Bell.ring() is heard once by the one who waits later", async () => {
  const timers = new FakeTimers();
  const bell = new Bell();
  const { signal } = new AbortController();
  bell.ring();
  bell.ring();

  await bell.wait(timers, 1000, signal);

  const waiting = bell.wait(timers, 1000, signal);
  assertEquals(timers.sleeping, [1000]);
  timers.advance(1000);
  await waiting;
});

Deno.test("Bell.wait() ends when the signal aborts", async () => {
  const timers = new FakeTimers();
  const bell = new Bell();
  const controller = new AbortController();
  const waiting = bell.wait(timers, 1000, controller.signal);

  controller.abort();
  await waiting;
  await bell.wait(timers, 1000, controller.signal);

  assertEquals(timers.sleeping, []);
});
