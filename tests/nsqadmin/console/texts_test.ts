import { assertEquals, assertStringIncludes } from "@std/assert";
import { NO_SUCH_NODE } from "../../../src/cluster/messages.ts";
import { RouteTable } from "../../../src/http/route_table.ts";
import { parseAlertRule } from "../../../src/nsqadmin/alerts/rules.ts";
import { CHANNEL_METRICS, NODE_METRICS, TOPIC_METRICS } from "../../../src/nsqadmin/console/graphite.tsx";
import { pageRoutes } from "../../../src/nsqadmin/console/pages.tsx";
import { lookupdOf, nodeWith } from "../../support/console_pages.ts";
import { eventually } from "../../support/eventually.ts";
import { identify } from "../../support/frames.ts";
import { PASSWORD, usersOf } from "../../support/login.ts";
import { MADE_UP, unmarkedWords } from "../../support/made_up_language.ts";
import {
  type AdminAnswer,
  type NsqadminInProcess,
  publish,
  withCluster,
  withNsqadmin,
} from "../../support/nsqadmin_in_process.ts";
import { deadAddress } from "../../support/ports.ts";

const USER = "anna";
/** Such as fire, and such as may come to. */
const ALERT_RULES = ["depth(orders) > 0", "no-consumers for 1h"].map(parseAlertRule);
/** Names that are the same in all languages: of programs, roles, forms of files, units, and what the test has named. */
const NAMES = [
  ...["nsqadmin", "denosq", "NSQ", "nsqd", "nsqlookupd", "admin", "peek", "viewer", "CSV", "JSON", "UTC"],
  ...[
    "KiB",
    "MiB",
    "GiB",
    "TiB",
    "orders",
    "orders.failed",
    "archive",
    "made",
    "none",
    "worker",
    "body",
    "redrive",
  ],
  ...["tester", "hosts", USER, Deno.hostname(), NO_SUCH_NODE, "GET /topics/orders/archive/messages"],
  ...["POST /settings", "POST /bulk", "POST /topics/orders"],
  ...[TOPIC_METRICS, CHANNEL_METRICS, NODE_METRICS].map((metrics) => metrics.map(([name]) => name).join()),
];

/** Looks at pages in the made-up language, and remembers of which routes they are. */
class Reader {
  readonly looked = new Set<string>();
  readonly #admin: NsqadminInProcess;
  readonly #routes: RouteTable<unknown>;
  readonly #cookies = new Map<string, string>();

  constructor(admin: NsqadminInProcess) {
    this.#admin = admin;
    this.#routes = new RouteTable(pageRoutes(admin.nsqadmin));
  }

  /** The page at that path. */
  async look(path: string, status = 200): Promise<string> {
    return this.#read("GET", path, await this.#ask("GET", path), status);
  }

  /** The page that sending a form leads to. */
  async send(path: string, form: string, status = 200): Promise<string> {
    const answer = await this.#ask("POST", path, form);
    const location = answer.headers.get("location");
    if (location === null) return this.#read("POST", path, answer, status);
    this.#note("POST", path);
    return await this.look(location);
  }

  async #ask(method: string, path: string, body?: string): Promise<AdminAnswer> {
    const headers = {
      "Content-Type": "application/x-www-form-urlencoded",
      "User-Agent": "tester/1",
      Cookie: [...this.#cookies.values()].join("; "),
    };
    const answer = await this.#admin.ask(method, path, { body, headers });
    for (const cookie of answer.headers.getSetCookie()) {
      const [pair] = cookie.split(";");
      this.#cookies.set(pair.split("=")[0], pair);
    }
    return answer;
  }

