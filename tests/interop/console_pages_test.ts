/**
 * nsqadmin's pages in Chromium, all that have a route: each is accessible by axe-core's rules, in light and dark, on a phone and on a
 * screen, and no error is in the browser's console.
 *
 * @module
 */

import { assertEquals, assertNotEquals } from "@std/assert";
import { RouteTable } from "../../src/http/route_table.ts";
import { parseAlertRule } from "../../src/nsqadmin/alerts/rules.ts";
import { pageRoutes } from "../../src/nsqadmin/console/pages.tsx";
import { Chromium, type ChromiumTab } from "../support/chromium.ts";
import { assertAccessible, LIVE, submit, useKeys } from "../support/console_browser.ts";
import { lookupdOf, nodeWith } from "../support/console_pages.ts";
import { eventually } from "../support/eventually.ts";
import { identify } from "../support/frames.ts";
import { interopTest } from "../support/interop.ts";
import { logIn, PASSWORD, usersOf } from "../support/login.ts";
import { publish, withCluster, withNsqadmin } from "../support/nsqadmin_in_process.ts";
import { deadAddress } from "../support/ports.ts";

const USER = "anna.with-a-long.name@example.org";
/** Such as fire, and such as may come to. */
const ALERT_RULES = ["depth(orders) > 0", "no-consumers for 1h"].map(parseAlertRule);
/** Redriven by one a second, they are enough for it to go on until it has been looked at. */
const FAILED_COUNT = 300;
/** What is refused leaves such an error in the console. */
const REFUSED = /the server responded with a status of (\d+)/;

/** A page that is looked at: what a path shows, or what sending a form leads to. */
interface Look {
  readonly path: string;
  readonly form?: string;
  /** @default {200} */
  readonly status?: number;
}

