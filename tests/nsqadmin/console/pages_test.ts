import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FORM_SIZE_MAX } from "../../../src/nsqadmin/console/change_pages.tsx";
import { PAGE_ROWS } from "../../../src/nsqadmin/console/table.ts";
import { fakeNode, pageAt, press } from "../../support/console_pages.ts";
import { FakeHttp } from "../../support/fake_http.ts";
import { identify } from "../../support/frames.ts";
import { HtmlPage } from "../../support/html_page.ts";
import {
  type ClusterInProcess,
  post,
  publish,
  statsOf,
  withCluster,
  withNsqadmin,
} from "../../support/nsqadmin_in_process.ts";
import { deadAddress } from "../../support/ports.ts";

const PATHS = [
  "/",
  "/topics",
  "/topics/t",
  "/topics/t/c",
  "/channels",
  "/consumers",
  "/nodes",
  "/nodes/127.0.0.1:1",
  "/counter",
  "/cluster",
  "/lookup",
];

/** A test with one node that has a topic `t` with a channel `c`. */
function pageTest(name: string, test: (cluster: ClusterInProcess) => Promise<void>): void {
  Deno.test(name, async () => {
    await withCluster({}, async (cluster) => {
      await cluster.topic("t", "c");
      await test(cluster);
    });
  });
}

Deno.test("Every page is there when nobody answers, says so, and lets nothing of others run in it", async () => {
  const dead = deadAddress();
  await withNsqadmin({ lookupdHttpAddresses: [dead] }, async (admin) => {
    for (const path of PATHS) {
      const { headers, text } = await admin.ask("GET", path);
      const page = new HtmlPage(text);

      assertEquals(headers.get("content-type"), "text/html");
      assertMatch(headers.get("content-security-policy") ?? "", /^default-src 'none'; script-src 'self'; /);
      assertEquals([page.all("h1").length, text.startsWith('<!doctype html>\n<html lang="en"')], [1, true]);
      if (path !== "/cluster") assertStringIncludes(page.text, `One daemon has not answered`);
      assertStringIncludes(
        page.text,
        `nsqlookupd ${dead} ${path === "/cluster" ? "never" : ":"} Get "http://${dead}/`,
      );
    }
  });
});

Deno.test("What the pages load is there, below the base path", async () => {
  await withNsqadmin({ lookupdHttpAddresses: [deadAddress()], basePath: "/sub" }, async (admin) => {
    const page = await pageAt(admin, "/sub");

    assertEquals(page.links.filter((link) => link.startsWith("/") && !link.startsWith("/sub/")), []);
    for (
      const [name, type] of [["console.css", "text/css; charset=utf-8"], ["favicon.svg", "image/svg+xml"]]
    ) {
      assert(page.links.includes(`/sub/static/${name}`));
      const { status, headers } = await admin.ask("GET", `/sub/static/${name}`);
      assertEquals([status, headers.get("content-type")], [200, type]);
    }
  });
});

pageTest(
  "The overview shows topics with their numbers, over all nodes",
  async ({ admin, nsqds: [nsqd], topic }) => {
    await topic("paused");
    await post(`${nsqd.httpUrl}/topic/pause?topic=paused`);
    await publish(nsqd, "t", "a", "b", "c");

    const page = await pageAt(admin, "/");

    assertEquals(page.rows.slice(1), [
      ["paused paused", "0", "0", "0", "0", "0", "0", "0", "", "0", "0", "0", "1"],
      ["t no consumers", "0", "3 c", "0", "0", "0", "0", "0", "", "0", "3", "0", "1"],
    ]);
    assertStringIncludes(page.text, "nodes 1 topics 2 waiting in topics 0");
    assertEquals((await pageAt(admin, "/topics?sort=-messages")).rows.slice(1).map(([name]) => name), [
      "t no consumers",
      "paused paused",
    ]);
  },
);

