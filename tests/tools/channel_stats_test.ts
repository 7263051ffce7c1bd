import { assertEquals, assertThrows } from "@std/assert";
import { type ChannelRow, channelsIn, type ChannelStats, rowsOf } from "../../src/tools/channel_stats.ts";

const NOTHING: ChannelStats = {
  node: "a:4151",
  topic: "orders",
  channel: "billing",
  paused: false,
  latencies: new Map(),
  depth: 0,
  backend_depth: 0,
  in_flight_count: 0,
  deferred_count: 0,
  requeue_count: 0,
  timeout_count: 0,
  message_count: 0,
  client_count: 0,
};

function rates(
  before: readonly Partial<ChannelStats>[],
  after: readonly Partial<ChannelStats>[],
  ms = 2000,
): number[][] {
  const look = (channels: readonly Partial<ChannelStats>[], atMs: number) => ({
    channels: channels.map((channel) => ({ ...NOTHING, ...channel })),
    atMs,
  });
  return rowsOf(look(after, 1000 + ms), look(before, 1000)).map((
    { ingress, egress }: ChannelRow,
  ) => [ingress, egress]);
}

Deno.test("rowsOf() divides by the time that has passed", () => {
  assertEquals(rates([{ message_count: 10, depth: 5 }], [{ message_count: 30, depth: 15 }]), [[10, 5]]);
  assertEquals(rates([{ message_count: 10 }], [{ message_count: 30 }], 4000), [[5, 5]]);
});

Deno.test("rowsOf() adds up the rates of nodes, and counts none that was not there before", () => {
  const before = [{ message_count: 10 }, { node: "b:4151", message_count: 100 }];
  const after = [{ message_count: 12 }, { node: "b:4151", message_count: 104 }, {
    node: "c:4151",
    message_count: 1000,
  }];

  assertEquals(rates(before, after), [[3, 3]]);
});

Deno.test("rowsOf() counts from 0 on a node that was started again", () => {
  assertEquals(rates([{ message_count: 1000, depth: 7 }], [{ message_count: 4, depth: 2 }]), [[2, 1]]);
});

Deno.test("rowsOf() has no rates without a look before", () => {
  assertEquals(rowsOf({ channels: [{ ...NOTHING, message_count: 5 }], atMs: 0 }, undefined)[0].ingress, 0);
});

Deno.test("rowsOf() puts nodes together: counts are summed, latencies are the largest", () => {
  const [row] = rowsOf({
    atMs: 0,
    channels: [
      { ...NOTHING, depth: 1, client_count: 2, latencies: new Map([[0.99, 5], [0.5, 1]]) },
      { ...NOTHING, node: "b:4151", depth: 3, paused: true, latencies: new Map([[0.99, 4]]) },
    ],
  }, undefined);

  assertEquals(
    [row.nodes, row.depth, row.client_count, row.paused, [...row.latencies]],
    [2, 4, 2, true, [[0.99, 5], [0.5, 1]]],
  );
});

Deno.test("rowsOf() sorts by topic and channel", () => {
  const named = (topic: string, channel: string) => ({ ...NOTHING, topic, channel });

  const rows = rowsOf({ atMs: 0, channels: [named("b", "x"), named("a", "y"), named("a", "x")] }, undefined);

  assertEquals(rows.map(({ topic, channel }) => topic + channel), ["ax", "ay", "bx"]);
});

Deno.test("channelsIn() reads an answer of nsqd", () => {
  const answer = {
    topics: [
      { topic_name: "empty", channels: null },
      {
        topic_name: "orders",
        channels: [{
          channel_name: "billing",
          depth: 7,
          message_count: 9,
          paused: true,
          e2e_processing_latency: { count: 2, percentiles: [{ quantile: 0.99, value: 1500 }] },
        }],
      },
    ],
  };

  assertEquals(channelsIn("a:4151", answer), [
    { ...NOTHING, depth: 7, message_count: 9, paused: true, latencies: new Map([[0.99, 1500]]) },
  ]);
});

for (const answer of [null, 5, [], {}, { topics: 5 }]) {
  Deno.test(`channelsIn() refuses ${JSON.stringify(answer)}`, () => {
    assertThrows(() => channelsIn("a:4151", answer), Error, "a:4151: the answer holds no statistics");
  });
}
