import { assertEquals } from "@std/assert";
import { TimeSlice } from "../../src/base/time_slice.ts";
import { Consumers, TEXT_LENGTH_MAX, TOLD_MAX } from "../../src/cluster/consumers.ts";
import { infoNode } from "../../src/cluster/cluster_nodes.ts";
import { nodeTopics } from "../../src/cluster/topic_stats.ts";

/** Adds what a node of that name says of a channel. */
async function add(
  consumers: Consumers,
  node: string,
  channel: string,
  ...clients: unknown[]
): Promise<void> {
  const answer = { topics: [{ topic_name: "t", channels: [{ channel_name: channel, clients }] }] };
  const slice = new TimeSlice();
  const where = { node: infoNode({ broadcast_address: node, http_port: 1 }, []), nowS: 100, slice };
  for (const { channels } of await nodeTopics(answer, where)) {
    for (const each of channels ?? []) await consumers.add(each, slice);
  }
}

const ME = { hostname: "h", client_id: "me", user_agent: "tester/1" };

Deno.test("Consumers puts connections of a process together, over nodes and channels", async () => {
  const consumers = new Consumers();
  const numbers = { in_flight_count: 1, ready_count: 5, finish_count: 10, requeue_count: 2 };
  await add(consumers, "a", "c", { ...ME, ...numbers, connect_ts: 50, tls: true }, {
    ...ME,
    user_agent: "other/1",
  });
  await add(consumers, "b", "c", { ...ME, ...numbers, connect_ts: 40, auth_identity: "root", authed: true });
  await add(consumers, "b", "d", { ...ME, ...numbers, connect_ts: 60 });

  const [me, other] = consumers.all;
  assertEquals(consumers.all.length, 2);
  assertEquals([me.connections, me.inFlight, me.ready, me.finished, me.requeued], [3, 3, 15, 30, 6]);
  assertEquals([me.connectedS, me.tlsConnections, me.authedConnections, [...me.identities]], [40, 1, 1, [
    "root",
  ]]);
  assertEquals([me.nodes, me.nodesOfChannels, me.isImbalanced], [2, 2, false]);
  assertEquals([other.nodes, other.nodesOfChannels, other.isImbalanced], [1, 2, true]);
});

Deno.test("Consumers keeps few of the versions and identities that connections of a consumer tell", async () => {
  for (const [count, kept] of [[TOLD_MAX, TOLD_MAX], [100, TOLD_MAX + 1]]) {
    const consumers = new Consumers();
    const clients = Array.from(
      { length: count },
      (_, i) => ({ ...ME, version: `v${i}`, auth_identity: `i${i}` }),
    );

    await add(consumers, "a", "c", ...clients);

    const [{ versions, identities, connections }] = consumers.all;
    assertEquals([versions.size, identities.size, connections], [kept, kept, count]);
  }
});

Deno.test("Consumers tells of a channel that is not consumed from everywhere, though others are", async () => {
  const consumers = new Consumers();
  await add(consumers, "a", "c", ME);
  await add(consumers, "b", "c");
  await add(consumers, "b", "d", ME);

  const [me] = consumers.all;

  assertEquals([me.nodes, me.nodesOfChannels, me.isImbalanced], [2, 2, true]);
});

Deno.test("Consumers takes for slow who has all in flight and has never finished one", async () => {
  const slow = { in_flight_count: 2, ready_count: 2, finish_count: 0 };
  const found: number[] = [];
  for (
    const change of [{}, { finish_count: 1 }, { in_flight_count: 1 }, { in_flight_count: 0, ready_count: 0 }]
  ) {
    const consumers = new Consumers();
    await add(consumers, "a", "c", { ...ME, ...slow, ...change });
    found.push(consumers.all[0].slowConnections);
  }

  assertEquals(found, [1, 0, 0, 0]);
});

Deno.test("Consumers keeps no more than there is room for, and says so", async () => {
  const consumers = new Consumers({ limits: { connectionsMax: 2, channelsMax: 2 } });
  await add(consumers, "a", "c", ME, ME);
  assertEquals([consumers.all[0].connections, consumers.leftOut], [2, 0]);
  await add(consumers, "b", "c", ME);
  assertEquals([consumers.all[0].connections, consumers.leftOut], [2, 1]);
  await add(consumers, "c", "c", ME);

  assertEquals([consumers.all[0].connections, consumers.all[0].nodesOfChannels, consumers.leftOut], [
    2,
    2,
    3,
  ]);
});

Deno.test("Consumers keeps the beginning of what is too long", async () => {
  const consumers = new Consumers();
  await add(consumers, "a", "c", { ...ME, client_id: "x".repeat(TEXT_LENGTH_MAX) });
  await add(consumers, "a", "d", { ...ME, client_id: "y".repeat(TEXT_LENGTH_MAX + 1) });

  assertEquals(consumers.all.map(({ clientId }) => clientId.length), [TEXT_LENGTH_MAX, TEXT_LENGTH_MAX]);
});

Deno.test("Consumers cuts no character in halves, of which no link could be made", async () => {
  const consumers = new Consumers();
  await add(consumers, "a", `${"x".repeat(TEXT_LENGTH_MAX - 1)}\u{1f600}`, ME);

  const [channel] = consumers.all[0].channels.keys();

  assertEquals(channel.name, `${"x".repeat(TEXT_LENGTH_MAX - 1)}\ufffd`);
});