Deno.test("The overview shows a page of very many topics, and what they are filtered by", async () => {
  const topics = Array.from({ length: PAGE_ROWS * 2 + 1 }, (_, i) => ({ topic_name: `t${i}`, depth: i }));
  await using nsqd: FakeHttp = new FakeHttp(({ target }): Response =>
    Response.json(
      target === "/info"
        ? { hostname: "h", broadcast_address: "127.0.0.1", http_port: Number(nsqd.address.split(":")[1]) }
        : { topics },
    )
  );
  await withNsqadmin({ nsqdHttpAddresses: [nsqd.address] }, async (admin) => {
    const last = await pageAt(admin, "/?page=3&sort=-depth");
    const filtered = await pageAt(admin, "/?filter=T20");

    assertEquals(last.rows.slice(1).map(([name]) => name), ["t0"]);
    assert(last.links.includes("?page=2&sort=-depth"));
    assertStringIncludes(last.text, "201 topics Back page 3 of 3");
    assertStringIncludes(filtered.text, "2 of 201 topics");
    assertEquals(filtered.rows.slice(1).map(([name]) => name), ["t20", "t200"]);
    assertStringIncludes((await pageAt(admin, "/?filter=%22%3E%3Cb%3E")).html, 'value="&#34;&gt;&lt;b&gt;"');
  });
});

pageTest("A topic's page shows its nodes and channels", async ({ admin, nsqds: [nsqd] }) => {
  await publish(nsqd, "t", "body");
  await post(`${nsqd.httpUrl}/channel/pause?topic=t&channel=c`);

  const page = await pageAt(admin, "/topics/t");

  const node = `127.0.0.1:${nsqd.nsqd.httpPort}`;
  assertEquals(page.all("h1"), ["Topic t"]);
  const NUMBERS = ["0", "0", "0", "1", "0", "0", "", "", "1", "1"];
  assertEquals(page.rows.filter(([name]) => name.endsWith(node)), [
    [`${Deno.hostname()} ${node}`, ...NUMBERS, "Pause here Empty here… Take off this node…"],
  ]);
  assertEquals(page.rows.filter(([name]) => name.startsWith("c ")), [
    ["c paused", "1", "1", "0", "0", "0", "", "", "0", "0", "1", "0"],
  ]);
  assert(page.links.includes("/topics/t/c") && page.links.includes(`/nodes/${encodeURIComponent(node)}`));
});

Deno.test("Pages of a topic and of a channel show what each node has of it, and how much comes and goes there", async () => {
  let round = 0;
  const nodeOf = (rate: number) =>
    fakeNode(() =>
      Response.json({
        topics: [
          { topic_name: "other" },
          {
            ...{ topic_name: "t", depth: rate, message_count: 1000 * rate * round },
            channels: [{
              ...{ channel_name: "c", message_count: 10 * rate * round },
              ...{ depth: 2, in_flight_count: rate, deferred_count: 1 },
            }],
          },
        ],
      })
    );
  await using slow = nodeOf(1);
  await using fast = nodeOf(1000);
  await withNsqadmin({ nsqdHttpAddresses: [slow.address, fast.address] }, async (admin) => {
    await admin.nsqadmin.poller.look();
    round++;
    await admin.nsqadmin.poller.refresh();

    const { rows } = await pageAt(admin, "/topics/t");

    const rowOf = (node: FakeHttp) => rows.find(([name]) => name === `h ${node.address}`) ?? [];
    assertEquals(rowOf(slow).slice(1, 7), ["1", "1", "0", "2", "1", "1"]);
    assertEquals(rowOf(fast).slice(1, 7), ["1,000", "1,000", "0", "2", "1,000", "1"]);
    const [slowRate, fastRate] = [slow, fast].map((node) => Number(rowOf(node)[7].replaceAll(",", "")));
    assert(slowRate > 0 && fastRate > slowRate, `${slowRate} and ${fastRate}`);
    const total = rows.find(([name]) => name === "Total") ?? [];
    assertEquals(total.slice(1, 7), ["1,001", "1,001", "0", "4", "1,001", "2"]);
    const { rows: inFile } = await admin.json("/topics/t?format=json") as {
      rows: { channel_depth: number }[];
    };
    assertEquals(inFile.map(({ channel_depth }) => channel_depth), [2, 2]);
    const channel = await admin.json("/topics/t/c?format=json") as { rows: { node: string; in: number }[] };
    const [slowIn, fastIn] = [slow, fast].map(({ address }) =>
      channel.rows.find(({ node }) => node === address)?.in ?? 0
    );
    const all = await admin.json("/topics/t?format=json&table=channels") as { rows: { in: number }[] };
    assert(slowIn > 0 && fastIn > slowIn, `${slowIn} and ${fastIn}`);
    assertEquals(all.rows.map((row) => row.in), [slowIn + fastIn]);
  });
});