interopTest(
  "Every page of nsqadmin, and what every form leads to, is accessible, fits the window, and has no error",
  () => Chromium.start(),
  async (chromium) => {
    const users = usersOf({ [USER]: "admin,peek", viewer: "viewer" });
    await withCluster(
      { nsqadmin: { ...LIVE, alertRules: ALERT_RULES }, users },
      async ({ admin, nsqds: [nsqd], topic }) => {
        await topic("orders", "archive");
        await topic("orders.failed", "archive");
        await publish(nsqd, "orders", "body", `<img src=x onerror=alert(1)>\u202e${"<b>x".repeat(300)}`);
        await publish(nsqd, "orders.failed", ...Array.from({ length: FAILED_COUNT }, () => "body"));
        using consumer = await nsqd.connect();
        await consumer.ask(identify({ client_id: "worker", hostname: "h", user_agent: "tester/1" }));
        await consumer.ask("SUB orders.failed archive\n");
        await eventually("the poller knows of it", () => {
          return (admin.nsqadmin.poller.find("orders", "archive")?.sum("depth") ?? 0) > 0;
        });
        const headers = await logIn(admin, USER);
        const { text } = await admin.ask("GET", "/topics/orders/archive/messages", { headers });
        const [, message = "none"] = /href="([^"]*\/messages\/[^"]*)"/.exec(text) ?? [];
        assertNotEquals(message, "none");
        const node = `/nodes/${encodeURIComponent(`127.0.0.1:${nsqd.nsqd.httpPort}`)}`;

        const routes = new RouteTable(pageRoutes(admin.nsqadmin));
        const looked = new Set<string>();
        const tab = await chromium.tab();
        const look = async ({ path, form, status = 200 }: Look) => {
          if (form === undefined) await tab.open(admin.url + path);
          else await submit(tab, path, form);
          await assertAccessible(tab, `${path} ${form ?? ""}`);
          assertErrors(tab, path, status === 200 ? [] : [status]);
          const { name = path } = routes.match(form === undefined ? "GET" : "POST", path.split("?")[0]) ?? {};
          looked.add(name);
        };

        await look({ path: "/login" });
        await look({ path: "/login", form: `user=${USER}&password=wrong`, status: 401 });
        await look({ path: "/login", form: `user=viewer&password=${PASSWORD}` });
        await look({ path: "/topics/orders/archive/messages", status: 403 });
        await look({ path: "/logout", form: "" });
        await look({ path: "/login", form: `user=${encodeURIComponent(USER)}&password=${PASSWORD}` });
        for (
          const path of [
            ...["/", "/topics", "/topics/orders", "/topics/none", "/topics/orders.failed"],
            ...["/topics/orders/archive", "/topics/orders.failed/archive", "/topics/orders/archive/messages"],
            ...[message.replaceAll("&amp;", "&"), "/channels", "/consumers", "/nodes", node, "/counter"],
            "/topics/orders/archive/messages?state=dead",
            ...["/cluster", "/lookup", "/alerts", "/activity", "/settings", "/search?q=o", "/tap/orders"],
          ]
        ) await look({ path });
        for (
          const [path, form, status] of [
            ["/topics", "action=create&topic=made&channel=c"],
            ["/topics/orders", "action=ask-delete"],
            // No node has it.
            ["/topics/none", "action=pause", 502],
            ["/topics/orders", "action=none", 400],
            ["/topics/orders.failed/archive", "action=ask-redrive&to=orders&rate=1"],
            ["/topics/orders.failed/archive", "action=redrive&to=orders&rate=1"],
            ["/redrives", "action=ask-cancel-redrive&id=1"],
            [node, "action=ask-drain"],
            ["/consumers", "action=ask-kick&client_id=worker"],
            ["/tap/orders", "seconds=1"],
            ["/bulk", "of=topics&action=ask-delete&name=orders"],
            ["/bulk", "of=topics&action=delete&name=orders&count=7", 400],
            // Of a topic that is not there it tells of a failure.
            ["/bulk", "of=topics&action=unpause&name=orders&name=none"],
          ] as const
        ) await look({ path, form, ...status !== undefined && { status } });
        const go = String(await tab.evaluate("location.pathname"));
        await look({ path: go });
        await look({ path: go, form: "action=again" });
        await look({ path: "/settings", form: "theme=system&live=on&action=usual" });
        await look({ path: "/redrives" });
        await look({ path: "/bulk/999", status: 404 });

        assertEquals(
          pageRoutes(admin.nsqadmin).map(({ method, path }) => `${method} ${path}`).filter((name) =>
            !looked.has(name)
          ),
          [],
        );
        await tab.open(admin.url);
        await tab.press("?");
        await assertAccessible(tab, "the keys");
        await tab.hit("Escape");
        await tab.hit("k", { isCtrl: true });
        await tab.write("order");
        await eventually(
          "it is found",
          async () => await tab.evaluate(`document.querySelector("#palette li a")`) !== null,
        );
        await assertAccessible(tab, "the palette");
        assertErrors(tab, "/", []);
      },
    );
  },
);

interopTest(
  "Pages of what cannot be reached, and of what is gone, are accessible, too",
  () => Chromium.start(),
  async (chromium) => {
    let told = true;
    await using gone = nodeWith(() => 5);
    const dead = deadAddress();
    await using lookupd = lookupdOf(() => told ? [gone.address, dead] : [dead]);
    await withNsqadmin({ ...LIVE, lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
      const { poller } = admin.nsqadmin;
      await poller.refresh();
      told = false;
      await eventually("the node is gone", async () => {
        poller.rediscover();
        await poller.refresh();
        return poller.node(gone.address)?.gone !== undefined;
      });
      const tab = await chromium.tab();
      for (const path of ["/", "/cluster", "/nodes", `/nodes/${gone.address}`, `/nodes/${dead}`]) {
        await tab.open(admin.url + path);
        await assertAccessible(tab, path);
        assertErrors(tab, path, []);
      }
      await tab.open(`${admin.url}/cluster`);
      await useKeys(tab, ["Forget…"]);
      await assertAccessible(tab, "whether it is to be forgotten");
      assertErrors(tab, "/cluster", []);
    });
  },
);

/** Fails unless the console's errors since the last time are refusals with these statuses. */
function assertErrors(tab: ChromiumTab, of: string, statuses: readonly number[]): void {
  const found = tab.errors.splice(0).map((error) => Number(REFUSED.exec(error)?.[1]) || error);
  assertEquals({ of, found }, { of, found: statuses });
}
