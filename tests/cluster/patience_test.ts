import { assertEquals, assertThrows } from "@std/assert";
import type { Daemon } from "../../src/cluster/daemon_client.ts";
import { Patience, UNANSWERED_MAX } from "../../src/cluster/patience.ts";

const NODE: Daemon = { kind: "nsqd", address: "a:1" };

function failed(patience: Patience, times: number): void {
  for (let i = 0; i < times; i++) patience.note({ ...NODE }, "POST", false);
}

Deno.test("Patience ends with a daemon that has not answered so many times, and with no other", () => {
  const patience = new Patience();

  failed(patience, UNANSWERED_MAX - 1);
  patience.check(NODE);
  failed(patience, 1);
  assertThrows(() => patience.check(NODE), Error, "has not answered 3 times in a row");
  patience.check({ ...NODE, kind: "nsqlookupd" });
  patience.check({ ...NODE, address: "a:2" });
});

Deno.test("Patience begins anew with each answer", () => {
  const patience = new Patience();

  failed(patience, UNANSWERED_MAX - 1);
  patience.note(NODE, "POST", true);
  failed(patience, UNANSWERED_MAX - 1);

  assertEquals(patience.check(NODE), undefined);
});

Deno.test("Patience does not begin anew with answers to questions, where nothing is done", () => {
  const patience = new Patience();

  failed(patience, UNANSWERED_MAX - 1);
  patience.note(NODE, "GET", true);
  patience.check(NODE);
  failed(patience, 1);

  assertThrows(() => patience.check(NODE), Error, "has not answered 3 times in a row");
});
