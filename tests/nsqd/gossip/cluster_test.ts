/**
 * Gossip with real Serf agents.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { eventually } from "../../support/eventually.ts";
import {
  channelsOf,
  CONVERGED,
  GossipCluster,
  type GossipNode,
  nodesOf,
  ping,
  post,
  producersOf,
} from "../../support/gossip_cluster.ts";
import { interopTest } from "../../support/interop.ts";
import { freePort } from "../../support/ports.ts";

const KEY = "5K9OtfP7efFrNKe5WCQvXvnaXJ5cWP0SvXiwe0kkjM4=";
const OTHER_KEY = "T9jncgl9mbLus+baTTa7q7nPSUrXwbDi2dhbtqir37s=";

interopTest(
  "nsqds with gossip answer on each node what all of them have",
  () => GossipCluster.make(),
  async (cluster) => {
    const [first, second] = [await cluster.add(), await cluster.add()];
    await cluster.run(async () => {
      await post(first, "/pub?topic=orders", "message");
      await post(second, "/topic/create?topic=mail");
      await post(second, "/channel/create?topic=mail&channel=archive");

      const third = await cluster.add();
      await cluster.run(async () => {
        const all = [first, second, third];
        await onEach(all, "all nodes", nodesOf, ["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
        await onEach(all, "the first's topic", (node) => producersOf(node, "orders"), ["127.0.0.1"]);
        await onEach(all, "the second's channel", (node) => channelsOf(node, "mail"), ["archive"]);

        // A topic that is new to a node has its channels at once.
        await post(third, "/pub?topic=mail", "message");
        assertEquals(await depthOf(third, "mail", "archive"), 1);

        await post(third, "/topic/create?topic=orders");
        await onEach(all, "the topic's nodes", (node) => producersOf(node, "orders"), [
          "127.0.0.1",
          "127.0.0.3",
        ]);
        await post(first, "/topic/delete?topic=orders");
        await onEach(all, "the topic's node", (node) => producersOf(node, "orders"), ["127.0.0.3"]);
        assertEquals(await ping(third), "OK");

        await third.nsqd.stop();
        const rest = [first, second];
        await onEach(rest, "the nodes that stay", nodesOf, ["127.0.0.1", "127.0.0.2"]);
        await onEach(rest, "no topic's node", (node) => producersOf(node, "orders"), undefined);
      });
    });
  },
);

interopTest(
  "nsqds with gossip drop a node that was killed, together with its agent, and take it back",
  () => GossipCluster.make(),
  async (cluster) => {
    const [first, second] = [await cluster.add(), await cluster.add()];
    await cluster.run(async () => {
      await post(second, "/topic/create?topic=orders");
      await onEach([first], "the second's topic", (node) => producersOf(node, "orders"), ["127.0.0.2"]);

      // Or it would come back without the topic.
      await eventually("its metadata is kept", () => second.nsqd.log.split("persisting").length > 2);
      await second.nsqd.kill();
      await eventually("its agent has ended", async () => !await isListening(second));
      await onEach([first], "one node", nodesOf, ["127.0.0.1"]);
      await onEach([first], "a topic of nobody", (node) => producersOf(node, "orders"), []);

      const back = await cluster.add({ at: second });
      await onEach([first, back], "both nodes", nodesOf, ["127.0.0.1", "127.0.0.2"]);
      await onEach([first, back], "the topic", (node) => producersOf(node, "orders"), ["127.0.0.2"]);
    });
  },
);

interopTest(
  "nsqds with gossip start an agent that was killed again, and know as much as before",
  () => GossipCluster.make(),
  async (cluster) => {
    const [first, second] = [await cluster.add(), await cluster.add()];
    await cluster.run(async () => {
      const both = [first, second];
      await post(first, "/topic/create?topic=mine");
      await post(second, "/topic/create?topic=other");
      await onEach(both, "both nodes", nodesOf, ["127.0.0.1", "127.0.0.2"]);
      await onEach([first], "the other's topic", (node) => producersOf(node, "other"), ["127.0.0.2"]);

      // The seed's, which has no seed to join.
      Deno.kill(agentPid(first), "SIGKILL");
      await eventually("it is said", async () => (await ping(first)).startsWith("NOK - gossip unhealthy: "));
      assertEquals(await producersOf(first, "other"), ["127.0.0.2"]);

      await eventually("it is well again", async () => await ping(first) === "OK", CONVERGED);
      await eventually(
        "it is in the cluster",
        () => first.nsqd.log.includes("SERF: joined 1 nodes again"),
        CONVERGED,
      );
      await post(first, "/topic/create?topic=new");
      await onEach(both, "the new topic", (node) => producersOf(node, "new"), ["127.0.0.1"]);
      await post(second, "/topic/create?topic=newer");
      await onEach(both, "the newer topic", (node) => producersOf(node, "newer"), ["127.0.0.2"]);
      await onEach(both, "both nodes", nodesOf, ["127.0.0.1", "127.0.0.2"]);
      const stats = await (await fetch(`http://${first.nsqd.httpAddress}/stats`)).text();
      assertStringIncludes(stats, "\nGossip:\n   health: OK\n   node: 127.0.0.1:");
      assertStringIncludes(stats, "\n   agent_restarts: 1\n");
      assertStringIncludes(first.nsqd.log, "ERROR: SERF: agent ended with SIGKILL; trying again in 1s");
    });
  },
);

interopTest(
  "nsqds with gossip keep one out that has not their key",
  () => GossipCluster.make(),
  async (cluster) => {
    const key = `--gossip-encrypt-key-file=${await cluster.file("key", KEY)}`;
    const otherKey = `--gossip-encrypt-key-file=${await cluster.file("other_key", OTHER_KEY)}`;
    const [first, second] = [await cluster.add({ args: [key] }), await cluster.add({ args: [key] })];
    const stranger = await cluster.add({ args: [otherKey] });
    await cluster.run(async () => {
      await post(stranger, "/topic/create?topic=forged");
      await post(second, "/topic/create?topic=orders");

      await onEach([first], "the second's topic", (node) => producersOf(node, "orders"), ["127.0.0.2"]);
      await eventually("the stranger is refused", async () => {
        return (await ping(stranger)).startsWith("NOK - gossip unhealthy: no seed can be joined: ");
      }, CONVERGED);
      await onEach([first, second], "two nodes", nodesOf, ["127.0.0.1", "127.0.0.2"]);
      assertEquals(await nodesOf(stranger), ["127.0.0.3"]);
      assertEquals(await producersOf(first, "forged"), undefined);
      assertEquals(await producersOf(stranger, "orders"), undefined);
      assertStringIncludes((await gossipStats(first)).encrypted, "true");
      for (const { nsqd } of [first, stranger]) {
        assert(!nsqd.log.includes(KEY) && !nsqd.log.includes(OTHER_KEY));
      }
    });
  },
);

interopTest(
  "nsqds with gossip can use an agent that runs already, and leave it as it was",
  () => GossipCluster.make(),
  async (cluster) => {
    const first = await cluster.add();
    await using agent = await startAgent(cluster, "127.0.0.2");
    const authFile = await cluster.file("auth", "s3cret\n");
    const second = await cluster.add({
      agentArgs: [`--serf-rpc-address=${agent.rpcAddress}`, `--serf-rpc-auth-file=${authFile}`],
    });
    await cluster.run(async () => {
      const both = [first, second];
      await post(second, "/topic/create?topic=orders");
      await onEach(both, "both nodes", nodesOf, ["127.0.0.1", "127.0.0.2"]);
      await onEach(both, "the topic", (node) => producersOf(node, "orders"), ["127.0.0.2"]);
      assertEquals((await gossipStats(second)).node, "some-agent");

      await second.nsqd.stop();

      await onEach([first], "one node", nodesOf, ["127.0.0.1"]);
      assertEquals(agent.isRunning(), true);
      assert(!second.nsqd.log.includes("s3cret"));
    });
  },
);

/** Waits until each of the nodes answers that. */
async function onEach<T>(
  nodes: readonly GossipNode[],
  what: string,
  ask: (node: GossipNode) => Promise<T>,
  expected: T,
): Promise<void> {
  await Promise.all(nodes.map((node) =>
    eventually(`${node.host} knows ${what}`, async () => {
      assertEquals(await ask(node), expected, `${node.host} knows ${what}`);
      return true;
    }, CONVERGED)
  ));
}

