/**
 * nsqadmin's pages in Chromium: each is accessible by axe-core's rules, in light and dark, on a phone and on a screen, without an
 * error in the browser's console; they stay up to date, and can be used by keys.
 *
 * @module
 */

import { assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { parseAlertRule } from "../../src/nsqadmin/alerts/rules.ts";
import { axeSource } from "../support/axe.ts";
import { Chromium, type ChromiumTab } from "../support/chromium.ts";
import { lookupdOf, nodeWith } from "../support/console_pages.ts";
import { eventually } from "../support/eventually.ts";
import { deadAddress } from "../support/fake_http.ts";
import { interopTest } from "../support/interop.ts";
import { publish, statsOf, withCluster, withNsqadmin } from "../support/nsqadmin_in_process.ts";

const LOOKS = [390, 1280].flatMap((width) =>
  (["light", "dark"] as const).map((scheme) => ({ width, scheme }))
);
const LIVE = { pollIntervalMs: 200, history: true };
/** Such as fire, and such as may come to. */
const ALERT_RULES = ["depth(orders) > 0", "no-consumers for 1h"].map(parseAlertRule);

interopTest(
  "Every page of nsqadmin is accessible, fits the window, and has no error",
  () => Chromium.start(),
  async (chromium) => {
    const axe = await axeSource();
    await withCluster(
      { nsqadmin: { ...LIVE, alertRules: ALERT_RULES } },
      async ({ admin, nsqds: [nsqd], topic }) => {
        await topic("orders", "archive");
        await publish(nsqd, "orders", "body", `<img src=x onerror=alert(1)>\u202e${"<b>x".repeat(300)}`);
        const node = encodeURIComponent(`127.0.0.1:${nsqd.nsqd.httpPort}`);
        const paths = [
          "/",
          "/topics/orders",
          "/topics/orders/archive",
          "/topics/orders/archive/messages",
          "/topics/none",
          "/nodes",
          `/nodes/${node}`,
        ];
        await eventually("the poller knows of it", () => {
          return (admin.nsqadmin.poller.find("orders", "archive")?.sum("depth") ?? 0) > 0;
        });
        for (const user of ["alice", "bob"]) {
          const headers = { "X-Forwarded-User": user };
          await admin.ask("POST", "/api/topics", { body: { topic: "t", channel: user }, headers });
        }
        const { text } = await admin.ask("GET", "/topics/orders/archive/messages");
        const [, message = "none"] = /href="([^"]*\/messages\/[^"]*)"/.exec(text) ?? [];
        assertNotEquals(message, "none");
        // Of a topic that is not there it tells of a failure.
        const bulk = await admin.ask("POST", "/bulk", {
          body: "of=topics&action=unpause&name=orders&name=none",
        });
        // Of what is redriven one is left, at that rate.
        await topic("orders.failed", "c");
        await publish(nsqd, "orders.failed", "one", "two");
        const order = { topic: "orders.failed", channel: "c", to: "orders", rate: 1, messages: 2 };
        await admin.ask("POST", "/api/redrives", { body: order });
        const tab = await chromium.tab();
        for (
          const path of [
            ...paths,
            "/topics/orders.failed/c",
            "/topics/orders/archive/messages?state=dead",
            "/redrives",
            "/tap/orders",
            message.replaceAll("&amp;", "&"),
            "/channels",
            "/consumers",
            "/counter",
            "/cluster",
            "/lookup",
            "/search?q=o",
            "/settings",
            "/alerts",
            "/activity",
            bulk.headers.get("location") ?? "none",
          ]
        ) {
          await checkPage(tab, admin.url, path, axe);
        }
        assertEquals(tab.errors, []);
      },
    );
  },
);

interopTest(
  "Pages of what cannot be reached, and of what is gone, are accessible, too",
  () => Chromium.start(),
  async (chromium) => {
    const axe = await axeSource();
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
      for (const path of ["/cluster", "/nodes", `/nodes/${gone.address}`, `/nodes/${dead}`]) {
        await checkPage(tab, admin.url, path, axe);
      }
      assertEquals(tab.errors, []);
    });
  },
);

/** Looks at a page by axe-core's rules, in each of the looks, and whether it is wider than the window. */
async function checkPage(tab: ChromiumTab, url: string, path: string, axe: string): Promise<void> {
  for (const look of LOOKS) {
    await tab.look(look);
    await tab.open(url + path);
    await tab.evaluate(`${axe};0`);

    const found = await tab.evaluate(
      `axe.run().then(({ violations, passes }) => passes.length < 10 ? "few rules were looked at" : violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]))`,
    );
    const isTooWide = await tab.evaluate(`document.documentElement.scrollWidth > innerWidth`);

    assertEquals({ path, ...look, found, isTooWide }, { path, ...look, found: [], isTooWide: false });
  }
}

