import { assertEquals } from "@std/assert";
import { Bell, bellMemory } from "../../../src/net/threads/bell.ts";
import { settle } from "../../support/settle.ts";

const NOTHING_TO_DO = () => false;

/** Waits with something else going on in the thread, without which it would end. */
async function among<T>(others: number, wait: Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, others);
  try {
    return await wait;
  } finally {
    clearInterval(timer);
  }
}

Deno.test("Bell.rest() sleeps until somebody rings", async () => {
  const bell = new Bell(bellMemory());
  let isAwake = false;
  const resting = bell.rest(NOTHING_TO_DO).then(() => isAwake = true);

  await settle();
  const before = isAwake;
  bell.ring();
  await among(1000, resting);

  assertEquals([before, isAwake], [false, true]);
});

Deno.test("Bell.rest() does not sleep while there is something to do", async () => {
  const bell = new Bell(bellMemory());

  await bell.rest(() => true);
});

Deno.test("Bell.rest() does not sleep when somebody rings while it looks whether there is something to do", async () => {
  const bell = new Bell(bellMemory());

  await bell.rest(() => {
    bell.ring();
    return false;
  });
});

Deno.test("Bell.ring() of one who does not sleep is of no consequence", async () => {
  const bell = new Bell(bellMemory());
  let isAwake = false;

  bell.ring();
  const resting = bell.rest(NOTHING_TO_DO).then(() => isAwake = true);
  await settle();
  const before = isAwake;
  bell.ring();
  await among(1000, resting);

  assertEquals(before, false);
});
