/**
 * nsqjs, pointed at an nsqd with gossip in place of an nsqlookupd.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { CONVERGED, GossipCluster, nodesOf, post, producersOf } from "../support/gossip_cluster.ts";
import { interopTest, runProgram } from "../support/interop.ts";
import { installNsqjs } from "../support/nsqjs.ts";

interopTest(
  "nsqjs finds the producers of a topic through any nsqd with gossip",
  async () => {
    await using stack = new AsyncDisposableStack();
    const cluster = stack.use(await GossipCluster.make());
    const folder = stack.use(await installNsqjs("discover.js"));
    const disposables = stack.move();
    return { cluster, folder, [Symbol.asyncDispose]: () => disposables.disposeAsync() };
  },
  async ({ cluster, folder }) => {
    const [first, second] = [await cluster.add(), await cluster.add()];
    await cluster.run(async () => {
      await post(first, "/pub?topic=orders", "from the first");
      await post(second, "/pub?topic=orders", "from the second");
      // One that has not the topic, and so knows it from the others only.
      const asked = await cluster.add();
      await eventually("it knows both", async () => {
        assertEquals(await nodesOf(asked), ["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
        assertEquals(await producersOf(asked, "orders"), ["127.0.0.1", "127.0.0.2"]);
        return true;
      }, CONVERGED);

      const workload = {
        lookupAddress: asked.nsqd.httpAddress,
        topic: "orders",
        channel: "c",
        messages: 2,
      };
      const args = ["discover.js", JSON.stringify(workload)];
      const { stdout } = await runProgram("node", { args, cwd: folder.path });

      assertEquals(JSON.parse(stdout), ["from the first", "from the second"]);
    });
  },
);
