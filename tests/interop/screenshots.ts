/**
 * Takes the pictures of nsqadmin's pages that the docs show (`deno task screenshots`), of a cluster in which something happens. Needs
 * Chromium. Names of hosts and addresses are put in by it: those of the machine that it runs on say nothing to others.
 *
 * @module
 */

import { every, sleep } from "../../src/base/every.ts";
import { Consumer } from "../../src/client/mod.ts";
import { parseAlertRule } from "../../src/nsqadmin/alerts/rules.ts";
import { Chromium, type ChromiumTab } from "../support/chromium.ts";
import { submit } from "../support/console_browser.ts";
import { eventually } from "../support/eventually.ts";
import { usersOf } from "../support/login.ts";
import {
  type ClusterInProcess,
  type NsqadminInProcess,
  post,
  withCluster,
  withNsqadmin,
} from "../support/nsqadmin_in_process.ts";
import { deadAddress } from "../support/ports.ts";

const IMAGES = new URL("../../docs/images/", import.meta.url);
const TOPICS = ["audit", "clicks", "mails", "orders", "payments", "thumbnails"];
const DEAD = "mails.failed";
/** Rounds of the poller that the graphs show. */
const ROUNDS = 120;
const POLL_INTERVAL_MS = 100;
const PUBLISH_INTERVAL_MS = 50;
/** How long a consumer takes for a message. */
const WORK_MS = 20;
const ALERT_RULES = ["depth(payments/*) > 500", "growth(audit/*) > 1/s for 5m"];

/** A picture of a page. */
interface Picture {
  readonly name: string;
  readonly path: string;
  /** What is sent to the path, where the picture is of what that leads to. */
  readonly form?: string;
  readonly height: number;
  /** @default {1280} */
  readonly width?: number;
  /** @default {"light"} */
  readonly scheme?: "light" | "dark";
}

if (import.meta.main) {
  const dead = deadAddress();
  await withCluster({ nodes: 3, nsqadmin: nsqadminOptions() }, async (cluster) => {
    const { admin, lookupd } = cluster;
    await using work = new AsyncDisposableStack();
    await happen(cluster, work);
    await using chromium = await Chromium.start();
    const tab = await chromium.tab();
    // What is put in is to stay.
    await tab.useScripts(false);
    await tab.hideScrollbars();
    const take = async (picture: Picture, { url }: NsqadminInProcess = admin) => {
      const { name, path, form, width = 1280, height, scheme = "light" } = picture;
      await tab.look({ width, height, scheme });
      await tab.open(form === undefined ? url + path : url);
      if (form !== undefined) await submit(tab, path, form);
      await rename(tab, cluster, dead);
      await Deno.writeFile(new URL(`${name}.png`, IMAGES), await tab.picture());
    };
    for (const picture of picturesOf(cluster)) await take(picture);
    await take({ name: "message", path: await messagePath(admin), height: 620 });
    await withNsqadmin({ lookupdHttpAddresses: [lookupd.httpAddress] }, async (closed) => {
      await take({ name: "login", path: "/login", height: 300 }, closed);
    }, { users: usersOf({ anna: "admin" }) });
    // An nsqlookupd that nobody has started.
    await admin.ask("PUT", "/config/nsqlookupd_http_addresses", { body: [lookupd.httpAddress, dead] });
    await admin.nsqadmin.poller.refresh();
    await take({ name: "cluster", path: "/cluster", height: 860 });
  });
}

function nsqadminOptions() {
  return { pollIntervalMs: POLL_INTERVAL_MS, history: true, alertRules: ALERT_RULES.map(parseAlertRule) };
}

function picturesOf({ nsqds: [{ nsqd }] }: ClusterInProcess): readonly Picture[] {
  const node = encodeURIComponent(`127.0.0.1:${nsqd.httpPort}`);
  return [
    { name: "overview", path: "/", height: 760 },
    { name: "overview-phone", path: "/", width: 390, height: 800 },
    { name: "topic", path: "/topics/orders", height: 860, scheme: "dark" },
    { name: "channel", path: "/topics/orders/worker", height: 880 },
    { name: "channels", path: "/channels", height: 700 },
    { name: "messages", path: "/topics/payments/ledger/messages?as=json", height: 620 },
    { name: "tap", path: "/tap/orders", form: "seconds=1", height: 620 },
    { name: "consumers", path: "/consumers", height: 640 },
    { name: "redrive", path: `/topics/${DEAD}/worker`, form: "action=ask-redrive&to=mails", height: 640 },
    { name: "bulk", path: "/bulk", form: "of=topics&action=ask-delete&name=clicks&name=mails", height: 380 },
    { name: "nodes", path: "/nodes", height: 440 },
    { name: "node", path: `/nodes/${node}`, height: 860 },
    { name: "counter", path: "/counter", height: 480 },
    { name: "lookup", path: "/lookup", height: 520 },
    { name: "alerts", path: "/alerts", height: 520 },
    { name: "activity", path: "/activity", height: 700 },
    { name: "search", path: "/search?q=or", height: 460 },
    { name: "settings", path: "/settings", height: 700 },
  ];
}