Deno.test("The overview, a node's page and a file name the deepest channel of a topic, if anything waits in one", async () => {
  const channels = [["a", 1], ["b", 7], ["c", 7]].map(([channel_name, depth]) => ({ channel_name, depth }));
  await using node = fakeNode(() =>
    Response.json({
      topics: [{ topic_name: "t", channels }, { topic_name: "empty", channels: [{ channel_name: "c" }] }],
    })
  );
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    for (const path of ["/?sort=-channel-depth", `/nodes/${node.address}?sort=-channel-depth`]) {
      const { rows, links } = await pageAt(admin, path);
      assertEquals(rows.filter(([name]) => /^(t|empty)\b/.test(name)).map(([, , deepest]) => deepest), [
        "7 b",
        "0",
      ]);
      assert(links.includes("/topics/t/b"));
    }
    assertStringIncludes((await pageAt(admin, "/")).text, "waiting in topics 0 waiting in channels 15");
    const { rows } = await admin.json("/?format=json&sort=-channel-depth") as {
      rows: { channel_depth: number; deepest_channel: string | null }[];
    };
    assertEquals(rows.map((row) => [row.channel_depth, row.deepest_channel]), [[7, "b"], [0, null]]);
  });
});

pageTest("A channel's page shows its nodes and consumers", async ({ admin, nsqds: [nsqd] }) => {
  await publish(nsqd, "t", "body");
  assertStringIncludes(
    (await pageAt(admin, "/topics/t/c")).text,
    "No consumers: messages are waiting for one.",
  );

  using client = await nsqd.connect();
  await client.ask(identify({ client_id: "<me>", hostname: "host.example", user_agent: "tester/1" }));
  await client.ask("SUB t c\n");
  const page = await pageAt(admin, "/topics/t/c");

  const [row] = page.rows.filter(([name]) => name.startsWith("host.example"));
  assertMatch(row[0], /^host\.example <me> 127\.0\.0\.1:\d+$/);
  assertEquals(row.slice(1, 3), ["tester/1", ""]);
  assertEquals(row[3], `127.0.0.1:${nsqd.nsqd.httpPort}`);
  assert(!page.text.includes("No consumers"));
});

pageTest(
  "The nodes' pages show all nodes, and what one of them has",
  async ({ admin, nsqds: [nsqd], lookupd }) => {
    const address = `127.0.0.1:${nsqd.nsqd.httpPort}`;
    await withNsqadmin({ lookupdHttpAddresses: [lookupd.httpAddress, deadAddress()] }, async (doubting) => {
      assertEquals((await pageAt(doubting, "/nodes")).rows[1][5], "1 of 2 not all agree");
    });

    const nodes = await pageAt(admin, "/nodes");
    const node = await pageAt(admin, `/nodes/${address}`);

    const [, row] = nodes.rows;
    assertMatch(row.splice(-2).join(" "), /^[\d.]+ MiB \d+s$/);
    assertEquals(row, [
      Deno.hostname(),
      address,
      String(nsqd.nsqd.tcpPort),
      "1.3.0",
      "",
      "1 of 1",
      ...["1", "answers", "0", "0", "0"],
    ]);
    assertEquals(node.rows[1], ["t", "0", "0", "0", "0", "0", "0", "0", "0", "Take off this node…"]);
    assertStringIncludes(
      (await pageAt(admin, "/nodes/nobody:1")).text,
      "Nobody who has answered tells of this node.",
    );
  },
);

pageTest("The counter shows how many messages channels have had", async ({ admin, nsqds: [nsqd] }) => {
  await publish(nsqd, "t", "a", "b", "c");

  const page = await pageAt(admin, "/counter");

  assertStringIncludes(page.text, "Messages that channels have had 3 On 1 nodes");
});

pageTest(
  "The lookup page shows who tells of nodes, and deletes names that no node has",
  async ({ admin, lookupd }) => {
    await post(`http://${lookupd.httpAddress}/channel/create?topic=idle&channel=old`);

    const page = await pageAt(admin, "/lookup");
    assertEquals(page.rows.slice(1), [["idle", "old", "Delete…"]]);
    assertStringIncludes(page.text, lookupd.httpAddress);
    const asked = await press(admin, "/lookup", { page, button: "Delete…" });
    assertEquals([asked.status, asked.page.all("h1")], [200, ["Delete topic idle?"]]);
    assertEquals((await lookupd.json("/topics") as { topics: string[] }).topics.includes("idle"), true);
    const done = await press(admin, "/topics/idle", { page: asked.page, button: "Delete" });

    assertEquals([done.status, done.location], [303, "/?done=delete"]);
    assertEquals(await lookupd.json("/topics"), { topics: ["t"] });
  },
);