interopTest(
  "The overview shows new numbers by itself, until it is told to stop",
  () => Chromium.start(),
  async (chromium) => {
    await withCluster({ nsqadmin: LIVE }, async ({ admin, nsqds: [nsqd], topic }) => {
      await topic("orders", "archive");
      const tab = await chromium.tab();
      await tab.open(admin.url);
      const deepest = () =>
        tab.evaluate(`[...document.querySelectorAll("tbody tr")].map((row) => row.cells[2]?.textContent)`);

      await publish(nsqd, "orders", "a", "b", "c");
      await eventually("it shows them", async () => (await deepest() as string[])[0] === "3");
      await tab.evaluate(`document.querySelector("footer button").click()`);
      await eventually("no page is told", () => !admin.nsqadmin.events.isListened);

      assertStringIncludes(
        String(await tab.evaluate("document.body.textContent")),
        "Numbers are not updated.",
      );
      await tab.evaluate(`document.querySelector("footer button").click()`);
      await publish(nsqd, "orders", "d");
      await eventually("it shows them", async () => (await deepest() as string[])[0] === "4");
      assertEquals(tab.errors, []);
    });
  },
);

interopTest(
  "Two browsers show the same change of a topic within a tick, with the buttons that belong to it",
  () => Chromium.start(),
  async (chromium) => {
    await withCluster({ nsqadmin: LIVE }, async ({ admin, nsqds: [nsqd], topic }) => {
      await topic("orders", "archive");
      const tabs = [await chromium.tab(), await chromium.tab()];
      for (const tab of tabs) await tab.open(`${admin.url}/topics/orders/archive`);
      const shown = (text: string) => async () => {
        const found = await Promise.all(
          tabs.map((tab) => tab.evaluate(`document.querySelector("main").innerText.includes("${text}")`)),
        );
        return found.every((is) => is === true);
      };

      await publish(nsqd, "orders", ...Array.from({ length: 3 }, () => "body"));
      await eventually("both show it", shown("3"));
      await admin.ask("POST", "/api/topics/orders/archive", { body: { action: "pause" } });
      await eventually("both show that it is paused", shown("paused"));

      for (const tab of tabs) {
        const buttons = await tab.evaluate(
          `[...document.querySelectorAll("main button")].map((button) => button.value + " " + button.innerText)`,
        );
        assertEquals((buttons as string[]).filter((text) => /pause/i.test(text)), [
          "unpause Unpause",
          "unpause Unpause here",
        ]);
        assertEquals(tab.errors, []);
      }
    });
  },
);

interopTest(
  "What somebody fills in stays as it is while the page changes around it",
  () => Chromium.start(),
  async (chromium) => {
    await withCluster({ nsqadmin: LIVE }, async ({ admin, nsqds: [nsqd], topic }) => {
      await topic("orders");
      const tab = await chromium.tab();
      await tab.open(`${admin.url}/topics/orders`);
      await tab.evaluate(`document.querySelector("main textarea").value = "half a message"`);

      await publish(nsqd, "orders", "a", "b", "c", "d");
      await eventually("it shows them", async () => {
        return (await tab.evaluate(`document.querySelector("main tr.total td").innerText`)) === "4";
      });

      assertEquals(await tab.evaluate(`document.querySelector("main textarea").value`), "half a message");
      assertEquals(tab.errors, []);
    });
  },
);

interopTest(
  "An alert comes into the strip that is read aloud, and what does not change in it stays",
  () => Chromium.start(),
  async (chromium) => {
    await withCluster(
      { nsqadmin: { ...LIVE, alertRules: ALERT_RULES } },
      async ({ admin, nsqds: [nsqd], topic }) => {
        await topic("orders", "archive");
        const tab = await chromium.tab();
        await tab.open(admin.url);
        const strip = () => tab.evaluate(`document.querySelector("main > [role=status]").textContent`);
        assertEquals(await strip(), "");
        await tab.evaluate(`{
        globalThis.spoken = 0;
        const count = (changes) => globalThis.spoken += changes.length;
        const all = { subtree: true, childList: true, characterData: true };
        new MutationObserver(count).observe(document.querySelector("main > [role=status]"), all);
      }`);

        await publish(nsqd, "orders", "a");
        await eventually(
          "it is there",
          async () => String(await strip()).startsWith("One alertorders/archive: depth"),
        );
        const spoken = await tab.evaluate("spoken");
        await publish(nsqd, "orders", "b", "c");
        const rows = `[...document.querySelectorAll("tbody tr")].map((row) => row.cells[2]?.textContent)`;
        await eventually("numbers are new", async () => (await tab.evaluate(rows) as string[])[0] === "3");

        assertEquals(await tab.evaluate("spoken"), spoken);
        assertEquals(tab.errors, []);
      },
    );
  },
);

