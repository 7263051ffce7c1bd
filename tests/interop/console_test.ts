/**
 * What nsqadmin's pages do in Chromium where scripts run: they stay up to date, and can be used by keys.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { parseAlertRule } from "../../src/nsqadmin/alerts/rules.ts";
import { Chromium } from "../support/chromium.ts";
import { LIVE } from "../support/console_browser.ts";
import { eventually } from "../support/eventually.ts";
import { identify } from "../support/frames.ts";
import { interopTest } from "../support/interop.ts";
import { publish, statsOf, withCluster } from "../support/nsqadmin_in_process.ts";

/** Such as fire, and such as may come to. */
const ALERT_RULES = ["depth(orders) > 0", "no-consumers for 1h"].map(parseAlertRule);

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
      await eventually("it shows them", async () => (await deepest() as string[])[0] === "3 archive");
      await tab.evaluate(`document.querySelector("footer button").click()`);
      await eventually("no page is told", () => !admin.nsqadmin.events.isListened);

      assertStringIncludes(
        String(await tab.evaluate("document.body.textContent")),
        "Numbers are not updated.",
      );
      await tab.evaluate(`document.querySelector("footer button").click()`);
      await publish(nsqd, "orders", "d");
      await eventually("it shows them", async () => (await deepest() as string[])[0] === "4 archive");
      assertEquals(tab.errors, []);
    });
  },
);

