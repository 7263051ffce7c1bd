import { assertEquals } from "@std/assert";
import {
  LOGIN_WAIT_MS,
  Throttle,
  WRONG_KEYS_MAX,
  WRONG_LOGINS_KEPT_MS,
  WRONG_LOGINS_MAX,
} from "../../../src/nsqadmin/login/throttle.ts";

/** A throttle to which so many logins of the key were wrong, all at 0. */
function throttleAfter(count: number, key = "k"): Throttle {
  const throttle = new Throttle();
  for (let i = 0; i < count; i++) throttle.failed(key, 0);
  return throttle;
}

Deno.test("Throttle lets so many be wrong, and then one a minute", () => {
  assertEquals(throttleAfter(WRONG_LOGINS_MAX - 1).waitMs("k", 0), 0);
  const throttle = throttleAfter(WRONG_LOGINS_MAX);
  assertEquals(throttle.waitMs("k", 0), LOGIN_WAIT_MS);
  assertEquals(throttle.waitMs("k", LOGIN_WAIT_MS - 1), 1);
  assertEquals(throttle.waitMs("k", LOGIN_WAIT_MS), 0);
  assertEquals(throttle.waitMs("another", 0), 0);

  throttle.failed("k", LOGIN_WAIT_MS);

  assertEquals(throttle.waitMs("k", LOGIN_WAIT_MS), LOGIN_WAIT_MS);
});

Deno.test("Throttle begins anew after a login that is right", () => {
  const throttle = throttleAfter(WRONG_LOGINS_MAX - 1);

  throttle.succeeded("k");
  for (let i = 1; i < WRONG_LOGINS_MAX; i++) throttle.failed("k", 0);

  assertEquals(throttle.waitMs("k", 0), 0);
});

Deno.test("Throttle forgets what was wrong long ago", () => {
  const late = throttleAfter(WRONG_LOGINS_MAX - 1);
  late.failed("k", WRONG_LOGINS_KEPT_MS);
  assertEquals(late.waitMs("k", WRONG_LOGINS_KEPT_MS), 0);

  const inTime = throttleAfter(WRONG_LOGINS_MAX - 1);
  inTime.failed("k", WRONG_LOGINS_KEPT_MS - 1);
  assertEquals(inTime.waitMs("k", WRONG_LOGINS_KEPT_MS - 1), LOGIN_WAIT_MS);
});

Deno.test("Throttle remembers as many as it may, those that were wrong last", () => {
  const throttle = throttleAfter(WRONG_LOGINS_MAX);
  for (let i = 1; i < WRONG_KEYS_MAX; i++) throttle.failed(`other ${i}`, 0);
  assertEquals(throttle.waitMs("k", 0), LOGIN_WAIT_MS);

  throttle.failed("one more", 0);

  assertEquals(throttle.waitMs("k", 0), 0);
});
