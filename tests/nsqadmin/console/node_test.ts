import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { NodeFacts } from "../../../src/cluster/node_facts.ts";
import { stopTexts } from "../../../src/nsqadmin/console/node.tsx";
import { ENGLISH } from "../../../src/nsqadmin/console/texts/english.tsx";
import type { NodeTotals } from "../../../src/nsqadmin/watch/node_numbers.ts";
import { fakeNode, lookupdOf, pageAt, press } from "../../support/console_pages.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeHttp } from "../../support/fake_http.ts";
import { IMPATIENT, publish, withCluster, withNsqadmin } from "../../support/nsqadmin_in_process.ts";
import { deadAddress } from "../../support/ports.ts";

const NO_TOTALS = {
  ...{ topics: 0, waiting: 0, inMemory: 0, inFlight: 0, deferred: 0, ephemeral: 0 },
  ...{ inRate: 0, outRate: 0, consumers: 0 },
};
const OWN = {
  ...{ state: "running", store: "files", residentBytes: 1, freeBytes: undefined, sizeBytes: undefined },
  drain: undefined,
};
/** As Go tells it. */
const GO_STATS = {
  ...{ version: "1.2.1", health: "OK", start_time: 1_700_000_000, producers: null },
  topics: [{
    topic_name: "t",
    depth: 4,
    backend_depth: 1,
    channels: [{ channel_name: "c", in_flight_count: 2 }],
  }],
  memory: {
    ...{ heap_objects: 12_345, heap_idle_bytes: 1, heap_in_use_bytes: 5 * 2 ** 20, heap_released_bytes: 1 },
    ...{
      gc_pause_usec_100: 900,
      gc_pause_usec_99: 800,
      gc_pause_usec_95: 700,
      next_gc_bytes: 1,
      gc_total_runs: 42,
    },
  },
};

Deno.test("The page of a node of NSQ shows its memory, its collector, and what a stop would mean", async () => {
  await using node = fakeNode(() => Response.json(GO_STATS));
  await withNsqadmin({ nsqdHttpAddresses: [node.address], history: true }, async (admin) => {
    const page = await pageAt(admin, `/nodes/${node.address}`);

    for (
      const text of [
        "It was started at 2023-11-14 22:13:20 UTC .",
        "memory of the heap 5 MiB",
        "objects on the heap 12,345",
        "garbage collections 42",
        "their pauses, 99 %, µs 800 the longest, µs 900",
        "Yes, if it is stopped in order and started again: nothing is lost.",
        "6 messages wait on it until it is started again: nobody else has them.",
        "Up to 5 of them are in memory only",
        "Waiting, in topics and channels: 4 at most 4",
      ]
    ) assertStringIncludes(page.text, text);
    assert(!page.text.includes("Drain…") && !page.text.includes("memory of the process"));
  });
});

Deno.test("The page of a node of ours shows its memory and disk, and drains it when that is confirmed", async () => {
  await withCluster({}, async ({ admin, nsqds: [nsqd], topic }) => {
    await topic("t", "c");
    await publish(nsqd, "t", "body");
    const address = `127.0.0.1:${nsqd.nsqd.httpPort}`;
    const path = `/nodes/${encodeURIComponent(address)}`;

    const page = await pageAt(admin, path);

    assertMatch(page.text, /memory of the process [\d.,]+ [MG]iB free on the disk [\d.]+ .iB of [\d.]+ .iB/);
    assertStringIncludes(page.text, "1 messages wait on it until it is started again");
    const asked = await press(admin, path, { page, button: "Drain…" });
    assertEquals([asked.status, asked.page.all("h1")], [200, [`Drain node ${address}?`]]);
    const state = async () => (await (await fetch(`${nsqd.httpUrl}/health/ready`)).json()).state;
    assertEquals(await state(), "running");
    const done = await press(admin, path, { page: asked.page, button: "Drain" });

    assertEquals([done.status, done.location], [303, `${path}?done=drain&on=${encodeURIComponent(address)}`]);
    assertEquals(await state(), "draining");
    await admin.nsqadmin.poller.refresh();
    const draining = await pageAt(admin, path);
    assertStringIncludes(draining.text, "It is being drained: 1 messages are left.");
    assert(!draining.text.includes("Drain…"));
    assertStringIncludes((await pageAt(admin, "/nodes")).text, "draining answers");
    const [activity] = admin.nsqadmin.activity.newestFirst;
    assertEquals([activity.action, activity.node, activity.outcome], ["drain", address, "done"]);
  });
});