pageTest("Buttons pause and unpause at once, and the page says so", async ({ admin, nsqds: [nsqd] }) => {
  const page = await pageAt(admin, "/topics/t/c");

  const paused = await press(admin, "/topics/t/c", { page, button: "Pause" });
  assertEquals([paused.status, paused.location], [303, "/topics/t/c?done=pause"]);
  assertEquals((await statsOf(nsqd, "t"))?.channels[0].paused, true);
  const after = await pageAt(admin, "/topics/t/c?done=pause");
  assertStringIncludes(after.text, "It is paused.");
  await press(admin, "/topics/t/c", { page: after, button: "Unpause" });
  assertEquals((await statsOf(nsqd, "t"))?.channels[0].paused, false);
});

for (
  const [target, title, location, left] of [
    ["/topics/t", "topic t", "/?done=delete", undefined],
    ["/topics/t/c", "channel c of topic t", "/topics/t?done=delete", []],
  ] as const
) {
  pageTest(
    `${target} is deleted when that is confirmed, and not before`,
    async ({ admin, nsqds: [nsqd] }) => {
      const asked = await press(admin, target, { page: await pageAt(admin, target), button: "Delete…" });
      assertEquals([asked.status, asked.page.all("h1")], [200, [`Delete ${title}?`]]);
      assertEquals((await statsOf(nsqd, "t"))?.channels.length, 1);

      const done = await press(admin, target, { page: asked.page, button: "Delete" });

      assertEquals([done.status, done.location], [303, location]);
      assertEquals(
        (await statsOf(nsqd, "t"))?.channels.map(({ channel_name }) => channel_name),
        left && [...left],
      );
    },
  );
}

pageTest("A channel is emptied when that is confirmed", async ({ admin, nsqds: [nsqd] }) => {
  await publish(nsqd, "t", "body");
  const asked = await press(admin, "/topics/t/c", {
    page: await pageAt(admin, "/topics/t/c"),
    button: "Empty…",
  });
  assertEquals((await statsOf(nsqd, "t"))?.channels[0].depth, 1);

  await press(admin, "/topics/t/c", { page: asked.page, button: "Empty" });

  assertEquals((await statsOf(nsqd, "t"))?.channels[0].depth, 0);
});

pageTest("A topic is taken off a node when that is confirmed", async ({ admin, nsqds: [nsqd] }) => {
  const page = await pageAt(admin, "/topics/t");
  const asked = await press(admin, "/topics/t", { page, button: "Take off this node…" });
  assertEquals(asked.page.all("h1"), [`Take topic t off node 127.0.0.1:${nsqd.nsqd.httpPort}?`]);

  const done = await press(admin, "/topics/t", { page: asked.page, button: "Take off" });

  assertEquals([done.status, done.location], [
    303,
    `/topics/t?done=tombstone&on=127.0.0.1%3A${nsqd.nsqd.httpPort}`,
  ]);
  assertEquals(await statsOf(nsqd, "t"), undefined);
});

pageTest("A topic and channel are created by a form", async ({ admin, lookupd }) => {
  const body = new URLSearchParams({ action: "create", topic: "new", channel: "d#ephemeral" }).toString();

  const { status, headers } = await admin.ask("POST", "/topics", { body });

  assertEquals([status, headers.get("location")], [303, "/topics/new/d%23ephemeral?done=create"]);
  assertEquals(await lookupd.json("/channels?topic=new"), { channels: ["d#ephemeral"] });
});

/** A node with the topic `t` that does what it is told once it is well. */
function failingNode(isWell: () => boolean): FakeHttp {
  return fakeNode(({ method }) => {
    if (method === "POST" && !isWell()) return new Response("no", { status: 500 });
    return Response.json({ topics: [{ topic_name: "t" }] });
  });
}

/** What a node was told to do. */
function orders({ asked }: FakeHttp): string[] {
  return asked.filter((each) => each.startsWith("POST "));
}

Deno.test("The channels show how old the oldest message of each is, where nodes tell it", async () => {
  const channels = [
    { channel_name: "a", depth: 1, oldest_message_age_seconds: 90 },
    { channel_name: "b", depth: 1 },
  ];
  await using node = fakeNode(() => Response.json({ topics: [{ topic_name: "t", channels }] }));
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    const { rows: [heads, ...rows] } = await pageAt(admin, "/channels?sort=-oldest");

    const at = heads.indexOf("Oldest");
    assertEquals(rows.map((row) => [row[0].split(" ")[2], row[at]]), [["a", "1m30s"], ["b", ""]]);
  });
});