  #read(method: string, path: string, answer: AdminAnswer, status: number): string {
    const { poller, alerts } = this.#admin.nsqadmin;
    const rules = alerts.rules.map(({ text }) => text);
    const names = [
      ...NAMES,
      ...rules,
      ...poller.nodes.flatMap(({ node }) => [node.hostname, node.version]),
    ];
    assertEquals([method, path, answer.status], [method, path, status], answer.text);
    assertStringIncludes(answer.text, "⟦");
    assertEquals([method, path, unmarkedWords(answer.text, names)], [method, path, []], answer.text);
    this.#note(method, path);
    return answer.text;
  }

  #note(method: string, path: string): void {
    const pathname = path.split("?")[0];
    this.looked.add(this.#routes.match(method, pathname)?.name ?? pathname);
  }
}

Deno.test("unmarkedWords() finds what a page says outside of the marks, in texts and in attributes", () => {
  const html =
    '<p title="⟦a title⟧">⟦one ⟧t1<b>two</b>⟦ three⟧ <i aria-label="four">⟦⟧</i><code>five</code></p>';

  assertEquals(unmarkedWords(html, ["t1"]), ["two", "four"]);
});

Deno.test("All that pages and forms say is in the table of texts", async () => {
  const users = usersOf({ [USER]: "admin,peek", viewer: "viewer" });
  const graphite = { proxyGraphite: true, graphiteUrl: "http://127.0.0.1:1" };
  const options = { alertRules: ALERT_RULES, history: true, ...graphite };
  await withCluster({ users, nsqadmin: options, texts: MADE_UP }, async ({ admin, nsqds: [nsqd], topic }) => {
    await topic("orders", "archive");
    await topic("orders.failed", "archive");
    await publish(nsqd, "orders", "body", '{"a":1}', "\u{fffe}".repeat(1000));
    await publish(nsqd, "orders.failed", ...Array.from({ length: 9 }, () => "body"));
    using consumer = await nsqd.connect();
    await consumer.ask(identify({ client_id: "worker", hostname: "hosts", user_agent: "tester/1" }));
    await consumer.ask("SUB orders.failed archive\n");
    await admin.nsqadmin.poller.refresh();
    const reader = new Reader(admin);

    await reader.look("/login");
    await reader.send("/login", `user=${USER}&password=wrong`, 401);
    await reader.send("/settings", "", 401);
    await reader.send("/login", `user=viewer&password=${PASSWORD}`);
    await reader.look("/topics/orders/archive/messages", 403);
    await reader.look("/topics");
    await reader.send("/logout", "");
    await reader.send("/login", `user=${USER}&password=${PASSWORD}`);
    const messages = "/topics/orders/archive/messages";
    const [, message = "none"] = /href="([^"]*\/messages\/[^"]*)"/.exec(await reader.look(messages)) ?? [];
    const node = `/nodes/${encodeURIComponent(`127.0.0.1:${nsqd.nsqd.httpPort}`)}`;
    for (
      const path of [
        ...["/", "/topics", "/topics/orders", "/topics/none", "/topics/orders.failed", "/channels"],
        ...["/topics/orders/archive?span=24h", "/topics/orders.failed/archive", "/topics/none/none"],
        ...["each", "host", "client"].map((how) => `/topics/orders.failed/archive?consumers=${how}`),
        ...["", "?as=json", "?as=hex", "?state=dead", "?search=a&by=text"].map((how) => messages + how),
        ...["", "&as=json", "&as=hex"].map((how) => message.replaceAll("&amp;", "&") + how),
        ...["/consumers", "/nodes", node, "/nodes/none", "/counter", "/cluster", "/lookup", "/alerts"],
        ...["/activity", "/settings", "/search?q=o", "/search?q=no-such-thing", "/tap/orders"],
      ]
    ) await reader.look(path);
    for (
      const [path, form, status] of [
        ["/topics", "action=create&topic=made&channel=archive"],
        ["/topics/made", "action=pause"],
        ["/topics/made", "action=ask-empty"],
        ["/topics/orders", "action=ask-delete"],
        ["/topics/orders", "action=ask-tombstone&node=none"],
        ["/topics/orders", "action=publish&node=none&body=body"],
        ["/topics/orders/archive", "action=ask-pause"],
        ["/topics/orders/archive", "action=ask-unpause&node=none"],
        ["/topics/orders/archive", "action=ask-delete-message&node=none&id=0"],
        ["/topics/orders/archive", "action=ask-cancel-message&node=none&id=0"],
        ["/topics/orders/archive", "action=requeue-message&node=none&id=0"],
        // No node has it.
        ["/topics/none", "action=pause", 502],
        ["/topics/orders", "action=none", 400],
        ["/topics/orders.failed/archive", "action=ask-redrive&to=orders&rate=1"],
        ["/topics/orders.failed/archive", "action=redrive&to=orders&rate=1"],
        ["/redrives", "action=ask-cancel-redrive&id=1"],
        ["/redrives", "action=cancel-redrive&id=1"],
        [node, "action=ask-drain"],
        [node, "action=ask-forget"],
        ["/consumers", "action=ask-kick&client_id=worker"],
        ["/topics/orders/archive", "action=ask-kick&node=none&address=none"],
        ["/tap/orders", "seconds=1"],
        ["/tap/made", "seconds=1"],
        ["/bulk", "of=topics&action=ask-delete&name=orders"],
        ["/bulk", "of=channels&action=ask-pause&name=orders/archive&name=made/archive"],
        ["/bulk", "of=topics&action=delete&name=orders&count=7", 400],
      ] as const
    ) await reader.send(path, form, status);
    // Of a topic that is not there it tells of a failure.
    await reader.send("/bulk", "of=topics&action=unpause&name=made&name=none");
    // Who has lost the right to it has begun this one.
    const { id } = admin.nsqadmin.bulk.start({
      ...{ action: "empty", items: [{ target: { topic: "made", channel: "" }, rest: undefined }] },
      author: { user: "viewer", address: "", userAgent: "", url: "" },
    }) ?? { id: "none" };
    await eventually("it has ended", () => admin.nsqadmin.bulk.find(id)?.ended !== undefined);
    await reader.look(`/bulk/${id}`);
    await reader.send(`/bulk/${id}`, "action=again");
    await reader.send("/settings", "theme=system&live=on&action=usual");
    for (const path of ["/redrives", "/activity", "/alerts"]) await reader.look(path);
    await reader.look("/bulk/999", 404);

    const routes = pageRoutes(admin.nsqadmin).map(({ method, path }) => `${method} ${path}`);
    assertEquals(routes.filter((name) => !reader.looked.has(name)), []);
  });
});