interopTest(
  "Two browsers show the same change of a topic with the next round, with the buttons that belong to it",
  () => Chromium.start(),
  async (chromium) => {
    await using other = await Chromium.start();
    const tabs = [await chromium.tab(), await other.tab()];
    // There is no round but those that are asked for.
    await withCluster({ nsqadmin: { history: true } }, async ({ admin, nsqds: [nsqd], topic }) => {
      await topic("orders", "archive");
      const { poller, events } = admin.nsqadmin;
      for (const tab of tabs) await tab.open(`${admin.url}/topics/orders/archive`);
      const shown = (text: string) => async () => {
        const found = await Promise.all(
          tabs.map((tab) => tab.evaluate(`document.querySelector("main").innerText.includes("${text}")`)),
        );
        return found.every((is) => is === true);
      };
      await eventually("both are told", () => events.listening === tabs.length);

      await publish(nsqd, "orders", ...Array.from({ length: 777 }, () => "body"));
      assertEquals(await shown("777")(), false);
      await poller.refresh();
      await eventually("both show it", shown("777"));
      await admin.ask("POST", "/api/topics/orders/archive", { body: { action: "pause" } });
      await poller.refresh();
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
  "Tabs that are hidden hold no connection, and are up to date when they are seen again",
  () => Chromium.start(),
  async (chromium) => {
    await withCluster({ nsqadmin: LIVE }, async ({ admin, nsqds: [nsqd], topic }) => {
      await topic("orders", "archive");
      const { events } = admin.nsqadmin;
      const tabs = [];
      for (const path of ["/", "/channels", "/topics/orders/archive"]) {
        const tab = await chromium.tab();
        await tab.open(admin.url + path);
        tabs.push(tab);
      }
      await eventually("all are told", () => events.listening === tabs.length);

      for (const [i, tab] of tabs.entries()) {
        await tab.show(false);
        await eventually("one less is told", () => events.listening === tabs.length - i - 1);
      }
      await publish(nsqd, "orders", "a", "b", "c");
      const [first] = tabs;
      await first.show(true);
      await eventually("it shows them", async () => {
        return await first.evaluate(`document.querySelector("tbody tr").cells[2].textContent`) ===
          "3 archive";
      });

      assertEquals([events.listening, ...tabs.map(({ errors }) => errors)], [1, [], [], []]);
    });
  },
);

interopTest(
  "What somebody fills in stays as it is while the page changes around it, and what stood above it goes",
  () => Chromium.start(),
  async (chromium) => {
    await withCluster({ nsqadmin: LIVE }, async ({ admin, nsqds: [nsqd], topic }) => {
      await topic("orders");
      const tab = await chromium.tab();
      await tab.open(`${admin.url}/topics/orders?done=publish`);
      await tab.evaluate(`document.querySelector("main textarea").value = "half a message"`);
      await tab.evaluate(`document.querySelector("main textarea").focus()`);

      await publish(nsqd, "orders", "a", "b", "c", "d");
      await eventually("it shows them", async () => {
        return (await tab.evaluate(`document.querySelector("main tr.total td").innerText`)) === "4";
      });

      assertEquals(await tab.evaluate(`document.querySelector("main .done")`), null);
      assertEquals(await tab.evaluate(`document.querySelector("main textarea").value`), "half a message");
      assertEquals(await tab.evaluate("document.activeElement.name"), "body");
      assertEquals(tab.errors, []);
    });
  },
);

interopTest(
  "A focused button goes with its row, and is focused no more where the row is gone",
  () => Chromium.start(),
  async (chromium) => {
    await withCluster({ nsqadmin: LIVE }, async ({ admin, nsqds: [nsqd], topic }) => {
      await topic("orders", "archive");
      const consume = async (hostname: string) => {
        const client = await nsqd.connect();
        await client.ask(identify({ client_id: hostname, hostname, user_agent: "tester/1" }));
        await client.ask("SUB orders archive\n");
        return client;
      };
      using _b = await consume("b");
      const tab = await chromium.tab();
      await tab.open(`${admin.url}/consumers`);
      const focused = () =>
        tab.evaluate(
          `[document.activeElement.textContent, document.activeElement.closest("tr")?.cells[0].textContent].join()`,
        );
      const rows = async (count: number) =>
        await eventually(`${count} are there`, async () => {
          return await tab.evaluate(`document.querySelectorAll("tbody td:last-child button").length`) ===
            count;
        });
      await tab.evaluate(`document.querySelector("tbody td button").focus()`);
      assertEquals(await focused(), "Kick…,b b ");

      using _a = await consume("a");
      await rows(2);
      assertEquals(await focused(), "Kick…,b b ");
      await admin.ask("POST", "/api/consumers/kick", { body: { client_id: "b" } });
      await rows(1);

      assertEquals(await tab.evaluate("document.activeElement.tagName"), "BODY");
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
        await eventually(
          "numbers are new",
          async () => (await tab.evaluate(rows) as string[])[0] === "3 archive",
        );

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
      await tab.leave(() => tab.evaluate(`document.querySelector("#bulk button").click()`));

      assertEquals(await tab.evaluate("document.title"), "Pause 1 topic? · nsqadmin");
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
      await tab.leave(() => tab.hit("Enter"));
      assertEquals(await tab.evaluate("document.title"), "Channel archive of orders · nsqadmin");
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
      const ground = () => tab.evaluate("getComputedStyle(document.body).backgroundColor");
      await tab.open(`${admin.url}/settings`);
      assertEquals(await ground(), "rgb(255, 255, 255)");
      for (const value of ["dark", "off", "topics.depth"]) {
        await tab.evaluate(`document.querySelector('main input[value="${value}"]').click()`);
      }
      await tab.leave(() => tab.evaluate(`document.querySelector("main button[value=keep]").click()`));
      assertEquals(await ground(), "rgb(20, 23, 26)");

      await tab.open(admin.url);
      const heads = String(await tab.evaluate(`document.querySelector("thead").textContent`));
      assertEquals([await ground(), heads.startsWith("TopicDeepest channel")], ["rgb(20, 23, 26)", true]);
      assertStringIncludes(
        String(await tab.evaluate(`document.querySelector("footer").textContent`)),
        "Numbers are not updated.Go on updating",
      );
      // A page that was left is told until its connection has ended.
      await eventually("no page is told", () => !admin.nsqadmin.events.isListened);
      assertEquals(tab.errors, []);
    });
  },
);

interopTest("Pausing by key asks first", () => Chromium.start(), async (chromium) => {
  await withCluster({ nsqadmin: { ...LIVE } }, async ({ admin, nsqds: [nsqd], topic }) => {
    await topic("a");
    await topic("b");
    await admin.nsqadmin.poller.refresh();
    const tab = await chromium.tab();
    const title = () => tab.evaluate("document.title");

    await tab.open(`${admin.url}/topics/a`);
    await tab.leave(() => tab.press("p"));
    assertEquals(await title(), "Pause? · nsqadmin");
    assertEquals((await statsOf(nsqd, "a"))?.paused, false);
    await eventually("the button is focused", async () => {
      return await tab.evaluate("document.activeElement.textContent") === "Pause";
    });
    await tab.leave(() => tab.hit("Enter"));
    assertEquals(await title(), "Topic a · nsqadmin");
    assertEquals((await statsOf(nsqd, "a"))?.paused, true);

    await tab.open(admin.url);
    for (const key of ["j", "j"]) await tab.press(key);
    await tab.leave(() => tab.press("p"));
    assertEquals(await title(), "Pause 1 topic? · nsqadmin");
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
      await tab.show(false);
      await eventually("who does not see it does not tap it", async () => await channels() === 1);
      await tab.show(true);
      await eventually("it is tapped again", async () => await channels() === 2);
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
    await tab.leave(() => tab.press("n"));
    assertEquals(await tab.evaluate("document.title"), "Nodes · nsqadmin");
    assertEquals(tab.errors, []);
  });
});