Deno.test("What one node could not do has a page that names it, and another try asks nobody who has done it", async () => {
  let isWell = false;
  await using failing = failingNode(() => isWell);
  await using good = failingNode(() => true);
  await withNsqadmin({ nsqdHttpAddresses: [good.address, failing.address] }, async (admin) => {
    const asked = await press(admin, "/topics/t", {
      page: await pageAt(admin, "/topics/t"),
      button: "Empty…",
    });

    const answer = await press(admin, "/topics/t", { page: asked.page, button: "Empty" });

    assertEquals([answer.status, answer.page.all("h1")], [200, ["Empty: not done everywhere"]]);
    assertStringIncludes(
      answer.page.text,
      `nsqd ${failing.address} : got response 500 Internal Server Error "no"`,
    );
    assertStringIncludes(answer.page.text, `It was done by: nsqd ${good.address}`);
    const button = "Try again where it was not done";
    const second = await press(admin, "/topics/t", { page: answer.page, button });
    assertStringIncludes(second.page.text, `It was done by: nsqd ${good.address}`);
    isWell = true;
    const third = await press(admin, "/topics/t", { page: second.page, button });

    assertEquals([third.status, third.location], [303, "/topics/t?done=empty"]);
    const order = "POST /topic/empty?topic=t";
    assertEquals([orders(good), orders(failing)], [[order], [order, order, order]]);
  });
});

Deno.test("A topic that nsqlookupds have deleted and a node has not is deleted there by another try", async () => {
  let isWell = false;
  let isKnown = true;
  await using failing = failingNode(() => isWell);
  const [broadcast_address, port] = failing.address.split(":");
  const producers = [{ broadcast_address, http_port: Number(port), tcp_port: 1, topics: ["t"] }];
  await using lookupd = new FakeHttp(({ method, target }): Response => {
    if (method === "POST") isKnown = false;
    return target.startsWith("/lookup") && !isKnown
      ? Response.json({ message: "TOPIC_NOT_FOUND" }, { status: 404 })
      : Response.json({ producers, version: "1.3.0" });
  });
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
    await admin.nsqadmin.poller.look();
    const { text } = await admin.ask("POST", "/topics/t", { body: "action=delete" });
    const page = new HtmlPage(text);
    assertEquals(page.all("h1"), ["Delete: not done everywhere"]);
    isWell = true;

    const done = await press(admin, "/topics/t", { page, button: "Try again where it was not done" });

    assertEquals([done.status, done.location], [303, "/?done=delete"]);
    const order = "POST /topic/delete?topic=t";
    assertEquals([orders(lookupd), orders(failing)], [[order], [order, order]]);
  });
});

Deno.test("Another try tells nobody that nobody tells of, whatever address somebody brings", async () => {
  await using stranger = new FakeHttp();
  await using node = failingNode(() => true);
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    const body = new URLSearchParams({ action: "delete", failed: `nsqd ${stranger.address}`, partly: "true" })
      .toString();

    const { status } = await admin.ask("POST", "/topics/t", { body });

    assertEquals([status, stranger.requests, orders(node)], [303, [], ["POST /topic/delete?topic=t"]]);
  });
});

Deno.test("After a change on one node the page names it", async () => {
  await using node = failingNode(() => true);
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    const page = await pageAt(admin, "/topics/t");
    const { location } = await press(admin, "/topics/t", { page, button: "Pause here" });

    assertEquals(location, `/topics/t?done=pause&on=${encodeURIComponent(node.address)}`);
    assertStringIncludes(
      (await pageAt(admin, location ?? "")).text,
      `Node ${node.address} : It is paused.`,
    );
    const lie = await pageAt(admin, "/topics/t?done=pause&on=call+0900+123");
    assertStringIncludes(lie.text, "It is paused.");
    assert(!lie.text.includes("0900"));
  });
});

