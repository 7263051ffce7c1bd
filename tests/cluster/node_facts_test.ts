import { assertEquals, assertThrows } from "@std/assert";
import { nodeFacts } from "../../src/cluster/node_facts.ts";

const NO_MEMORY = {
  ...{ inUseBytes: 0, idleBytes: 0, objects: 0, nextGcBytes: 0, gcRuns: 0 },
  ...{ gcPause99Us: 0, gcPauseMaxUs: 0 },
};

Deno.test("nodeFacts() of NSQ's nsqd has its memory and collector", () => {
  const facts = nodeFacts({
    ...{ version: "1.3.0", health: "OK", start_time: 1_700_000_000, topics: [] },
    memory: {
      ...{ heap_objects: 9, heap_idle_bytes: 8, heap_in_use_bytes: 7, heap_released_bytes: 6 },
      ...{
        gc_pause_usec_100: 5,
        gc_pause_usec_99: 4,
        gc_pause_usec_95: 3,
        next_gc_bytes: 2,
        gc_total_runs: 1,
      },
    },
  });

  assertEquals(facts, {
    ...{ health: "OK", startTimeS: 1_700_000_000, own: undefined, gossip: undefined },
    memory: {
      ...{ inUseBytes: 7, idleBytes: 8, objects: 9, nextGcBytes: 2, gcRuns: 1 },
      ...{ gcPause99Us: 4, gcPauseMaxUs: 5 },
    },
  });
});

Deno.test("nodeFacts() of ours has what only ours tells", () => {
  const { own } = nodeFacts({
    node: {
      ...{ ready: false, state: "draining", reasons: ["draining"], store: "files", resident_memory_bytes: 3 },
      ...{ data_path_free_bytes: 1, data_path_size_bytes: 2, drain: { messages_left: 4, seconds_left: 5 } },
    },
  });

  assertEquals(own, {
    ...{ state: "draining", store: "files", residentBytes: 3, freeBytes: 1, sizeBytes: 2 },
    drain: { messagesLeft: 4, secondsLeft: 5 },
  });
});

Deno.test("nodeFacts() has what is said of gossip, with or without the agent's own words", () => {
  const own = { health: "OK", node: "a", nodes: "3", agent_restarts: "0" };

  assertEquals(nodeFacts({ gossip: { ...own, members: "4", failed: "1", left: "0" } }).gossip, {
    ...{ health: "OK", nodes: "3", members: "4", failed: "1" },
  });
  assertEquals(nodeFacts({ gossip: own }).gossip, { health: "OK", nodes: "3", members: "", failed: "" });
});

Deno.test("nodeFacts() of an answer that says nothing has nothing", () => {
  assertEquals(nodeFacts({}), {
    health: "",
    startTimeS: 0,
    memory: NO_MEMORY,
    own: undefined,
    gossip: undefined,
  });
});

Deno.test("nodeFacts() keeps to what can be shown", () => {
  const { health, startTimeS, memory } = nodeFacts({
    ...{
      health: "x".repeat(1000),
      start_time: 1e300,
      memory: { heap_in_use_bytes: -1, gc_total_runs: 1e308 },
    },
  });

  assertEquals([health.length, memory.inUseBytes, memory.gcRuns], [300, 0, Number.MAX_SAFE_INTEGER]);
  assertEquals(new Date(startTimeS * 1000).getTime(), 8.64e15);
});

for (
  const answer of [{ health: 1 }, { memory: [] }, { memory: { gc_total_runs: "1" } }, { node: "x" }, {
    gossip: { nodes: 1 },
  }]
) {
  Deno.test(`nodeFacts() takes nothing of ${JSON.stringify(answer)}`, () => {
    assertThrows(() => nodeFacts(answer), TypeError);
  });
}
