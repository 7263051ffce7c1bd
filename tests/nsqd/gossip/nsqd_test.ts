/**
 * What gossip changes of nsqd where there is no Serf.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { loadNsqdOptions } from "../../../src/nsqd/options.ts";
import { eventually } from "../../support/eventually.ts";
import { nsqdIn, type NsqdInProcess, nsqdTest, withDataPath } from "../../support/nsqd_in_process.ts";

const WITHOUT_SERF = {
  broadcastAddress: "node.example",
  gossipAddress: "127.0.0.1:7946",
  serfPath: "/does/not/exist",
};
const PROBLEM = 'cannot find the executable "/does/not/exist" of Serf';

nsqdTest("Nsqd with gossip serves its clients without Serf, and says what is wrong", async (nsqd) => {
  const publish = await fetch(`${nsqd.httpUrl}/pub?topic=t`, { method: "POST", body: "m" });
  assertEquals([publish.status, await publish.text()], [200, "OK"]);

  await eventually("it is said", async () => {
    assertEquals(await get(nsqd, "/ping"), [500, `NOK - gossip unhealthy: ${PROBLEM}`]);
    return true;
  });
  const [, text] = await get(nsqd, "/stats");
  assertStringIncludes(text, `\nGossip:\n   health: ${PROBLEM}\n   node: node.example:`);
  const [, json] = await get(nsqd, "/stats?format=json");
  // It may have been started again by now.
  assertEquals({ ...JSON.parse(json).gossip, agent_restarts: "#" }, {
    health: PROBLEM,
    node: `node.example:${nsqd.nsqd.tcpPort}`,
    nodes: "1",
    agent_restarts: "#",
  });
  assert(nsqd.lines.includes(`ERROR: SERF: ${PROBLEM}; trying again in 1s`), nsqd.lines.join("\n"));
}, WITHOUT_SERF);

nsqdTest("Nsqd with gossip answers lookups of what it has itself", async (nsqd) => {
  const { broker } = nsqd.nsqd;
  broker.topic("t").channel("c");
  broker.topic("gone").channel("c");
  broker.deleteTopic("gone");

  assertEquals((await getJson(nsqd, "/lookup?topic=t")).channels, ["c"]);
  assertEquals(await getJson(nsqd, "/topics"), { topics: ["t"] });
  assertEquals(await getJson(nsqd, "/nodes"), {
    producers: [{
      remote_address: "node.example:7946",
      hostname: Deno.hostname(),
      broadcast_address: "node.example",
      tcp_port: nsqd.nsqd.tcpPort,
      http_port: nsqd.nsqd.httpPort,
      version: "1.3.0",
      topology_zone: "",
      topology_region: "",
      tombstones: [false],
      topics: ["t"],
    }],
  });
}, WITHOUT_SERF);

nsqdTest("Nsqd with gossip runs its loops as tasks", async (nsqd) => {
  const tasks = nsqd.nsqd.runningTasks().filter((name) => /gossip|serf/i.test(name));

  assertEquals(tasks, ["serfAgent", "serfEventLoop", "gossipLoop", "serfJoinLoop"]);
  await eventually("the agent is tried", () => nsqd.lines.some((line) => line.includes("trying again")));
}, WITHOUT_SERF);

nsqdTest("Nsqd without gossip has no lookups, and says nothing of it", async (nsqd) => {
  for (const target of ["/lookup?topic=t", "/topics", "/channels?topic=t", "/nodes"]) {
    assertEquals(await get(nsqd, target), [404, '{"message":"NOT_FOUND"}']);
  }
  assertEquals("gossip" in await getJson(nsqd, "/stats?format=json"), false);
  assertEquals((await get(nsqd, "/stats"))[1].includes("Gossip"), false);
});

Deno.test("Nsqd.start() fails with a gossip key that cannot be used", () =>
  withDataPath(async (dataPath) => {
    const options = { gossipAddress: "127.0.0.1:7946", gossipEncryptKeyFile: `${dataPath}/none` };
    const nsqd = nsqdIn(dataPath, options, []);

    await assertRejects(
      () => nsqd.start(),
      Error,
      `Cannot read gossip encryption key file "${dataPath}/none"`,
    );
  }));

Deno.test("loadNsqdOptions() takes the flags of NSQ's branch dev, and refuses what gossip cannot use", () => {
  const good = ["--gossip-address=:7946", "--gossip-seed-address=a:1", "--gossip-seed-address=b:2"];
  const loaded = loadNsqdOptions([...good, "--gossip-regossip-interval=30s"]);
  const refused = loadNsqdOptions(["--gossip-address=:0"]);

  assertEquals(loaded.kind, "run");
  if (loaded.kind !== "run") return;
  assertEquals(loaded.options.gossipSeedAddresses, ["a:1", "b:2"]);
  assertEquals(loaded.options.gossipRegossipIntervalMs, 30_000);
  assertEquals(refused, {
    kind: "exit",
    code: 1,
    text: 'nsqd: --gossip-address must be <addr>:<port>, with a port other than 0: ":0"',
  });
});

async function get(nsqd: NsqdInProcess, target: string): Promise<[number, string]> {
  const response = await fetch(`${nsqd.httpUrl}${target}`);
  return [response.status, await response.text()];
}

async function getJson(nsqd: NsqdInProcess, target: string): Promise<Record<string, unknown>> {
  return JSON.parse((await get(nsqd, target))[1]);
}