async function gossipStats(node: GossipNode): Promise<Record<string, string>> {
  const response = await fetch(`http://${node.nsqd.httpAddress}/stats?format=json`);
  return (await response.json()).gossip;
}

async function depthOf(node: GossipNode, topic: string, channel: string): Promise<number> {
  const target = `/stats?format=json&topic=${topic}&channel=${channel}`;
  const { topics } = await (await fetch(`http://${node.nsqd.httpAddress}${target}`)).json();
  return topics[0].channels[0].depth;
}

/** Process id of a node's agent, as its log says. */
function agentPid({ nsqd }: GossipNode): number {
  const pids = [...nsqd.log.matchAll(/SERF: agent (\d+) runs/g)].map(([, pid]) => Number(pid));
  return pids[pids.length - 1];
}

async function isListening({ gossipAddress }: GossipNode): Promise<boolean> {
  const [hostname, port] = gossipAddress.split(":");
  try {
    (await Deno.connect({ hostname, port: Number(port) })).close();
    return true;
  } catch (error) {
    // The moment of its end can show as either.
    if (error instanceof Deno.errors.ConnectionRefused || error instanceof Deno.errors.ConnectionReset) {
      return false;
    }
    throw error;
  }
}

/** An agent that is nobody's, and asks for a key. */
async function startAgent(cluster: GossipCluster, host: string) {
  const rpcAddress = `127.0.0.1:${freePort("127.0.0.1")}`;
  const config = await cluster.file(
    "agent.json",
    JSON.stringify({
      node_name: "some-agent",
      bind: `${host}:${freePort(host)}`,
      rpc_addr: rpcAddress,
      rpc_auth: "s3cret",
    }),
  );
  const child = new Deno.Command("serf", {
    args: ["agent", `-config-file=${config}`],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const running = Promise.withResolvers<void>();
  let output = "";
  let hasEnded = false;
  const read = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      output += text;
      if (output.includes("Serf agent running!")) running.resolve();
    }
    hasEnded = true;
  })();
  await Promise.race([running.promise, read]);
  return {
    rpcAddress,
    isRunning: () => !hasEnded,
    async [Symbol.asyncDispose]() {
      if (!hasEnded) child.kill("SIGKILL");
      await read;
      await child.status;
    },
  };
}