Deno.test("POST /api/nodes/:node drains a node of ours as its page does, and says why another is not", async () => {
  await using endpoint = new FakeHttp();
  await using other = fakeNode(() => Response.json({ message: "NOT_FOUND" }, { status: 404 }));
  const stranger = "127.0.0.1:1";
  const options = { notificationHttpEndpoint: `http://${endpoint.address}/` };
  await withCluster({ nsqadmin: options }, async ({ admin, nsqds: [nsqd], topic }) => {
    // The nsqlookupd knows of the node then.
    await topic("t", "c");
    await publish(nsqd, "t", "body");
    const address = `127.0.0.1:${nsqd.nsqd.httpPort}`;
    const drain = (node: string, action = "drain") =>
      admin.ask("POST", `/api/nodes/${node}`, { body: { action } });

    const refused = await drain(address, "stop");
    const unknown = await drain(stranger);
    const done = await drain(address);

    assertEquals([refused.status, refused.json], [400, { message: "INVALID_ACTION" }]);
    assertEquals(unknown.status, 502);
    assertStringIncludes(unknown.text, "nobody tells of such a node");
    assertEquals([done.status, done.json], [200, { message: "" }]);
    assertEquals((await (await fetch(`${nsqd.httpUrl}/health/ready`)).json()).state, "draining");
    await eventually("it is told", () => endpoint.requests.length === 1);
    const { action, node } = JSON.parse(endpoint.requests[0].body);
    assertEquals([action, node], ["drain_node", address]);
    const told = admin.nsqadmin.activity.newestFirst.filter(({ action }) => action === "drain");
    assertEquals(told.map(({ node, outcome }) => [node, outcome]), [[address, "done"], [stranger, "failed"]]);
  });
  await withNsqadmin({ nsqdHttpAddresses: [other.address] }, async (admin) => {
    const { status, text } = await admin.ask("POST", `/api/nodes/${other.address}`, {
      body: { action: "drain" },
    });

    assertEquals(status, 502);
    assertStringIncludes(text, "this nsqd does not offer it (404)");
  });
});

Deno.test("A node of NSQ is not drained, and the page says why; neither is one that nobody tells of", async () => {
  await using node = fakeNode(({ method }) =>
    method === "POST" ? Response.json({ message: "NOT_FOUND" }, { status: 404 }) : Response.json(GO_STATS)
  );
  const stranger = new FakeHttp();
  await using _stranger = stranger;
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    for (
      const [address, reason] of [[node.address, "this nsqd does not offer it (404)"], [
        stranger.address,
        "nobody tells of such a node",
      ]]
    ) {
      const { status, text } = await admin.ask("POST", `/nodes/${address}`, { body: "action=drain" });
      assertEquals(status, 200);
      assertStringIncludes(text, "Drain: not done");
      assertStringIncludes(text, reason);
    }
    assertEquals(stranger.requests, []);
  });
});

Deno.test("The page of a node that cannot be reached says what may be the cause", async () => {
  const dead = deadAddress();
  await using lookupd = lookupdOf(() => [dead]);
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
    const page = await pageAt(admin, `/nodes/${dead}`);

    assertStringIncludes(page.text, "it does not answer. It was heard of never");
    assertStringIncludes(page.text, "Nobody listens there, and that is the machine that this nsqadmin is on");
  });
});

Deno.test("A node's pages say that it is not well, and that others are of other versions", async () => {
  await using ill = fakeNode(() => Response.json({ health: "NOK - disk <full>", topics: [] }));
  await using other = fakeNode(() => Response.json({ topics: [] }));
  const producers = [[ill, "1.3.0"], [other, "1.2.1"]].map(([node, version]) => {
    const { address } = node as FakeHttp;
    const port = Number(address.split(":")[1]);
    return { hostname: "h", broadcast_address: "127.0.0.1", http_port: port, tcp_port: port, version };
  });
  await using lookupd = new FakeHttp(() => Response.json({ producers }));
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
    const page = await pageAt(admin, `/nodes/${ill.address}`);

    assertStringIncludes(page.text, "It says that it is not well: NOK - disk <full>");
    assertStringIncludes(page.text, "Other nodes are of other versions: v1.2.1 (1).");
    assertEquals(
      (await pageAt(admin, "/nodes")).rows.filter(([, address]) => address === ill.address)[0][7],
      "not well answers",
    );
  });
});

