/**
 * Takes the pictures of nsqadmin's pages that the docs show (`deno task screenshots`), of a small cluster in which something
 * happens. Needs Chromium.
 *
 * @module
 */

import { Chromium } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { publish, withCluster } from "../support/nsqadmin_in_process.ts";

const IMAGES = new URL("../../docs/images/", import.meta.url);
const PICTURES = [
  { name: "overview", path: "/", scheme: "light" },
  { name: "topic", path: "/topics/orders", scheme: "dark" },
] as const;
const TOPICS = ["audit", "clicks", "mails", "orders", "payments", "thumbnails"];
/** Rounds of the poller that the graphs show. */
const ROUNDS = 60;
const POLL_INTERVAL_MS = 100;

if (import.meta.main) {
  await withCluster(
    { nodes: 2, nsqadmin: { pollIntervalMs: POLL_INTERVAL_MS, history: true } },
    async (cluster) => {
      const { admin, nsqds, topic } = cluster;
      await using chromium = await Chromium.start();
      const tab = await chromium.tab();
      for (const name of TOPICS) await topic(name, "archive", "worker");
      const past = () => {
        const series = admin.nsqadmin.poller.find("orders");
        return series === undefined ? [] : admin.nsqadmin.poller.history.past(series, "depth", 0).values;
      };
      await eventually("there is something to see", async () => {
        const round = past().length;
        for (const [i, name] of TOPICS.entries()) {
          const bodies = Array.from({ length: 1 + (round + 2 * i) % 7 }, () => "body");
          await publish(nsqds[i % nsqds.length], name, ...bodies);
        }
        return round >= ROUNDS;
      });
      for (const { name, path, scheme } of PICTURES) {
        await tab.look({ width: 1280, scheme });
        await tab.open(admin.url + path);
        await Deno.writeFile(new URL(`${name}.png`, IMAGES), await tab.picture());
      }
    },
  );
}