/** The page of a message that waits. */
async function messagePath(admin: NsqadminInProcess): Promise<string> {
  const { text } = await admin.ask("GET", "/topics/payments/ledger/messages");
  const path = /href="([^"]*\/messages\/[^"]*)"/.exec(text)?.[1];
  if (path === undefined) throw new Error(`There is no message: ${text}`);
  return path.replaceAll("&amp;", "&");
}

/** Publishes and consumes until the graphs are full: in waves, and more of payments than anybody takes. */
async function happen(
  { admin, lookupd, nsqds, topic }: ClusterInProcess,
  work: AsyncDisposableStack,
): Promise<void> {
  const publishing = new AbortController();
  for (const name of TOPICS) await topic(name, "worker", name === "payments" ? "ledger" : "archive");
  await topic(DEAD, "worker");
  for (const [i, name] of TOPICS.entries()) {
    for (const channel of ["worker", "archive"]) {
      if (name === "payments" && channel === "archive") continue;
      const consumer = new Consumer(name, channel, {
        lookupd: [lookupd.httpAddress],
        hostname: `${channel}-${1 + i % 3}`,
        clientId: name,
        userAgent: "denosq/0.1.0",
        maxInFlight: 6,
      });
      const running = consumer.run(() => sleep(WORK_MS, publishing.signal), {
        concurrency: 6,
      });
      work.defer(async () => {
        await consumer.close();
        await running;
      });
    }
  }
  const bodies = (name: string, count: number, round: number) =>
    Array.from({ length: count }, (_, i) => {
      return JSON.stringify({ [name.replace(/s$/, "")]: 1000 * round + i, amount: 19.9, currency: "EUR" });
    }).join("\n");
  for (const { httpUrl } of nsqds) {
    const mails = Array.from({ length: 40 }, (_, i) => JSON.stringify({ mail: i, to: "anna@example.org" }));
    await post(`${httpUrl}/mpub?topic=${DEAD}`, mails.join("\n"));
  }
  await act(admin);
  let round = 0;
  const published = every(PUBLISH_INTERVAL_MS, publishing.signal, async () => {
    round++;
    for (const [i, name] of TOPICS.entries()) {
      const wave = 1 + Math.sin(round / (6 + i));
      for (const [j, { httpUrl }] of nsqds.entries()) {
        await post(`${httpUrl}/mpub?topic=${name}`, bodies(name, 1 + Math.round((1 + j) * wave), round));
      }
    }
  });
  work.defer(async () => {
    publishing.abort();
    await published;
  });
  const { poller } = admin.nsqadmin;
  await eventually("the graphs are full", () => {
    const series = poller.find("orders");
    return series !== undefined && poller.history.past(series, "depth", 0).values.length >= ROUNDS;
  }, { timeoutMs: 60_000 });
}

/** Things that people have done. */
async function act(admin: ClusterInProcess["admin"]): Promise<void> {
  for (
    const [user, method, path, body] of [
      ["anna", "POST", "/api/topics", { topic: "invoices", channel: "worker" }],
      ["ben", "POST", "/api/topics/mails/worker", { action: "pause" }],
      ["ben", "POST", "/api/topics/mails/worker", { action: "unpause" }],
      ["anna", "DELETE", "/api/topics/invoices", undefined],
      ["carla", "POST", "/api/topics/audit/nobody", { action: "empty" }],
      ["anna", "POST", "/api/topics/thumbnails", { action: "pause" }],
    ] as const
  ) {
    await admin.ask(method, path, { ...body && { body }, headers: { "X-Forwarded-User": user } });
  }
}

/** Puts in names of hosts and addresses. */
async function rename(tab: ChromiumTab, { nsqds, lookupd }: ClusterInProcess, dead: string): Promise<void> {
  const names = Object.fromEntries([
    ...nsqds.map(({ nsqd }, i) => [`127.0.0.1:${nsqd.httpPort}`, `10.0.0.${11 + i}:4151`]),
    ...nsqds.map(({ tcpAddress }, i) => [tcpAddress, `10.0.0.${11 + i}:4150`]),
    [lookupd.httpAddress, "10.0.0.5:4161"],
    // What is said of its cause is true of this machine only.
    [dead, "127.0.0.1:4161"],
  ]);
  await tab.evaluate(`{
    const names = ${JSON.stringify(names)};
    const host = ${JSON.stringify(Deno.hostname())};
    const ports = ${JSON.stringify(nsqds.map(({ tcpAddress }) => tcpAddress.split(":")[1]).join("|"))};
    const nodeOf = (text) => Object.keys(names).findIndex((address) => text.includes(address));
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const changes = [];
    while (texts.nextNode()) {
      const { currentNode: text } = texts;
      const around = text.parentElement.closest("tr, li, p")?.textContent ?? "";
      const node = "queue-" + (1 + Math.max(0, nodeOf(around)));
      let name = text.data.replaceAll(host, node);
      for (const [address, fake] of Object.entries(names)) name = name.replaceAll(address, fake);
      name = name.replace(new RegExp(ports, "g"), "4150");
      changes.push([text, name.replace(/127\\.0\\.0\\.1:(?!4161)\\d+/g, "10.0.0.40:50512")]);
    }
    for (const [text, name] of changes) text.data = name;
  }`);
}