Deno.test("What pages say of what cannot be reached, and of what is gone, is in the table of texts, too", async () => {
  let told = true;
  await using gone = nodeWith(() => 5);
  await using other = nodeWith(() => 5);
  const dead = deadAddress();
  await using lookupd = lookupdOf(() => told ? [gone.address, other.address, dead] : [other.address, dead]);
  const options = { lookupdHttpAddresses: [lookupd.address], alertRules: ALERT_RULES };
  await withNsqadmin(options, async (admin) => {
    const { poller } = admin.nsqadmin;
    await poller.refresh();
    told = false;
    await eventually("the node is gone", async () => {
      poller.rediscover();
      await poller.refresh();
      return poller.node(gone.address)?.gone !== undefined;
    });
    admin.nsqadmin.setLookupdAddresses([lookupd.address, dead]);
    await poller.refresh();
    const reader = new Reader(admin);

    for (
      const path of [
        ...[
          "/",
          "/topics/t",
          "/channels",
          "/consumers",
          "/nodes",
          "/counter",
          "/cluster",
          "/lookup",
          "/alerts",
        ],
        ...[gone.address, other.address, dead].map((address) => `/nodes/${address}`),
      ]
    ) await reader.look(path);
    await reader.send(`/nodes/${gone.address}`, "action=ask-forget");
  }, { texts: MADE_UP });
});
