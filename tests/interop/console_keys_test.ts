/**
 * Everything that can be done on nsqadmin's pages, done in Chromium by the keyboard alone: Tab to what is wanted, Enter or Space. With
 * scripts, and without.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { Chromium, type ChromiumTab } from "../support/chromium.ts";
import { LIVE, type Step, useKeys } from "../support/console_browser.ts";
import { eventually } from "../support/eventually.ts";
import { identify } from "../support/frames.ts";
import { interopTest } from "../support/interop.ts";
import { PASSWORD, usersOf } from "../support/login.ts";
import { type ClusterInProcess, publish, withCluster } from "../support/nsqadmin_in_process.ts";

const USER = "anna";
const HOUR = "3600000";
/** Redriven by one a second, they are enough for it to go on until it is cancelled. */
const FAILED_COUNT = 100;

for (const scripts of [true, false]) {
  interopTest(
    `Every action can be done by the keyboard alone, ${scripts ? "with" : "without"} scripts`,
    () => Chromium.start(),
    async (chromium) => {
      const users = usersOf({ [USER]: "admin,peek" });
      await withCluster({ nodes: 2, nsqadmin: LIVE, users }, async (cluster) => {
        const tab = await chromium.tab();
        await tab.look({ width: 1280, scheme: "light" });
        await tab.useScripts(scripts);
        await doAll(tab, cluster);
        assertEquals(tab.errors, []);
      });
    },
  );
}

async function doAll(tab: ChromiumTab, { admin, nsqds, topic }: ClusterInProcess): Promise<void> {
  const { nsqadmin: { activity, poller } } = admin;
  const [nsqd, last] = nsqds;
  const addressOf = ({ nsqd }: typeof last) => `127.0.0.1:${nsqd.httpPort}`;
  // That something has ended nobody has done.
  const done = () => activity.newestFirst.filter(({ action }) => !action.startsWith("end-"));
  /** Does it, which is the next activity, and nothing else is. */
  const act = async (action: string, path: string, steps: readonly Step[]) => {
    const before = done().length;
    await tab.open(admin.url + path);
    await useKeys(tab, steps);
    const of = { action, path };
    const found = await eventually(`${action} is done`, () => {
      const news = done().slice(0, -before || undefined);
      return news.length > 0 && news;
    });
    assertEquals({ of, found: found.map(({ action, outcome }) => `${action} ${outcome}`) }, {
      of,
      found: [`${action} done`],
    });
  };
  /** Of the node that the last change was made on. */
  const messages = () => `/topics/orders/archive/messages?node=${activity.newestFirst[0].node}`;
  const deferred: readonly Step[] = [
    { at: "body", write: "later" },
    { at: "defer", write: HOUR },
    "Publish",
  ];

  await act("log in", "/", [{ at: "user", write: USER }, { at: "password", write: PASSWORD }, "Log in"]);
  await act("create", "/", [
    { at: "topic", write: "made" },
    { at: "channel", write: "archive" },
    "Create",
  ]);
  await act("delete", "/lookup", ["Delete…", "Delete"]);
  await topic("orders", "archive");
  await act("publish", "/topics/orders", [{ at: "body", write: "now" }, "Publish"]);
  await act("requeue-message", messages(), ["Requeue now"]);
  await act("delete-message", messages(), ["Delete…", "Delete message"]);
  await act("publish", "/topics/orders", deferred);
  await act("requeue-message", messages(), ["Deliver now"]);
  await act("publish", "/topics/orders", deferred);
  await act("cancel-message", messages(), ["Cancel…", "Cancel message"]);
  for (const path of ["/topics/orders", "/topics/orders/archive"]) {
    await act("pause", path, ["Pause"]);
    await act("unpause", path, ["Unpause"]);
    await act("pause", path, ["Pause here"]);
    await act("unpause", path, ["Unpause here"]);
    await act("empty", path, ["Empty here…", "Empty"]);
    await act("empty", path, ["Empty…", "Empty"]);
  }
  await tab.open(`${admin.url}/tap/orders`);
  await useKeys(tab, [{ at: "seconds", write: "1" }, "Gather"]);
  assertStringIncludes(String(await tab.evaluate("document.body.textContent")), "None came in 1 s.");

  using consumer = await nsqd.connect();
  await consumer.ask(identify({ client_id: "worker", hostname: "h", user_agent: "tester/1" }));
  await consumer.ask("SUB orders archive\n");
  await act("kick", "/topics/orders/archive", ["Kick…", "Cut off"]);
  using other = await nsqd.connect();
  await other.ask(identify({ client_id: "worker", hostname: "h", user_agent: "tester/1" }));
  await other.ask("SUB orders archive\n");
  await act("kick", "/consumers", ["Kick…", "Cut off"]);

  await topic("orders.failed", "archive");
  await publish(nsqd, "orders.failed", ...Array.from({ length: FAILED_COUNT }, () => "body"));
  await act("redrive", "/topics/orders.failed/archive", [
    { at: "rate", write: "1" },
    "Dry run…",
    `Redrive ${FAILED_COUNT}`,
  ]);
  await act("cancel-redrive", "/redrives", ["Cancel"]);

  await poller.refresh();
  await act("pause", "/", [{ at: "orders", hit: " " }, "Pause…", "Pause 1 topic"]);
  await act("empty", "/channels", [
    { at: "orders/archive", hit: " " },
    "Empty…",
    { at: "count", write: "1" },
    "Empty 1 channel",
  ]);

  await act("tombstone", "/topics/orders", ["Take off this node…", "Take off"]);
  await act("delete", "/topics/orders/archive", ["Delete…", "Delete"]);
  await act("delete", "/topics/orders", ["Delete…", "Delete"]);

  await act("drain", `/nodes/${addressOf(last)}`, ["Drain…", "Drain"]);
  await last.nsqd.stop();
  await eventually("it is gone", async () => {
    poller.rediscover();
    await poller.refresh();
    return poller.node(addressOf(last))?.gone !== undefined;
  });
  await act("forget", "/cluster", ["Forget…", "Forget"]);

  await tab.open(`${admin.url}/settings`);
  await useKeys(tab, [{ at: "system", hit: "ArrowDown" }, { at: "topics.depth", hit: " " }, "Keep"]);
  assertEquals(await tab.evaluate("document.documentElement.dataset.theme"), "light");
  await act("log out", "/", ["Log out"]);
  assertEquals(await tab.evaluate("location.pathname"), "/login");
}
