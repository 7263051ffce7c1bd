import { assertEquals } from "@std/assert";
import { BulkGo, REASONS_MAX } from "../../src/nsqadmin/bulk.ts";
import type { BulkAction } from "../../src/nsqadmin/bulk_words.ts";
import { RESULTS_MAX } from "../../src/nsqadmin/activity.ts";
import type { Failure } from "../../src/cluster/asked.ts";
import { restOf } from "../../src/cluster/cluster_actions.ts";

function goOf(count: number, action: BulkAction = "pause"): BulkGo {
  const author = { user: undefined, address: "h:1", userAgent: "", url: "" };
  const items = Array.from({ length: count }, (_, i) => ({
    target: { topic: `t${i}`, channel: "" },
    rest: undefined,
  }));
  return new BulkGo({ action, author, items, begun: { wallMs: 0, monotonicMs: 0 } });
}

function failures(count: number): Failure[] {
  return Array.from({ length: count }, (_, i) => ({
    daemon: { kind: "nsqd", address: `n:${i}` },
    reason: "no",
    wasTold: true,
  }));
}

Deno.test("BulkGo keeps so many reasons of each, and of all, counts the others, and forgets nobody who is to be told again", () => {
  const go = goOf(REASONS_MAX / RESULTS_MAX + 1);
  const done = { done: [], failures: failures(RESULTS_MAX + 1) };
  for (const item of go.items) go.note(item, done, restOf(done));

  const kept = go.items.map(({ outcome }) => outcome?.failures.length);
  assertEquals([kept[0], kept.at(-2), kept.at(-1)], [RESULTS_MAX, RESULTS_MAX, 0]);
  for (const { outcome } of go.items) {
    assertEquals([outcome?.failedCount, outcome?.rest?.failed.length], [RESULTS_MAX + 1, RESULTS_MAX + 1]);
  }
});

Deno.test("BulkGo tells what is done, what has failed, also when nobody was told, and what is to be tried again", () => {
  const go = goOf(4);
  const [all, some, nobody] = go.items;
  const daemon = { kind: "nsqd", address: "n:9" } as const;
  const partly = { done: [daemon], failures: failures(1) };

  go.note(all, { done: [daemon, daemon], failures: [] }, restOf({ done: [daemon], failures: [] }));
  go.note(some, partly, restOf(partly));
  go.note(nobody, { done: [], failures: [] }, undefined);

  assertEquals(go.counts, { done: 1, failed: 2, left: 1 });
  assertEquals(go.items.map(({ outcome }) => outcome?.doneCount), [1, 1, 0, undefined]);
  assertEquals(go.remaining.map(({ target, rest }) => [target.topic, rest?.done.length]), [
    ["t1", 1],
    ["t2", undefined],
    ["t3", undefined],
  ]);
});