Deno.test("The page of a node marks the topics of which nsqlookupds do not tell for a while", async () => {
  const topics = ["here", "off"];
  await using node = new FakeHttp(() =>
    Response.json({ topics: topics.map((topic_name) => ({ topic_name })) })
  );
  const [broadcast_address, port] = node.address.split(":");
  const producers = [{ broadcast_address, http_port: Number(port), topics, tombstones: [false, true] }];
  await using lookupd = new FakeHttp(() => Response.json({ producers }));
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
    const { rows } = await pageAt(admin, `/nodes/${node.address}`);

    assertEquals(rows.map(([name]) => name), ["Topic", "here", "off tombstoned"]);
  });
});

Deno.test("The page of a node with very many topics shows a hundred of them, and finds the others", async () => {
  const topics = Array.from({ length: 20_000 }, (_, i) => ({ topic_name: `t${i}`, depth: i }));
  await using node = fakeNode(() => Response.json({ topics }));
  await withNsqadmin({ nsqdHttpAddresses: [node.address] }, async (admin) => {
    await eventually("it is read, which may take longer than a round waits", async () => {
      await admin.nsqadmin.poller.look();
      return admin.nsqadmin.poller.node(node.address)?.numbers !== undefined;
    });

    const page = await pageAt(admin, `/nodes/${node.address}?sort=-depth`);

    assertEquals([page.rows.length, page.rows[1][0]], [101, "t19999"]);
    assertEquals((await pageAt(admin, `/nodes/${node.address}?filter=t1234`)).rows.length, 12);
  });
});

const STOPS: readonly (readonly [
  what: string,
  args: readonly [NodeTotals, NodeFacts["own"]],
  said: readonly RegExp[],
])[] = [
  ["nothing", [NO_TOTALS, OWN], [/^Yes: there is no message/]],
  ["what is in a database", [{ ...NO_TOTALS, waiting: 9 }, { ...OWN, store: "kv" }], [/^Yes: .*database/]],
  ["what is in memory only", [{ ...NO_TOTALS, deferred: 1234 }, { ...OWN, store: "memory" }], [
    /^No: .*all 1,234 are lost/,
  ]],
  ["what is ephemeral", [{ ...NO_TOTALS, waiting: 3, ephemeral: 3 }, OWN], [/^Not quite: 3 messages/]],
  ["what is on the disk", [{ ...NO_TOTALS, waiting: 3 }, OWN], [/^Yes, if/, /^3 messages wait/]],
  ["what is partly in memory", [{ ...NO_TOTALS, waiting: 3, inMemory: 2, inFlight: 1 }, OWN], [
    /^Yes, if/,
    /^4 /,
    /^Up to 2 /,
  ]],
  ["what NSQ's nsqd has in flight", [{ ...NO_TOTALS, inFlight: 1 }, undefined], [
    /^Yes, if/,
    /^1 /,
    /^Up to 1 /,
  ]],
];

for (const [what, args, said] of STOPS) {
  Deno.test(`stopTexts() of ${what}`, () => {
    const texts = stopTexts(ENGLISH, ...args);

    assertEquals(texts.length, said.length, texts.join("\n"));
    said.forEach((pattern, i) => assertMatch(texts[i], pattern));
  });
}

Deno.test("Nodes that hang, lie or answer with something else are named on the cluster's page, each with a cause", async () => {
  await using hung = new FakeHttp(() => new Promise(() => {}));
  await using liar = new FakeHttp(() => Response.json({ topics: [], memory: [] }));
  await using other = new FakeHttp(() => new Response("<html>"));
  await using closed = new FakeHttp(() => Response.json({ message: "UNAUTHORIZED" }, { status: 401 }));
  await using good = new FakeHttp(() => Response.json(GO_STATS));
  const nodes = [hung, liar, other, closed, good].map(({ address }) => address);
  await using lookupd = lookupdOf(() => nodes);
  await withNsqadmin({ lookupdHttpAddresses: [lookupd.address] }, async (admin) => {
    const { rows } = await pageAt(admin, "/cluster");

    const causes = nodes.map((address) => rows.find(([name]) => name === `nsqd ${address}`)?.[3] ?? "none");
    assertEquals(causes.map((cause) => cause.split(/[,:]/)[0]), [
      "It takes connections",
      "What answers there does not answer as NSQ does",
      "What answers there does not answer as NSQ does",
      "It wants a token",
      "none",
    ]);
  }, { waits: IMPATIENT });
});
