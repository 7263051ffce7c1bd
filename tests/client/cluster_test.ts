import { assertEquals, assertLessOrEqual } from "@std/assert";
import { Consumer, Producer } from "../../src/client/mod.ts";
import { runCluster } from "../support/client_cluster.ts";
import { eventually } from "../support/eventually.ts";
import { type NsqdInProcess, withDataPath, withNsqd } from "../support/nsqd_in_process.ts";

const TOPIC = "cluster";

Deno.test("Nothing is lost while nodes are killed and come back under a producer and its consumers", async () => {
  const plan = { nodes: 3, consumers: 4, maxInFlight: 50, messages: 2000, rounds: 3 };

  const { published, missing, mostReady } = await runCluster(plan);

  assertEquals([published, missing], [6000, 0]);
  assertLessOrEqual(mostReady, plan.maxInFlight);
});

Deno.test("Consumer with fewer messages in flight than nodes takes as much from each of them", async () => {
  await withNodes(5, async (nodes) => {
    const addresses = nodes.map(({ tcpAddress }) => tcpAddress);
    for (const { tcpAddress } of nodes) {
      await using producer = new Producer({ nsqd: [tcpAddress] });
      await producer.publishMany(TOPIC, Array.from({ length: 300 }, (_, i) => `${i}`));
    }
    await using consumer = new Consumer(TOPIC, "fair", { nsqd: addresses, maxInFlight: 2 });
    const counts = new Map(addresses.map((address) => [address, 0]));
    let taken = 0;
    let most = 0;

    for await (const message of consumer) {
      most = Math.max(most, consumer.stats.inFlight);
      counts.set(message.node, (counts.get(message.node) ?? 0) + 1);
      message.finish();
      if (++taken === 500) break;
    }

    const shares = [...counts.values()];
    assertLessOrEqual(Math.max(...shares) - Math.min(...shares), 50, `${shares}`);
    assertLessOrEqual(most, 2);
  });
});

Deno.test("Consumer gets a message of the only busy node of many soon, with one in flight", async () => {
  await withNodes(8, async (nodes) => {
    const addresses = nodes.map(({ tcpAddress }) => tcpAddress);
    await using consumer = new Consumer(TOPIC, "sparse", { nsqd: addresses, maxInFlight: 1 });
    const received: string[] = [];
    void consumer.run((message) => void received.push(message.text()));
    await eventually("all are connected", () => consumer.stats.nodes.length === 8);

    await using producer = new Producer({ nsqd: [addresses[5]] });
    await producer.publishMany(TOPIC, Array.from({ length: 100 }, (_, i) => `${i}`));

    // The permission goes round all of them in two seconds, and then stays where there are messages.
    await eventually("all have come", () => received.length === 100);
  });
});

/** Starts that many nsqds for `use`. */
async function withNodes(
  count: number,
  use: (nodes: readonly NsqdInProcess[]) => Promise<void>,
): Promise<void> {
  const startNext = (nodes: readonly NsqdInProcess[]): Promise<unknown> =>
    nodes.length === count ? use(nodes) : withDataPath(async (dataPath) => {
      await withNsqd(dataPath, {}, async (node) => void await startNext([...nodes, node]));
    });
  await startNext([]);
}