interopTest(
  "What is ticked by key stays ticked where its row goes, and is what is asked about",
  () => Chromium.start(),
  async (chromium) => {
    await withCluster({ nsqadmin: { ...LIVE } }, async ({ admin, nsqds: [nsqd], topic }) => {
      await topic("a");
      await topic("b");
      await admin.nsqadmin.poller.refresh();
      const tab = await chromium.tab();
      await tab.open(`${admin.url}/?sort=-messages`);
      const order = () =>
        tab.evaluate(`[...document.querySelectorAll("tbody a")].map((a) => a.textContent).join()`);
      assertEquals(await order(), "a,b");

      await tab.press("j");
      await tab.press("x");
      await publish(nsqd, "b", "body");
      await eventually("the rows have changed places", async () => await order() === "b,a");
      assertEquals(
        await tab.evaluate(
          `[document.activeElement.textContent, document.querySelector(":checked[name=name]").value].join()`,
        ),
        "a,a",
      );
      await tab.evaluate(`document.querySelector("#bulk button").click()`);

      await eventually(
        "it is asked about",
        async () => await tab.evaluate("document.title") === "Pause 1 topic? · nsqadmin",
      );
      assertEquals(await tab.evaluate(`document.querySelector("form input[name=name]").value`), "a");
      assertEquals(tab.errors, []);
    });
  },
);

interopTest(
  "The palette finds what is typed, goes there by keys alone, and gives the focus back",
  () => Chromium.start(),
  async (chromium) => {
    await withCluster({ nsqadmin: { ...LIVE } }, async ({ admin, topic }) => {
      await topic("orders", "archive");
      await topic("others");
      await admin.nsqadmin.poller.refresh();
      const axe = await axeSource();
      const tab = await chromium.tab();
      await tab.open(admin.url);
      const found = () =>
        tab.evaluate(`[...document.querySelectorAll("#palette li a")].map((a) => a.textContent).join()`);
      const focused = () => tab.evaluate("document.activeElement.textContent || document.activeElement.name");
      const search = async (text: string, expected: string) => {
        await tab.hit("k", { isCtrl: true });
        await tab.write(text);
        await eventually("it is found", async () => await found() === expected);
      };

      await tab.press("j");
      await search("order", "orders,orders/archive");
      await tab.evaluate(`${axe};0`);
      const violations = await tab.evaluate(
        `axe.run().then(({ violations }) => violations.map(({ id }) => id))`,
      );
      assertEquals(violations, []);
      await tab.hit("ArrowDown");
      await tab.hit("ArrowDown");
      assertEquals(await focused(), "orders/archive");
      await tab.hit("ArrowUp");
      await tab.hit("ArrowUp");
      assertEquals(await focused(), "q");
      await tab.hit("Escape");
      assertEquals(await tab.evaluate(`document.querySelector("dialog[open]")`), null);
      assertEquals(await focused(), "orders");

      await tab.evaluate("document.activeElement.blur()");
      await search("archive", "orders/archive");
      await tab.hit("Escape");
      await tab.press("?");
      assertEquals(await tab.evaluate(`document.querySelector("dialog[open]").id`), "keys");

      await search("archive", "orders/archive");
      await tab.hit("Enter");
      await eventually("it is there", async () => {
        return await tab.evaluate("document.title") === "Channel archive of orders · nsqadmin";
      });
      assertEquals(tab.errors, []);
    });
  },
);

