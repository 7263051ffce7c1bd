import { assert } from "@std/assert";
import { lockSoon } from "../../src/base/file_lock.ts";

/** A file whose lock is given back before the attempt of that number. */
function fileLocked(until: number) {
  let attempts = 0;
  return { lock: () => Promise.resolve(), tryLockSync: () => ++attempts >= until };
}

Deno.test("lockSoon() waits for who gives the lock back in a moment", async () => {
  assert(await lockSoon(fileLocked(3)));
});

Deno.test("lockSoon() does not wait for who keeps it", async () => {
  assert(!await lockSoon(fileLocked(Infinity)));
});