pageTest(
  "Who may look only sees no buttons, and is told so when he presses one",
  async ({ lookupd, nsqds: [nsqd] }) => {
    const options = { lookupdHttpAddresses: [lookupd.httpAddress], adminUsers: ["root"] };
    await withNsqadmin(options, async (admin) => {
      const headers = { "X-Forwarded-User": "bob<b>" };
      for (const path of [...PATHS, `/nodes/127.0.0.1:${nsqd.nsqd.httpPort}`]) {
        const page = await pageAt(admin, path, headers);
        assertEquals(page.forms.filter(({ method }) => method === "post"), []);
        assertStringIncludes(page.text, "bob<b> (may look only)");
      }
      for (const action of ["pause", "ask-delete"]) {
        const { status, text } = await admin.ask("POST", "/topics/t", { body: `action=${action}`, headers });
        assertEquals([status, new HtmlPage(text).all("h1")], [403, ["Forbidden"]]);
      }
      assertEquals((await statsOf(nsqd, "t"))?.paused, false);
      const root = await pageAt(admin, "/topics/t", { "X-Forwarded-User": "root" });
      assertEquals(root.forms.filter(({ method }) => method === "post").length > 0, true);
    });
  },
);

const REFUSED: readonly (readonly [target: string, body: string, status: number, reason: string])[] = [
  ["/topics", "action=create&topic=b%24d", 400, "That is no name of a topic"],
  ["/topics", "action=create&topic=t&channel=b%24d", 400, "That is no name of a channel"],
  ["/topics", "action=delete&topic=t", 400, "That cannot be done here."],
  ["/topics/t", "action=create", 400, "That cannot be done here."],
  ["/topics/t", "action=tombstone", 400, "That cannot be done here."],
  ["/topics/t", "", 400, "That cannot be done here."],
  ["/topics/t", "a;b", 400, "invalid semicolon separator in query"],
  ["/topics/%3Cb%3E", "action=pause", 400, "That is no name of a topic"],
  ["/topics/t", "x".repeat(FORM_SIZE_MAX + 1), 413, "That is too much."],
];

for (const [target, body, status, reason] of REFUSED) {
  Deno.test(`POST ${target} of ${JSON.stringify(body.slice(0, 30))} is refused with ${status}, on a page`, async () => {
    await withNsqadmin({ lookupdHttpAddresses: [deadAddress()] }, async (admin) => {
      const answer = await admin.ask("POST", target, { body });

      assertEquals(answer.status, status);
      assertStringIncludes(new HtmlPage(answer.text).text, reason);
    });
  });
}

Deno.test("A page with a query that is none is refused, on a page", async () => {
  await withNsqadmin({ lookupdHttpAddresses: [deadAddress()] }, async (admin) => {
    const answer = await admin.ask("GET", "/?a;b");

    assertEquals([answer.status, new HtmlPage(answer.text).all("h1")], [400, ["Bad Request"]]);
  });
});

pageTest("A form of another site changes nothing", async ({ admin, nsqds: [nsqd] }) => {
  const { status } = await admin.ask("POST", "/topics/t", {
    body: "action=pause",
    headers: { Origin: "http://evil.example" },
  });

  assertEquals([status, (await statsOf(nsqd, "t"))?.paused], [403, false]);
});

Deno.test("Names of strangers stay texts, whatever is in them", async () => {
  const hostile = `"'><script>alert(1)</script>&amp;\u202e\n../../?#javascript:`;
  const client = {
    client_id: hostile,
    hostname: hostile,
    user_agent: hostile,
    tls_version: hostile,
    tls: true,
  };
  const channel = { channel_name: hostile, clients: [client], depth: 1 };
  await using nsqd = new FakeHttp(() =>
    Response.json({ topics: [{ topic_name: hostile, channels: [channel] }] })
  );
  const [host, port] = nsqd.address.split(":");
  const producers = [
    {
      hostname: hostile,
      broadcast_address: host,
      http_port: Number(port),
      version: hostile,
      topics: [hostile],
      topology_zone: hostile,
    },
    { hostname: hostile, broadcast_address: hostile, http_port: 1, tcp_port: 2, remote_address: hostile },
  ];
  const answer = { producers, topics: [hostile, "idle"], channels: [hostile] };
  await using lookupd = new FakeHttp(({ target }) =>
    target === "/never" ? new Response("") : Response.json(answer)
  );

  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
    const name = encodeURIComponent(hostile.replaceAll("/", ""));
    for (
      const path of [
        "/",
        `/topics/${name}`,
        `/topics/${name}/${name}`,
        "/channels",
        "/nodes",
        `/nodes/${nsqd.address}`,
        `/nodes/${name}`,
        "/counter",
        "/cluster",
        "/lookup",
      ]
    ) {
      const page = await pageAt(admin, path);

      assertEquals(page.html.match(/<script/g)?.length, 1, path);
      assertEquals(page.links.filter((link) => !/^(\/(?!\/)|[?#])/.test(link)), []);
    }
  });
});