interopTest(
  "Colours, columns and whether pages keep themselves up to date are as they are chosen, in this browser",
  () => Chromium.start(),
  async (chromium) => {
    await withCluster({ nsqadmin: { ...LIVE } }, async ({ admin, topic }) => {
      await topic("a");
      await admin.nsqadmin.poller.refresh();
      const tab = await chromium.tab();
      await tab.look({ width: 1280, scheme: "light" });
      const ground = () => tab.evaluate("document.body && getComputedStyle(document.body).backgroundColor");
      await tab.open(`${admin.url}/settings`);
      assertEquals(await ground(), "rgb(255, 255, 255)");
      for (const value of ["dark", "off", "topics.depth"]) {
        await tab.evaluate(`document.querySelector('main input[value="${value}"]').click()`);
      }
      await tab.evaluate(`document.querySelector("main button[value=keep]").click()`);
      await eventually("it is kept", async () => await ground() === "rgb(20, 23, 26)");

      await tab.open(admin.url);
      const heads = String(await tab.evaluate(`document.querySelector("thead").textContent`));
      assertEquals([await ground(), heads.startsWith("TopicDeepest channel")], ["rgb(20, 23, 26)", true]);
      assertStringIncludes(
        String(await tab.evaluate(`document.querySelector("footer").textContent`)),
        "Numbers are not updated.Go on updating",
      );
      assertEquals([admin.nsqadmin.events.isListened, tab.errors], [false, []]);
    });
  },
);

interopTest("Pausing by key asks first", () => Chromium.start(), async (chromium) => {
  await withCluster({ nsqadmin: { ...LIVE } }, async ({ admin, nsqds: [nsqd], topic }) => {
    await topic("a");
    await topic("b");
    await admin.nsqadmin.poller.refresh();
    const tab = await chromium.tab();
    const titled = (title: string) =>
      eventually(`${title} is there`, async () => {
        return await tab.evaluate("document.title + document.readyState") === `${title} · nsqadmincomplete`;
      });

    await tab.open(`${admin.url}/topics/a`);
    await tab.press("p");
    await titled("Pause?");
    assertEquals((await statsOf(nsqd, "a"))?.paused, false);
    await eventually("the button is focused", async () => {
      return await tab.evaluate("document.activeElement.textContent") === "Pause";
    });
    await tab.hit("Enter");
    await titled("Topic a");
    assertEquals((await statsOf(nsqd, "a"))?.paused, true);

    await tab.open(admin.url);
    for (const key of ["j", "j", "p"]) await tab.press(key);
    await titled("Pause 1 topic?");
    assertStringIncludes(String(await tab.evaluate("document.body.textContent")), "b 0 waiting");
    assertEquals(tab.errors, []);
  });
});

interopTest(
  "A tap shows messages as they come, while it is wanted",
  () => Chromium.start(),
  async (chromium) => {
    await withCluster({}, async ({ admin, nsqds: [nsqd], topic }) => {
      await topic("orders", "archive");
      const tab = await chromium.tab();
      await tab.open(`${admin.url}/tap/orders`);
      const click = (text: string) =>
        tab.evaluate(
          `[...document.querySelectorAll("button")].find((each) => each.textContent === "${text}").click()`,
        );
      const channels = async () => (await statsOf(nsqd, "orders"))?.channels.length;

      await click("Watch");
      await eventually("it is tapped", async () => await channels() === 2);
      await publish(nsqd, "orders", "<b>first", "second");
      await eventually("they are shown, the newest first", async () => {
        const shown = await tab.evaluate(
          `[...document.querySelectorAll("tbody code.body")].map((each) => each.textContent)`,
        );
        assertEquals(shown, ["second", "<b>first"]);
        return true;
      });
      await click("Stop");

      await eventually("it is not tapped any more", async () => await channels() === 1);
      assertEquals(tab.errors, []);
    });
  },
);

interopTest("Pages can be used by keys", () => Chromium.start(), async (chromium) => {
  await withCluster({ nsqadmin: { ...LIVE } }, async ({ admin, topic }) => {
    await topic("a");
    await topic("b");
    await admin.nsqadmin.poller.refresh();
    const tab = await chromium.tab();
    await tab.open(admin.url);
    const focused = () => tab.evaluate("document.activeElement.textContent || document.activeElement.name");

    await tab.press("j");
    await tab.press("j");
    assertEquals(await focused(), "b");
    await tab.press("k");
    assertEquals(await focused(), "a");
    await tab.press("/");
    assertEquals(await focused(), "filter");
    await tab.press("j");
    assertEquals(await tab.evaluate("document.activeElement.value"), "j");
    await tab.hit("Escape");
    await tab.press("?");
    assertEquals(await tab.evaluate(`document.querySelector("dialog[open]").id`), "keys");
    await tab.hit("Escape");
    assertEquals(await tab.evaluate(`document.querySelector("dialog[open]")`), null);
    await tab.press("g");
    await tab.press("n");
    await eventually("the nodes' page is there", async () => {
      return await tab.evaluate("document.title") === "Nodes · nsqadmin";
    });
    assertEquals(tab.errors, []);
  });
});
