/**
 * An nsqadmin that asks nsqds with gossip, discovered through real Serf agents.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { CONVERGED, GossipCluster, nodesOf, post, producersOf } from "../support/gossip_cluster.ts";
import { HtmlPage } from "../support/html_page.ts";
import { interopTest } from "../support/interop.ts";
import { withNsqadmin } from "../support/nsqadmin_in_process.ts";

interopTest(
  "nsqadmin shows and changes all of a cluster of which one nsqd with gossip tells",
  () => GossipCluster.make(),
  async (cluster) => {
    const [first, second] = [await cluster.add(), await cluster.add()];
    await cluster.run(async () => {
      await post(second, "/topic/create?topic=mail");
      await post(second, "/channel/create?topic=mail&channel=archive");
      await eventually("the first knows the second's topic", async () => {
        return (await nodesOf(first)).length === 2 && (await producersOf(first, "mail"))?.length === 1;
      }, CONVERGED);

      await withNsqadmin({ gossipHttpAddresses: [first.nsqd.httpAddress] }, async (admin) => {
        assertEquals(await admin.json("/api/topics"), { topics: ["mail"], message: "" });
        const { nodes } = await admin.json("/api/nodes") as { nodes: { broadcast_address: string }[] };
        assertEquals(nodes.map(({ broadcast_address }) => broadcast_address).sort(), [
          "127.0.0.1",
          "127.0.0.2",
        ]);

        const text = new HtmlPage((await admin.ask("GET", "/cluster")).text).text;
        assertMatch(text, /nsqds with gossip.* answers .* 2 OK: 2 nodes, 2 agents, of which 0 failed/);

        const body = { action: "pause" };
        assertEquals((await admin.ask("POST", "/api/topics/mail/archive", { body })).json, { message: "" });
        const { paused } = await admin.json("/api/topics/mail/archive") as { paused: boolean };
        assertEquals(paused, true);

        assertEquals((await admin.ask("POST", "/api/topics", { body: { topic: "new" } })).json, {
          message: "",
        });
        const { depth, nodes: everywhere } = await (await eventually("both have it", async () => {
          const answer = await admin.json("/api/topics/new") as { depth: number; nodes?: unknown[] };
          return answer.nodes?.length === 2 && answer;
        }, CONVERGED));
        assertEquals([depth, everywhere?.length], [0, 2]);

        const node = `${second.host}:${second.nsqd.httpAddress.split(":")[1]}`;
        assertEquals((await admin.ask("DELETE", `/api/nodes/${node}`, { body: { topic: "mail" } })).json, {
          message: "",
        });
      });
    });
  },
);
