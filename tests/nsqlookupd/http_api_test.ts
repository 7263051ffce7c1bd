import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { FAKE_START_MS } from "../support/fake_clock.ts";
import { NODE } from "../support/lookup_frames.ts";
import { lookupTest, type NsqlookupdInMemory } from "../support/nsqlookupd_in_memory.ts";

const JSON_TYPE = "application/json; charset=utf-8";
const DONE = { status: 200, text: "" };
const LONG = "x".repeat(65);

function refusal(status: number, message: string) {
  return { status, type: JSON_TYPE, text: `{"message":"${message}"}` };
}

lookupTest("GET /ping answers OK as text", async (nsqlookupd) => {
  assertEquals(await nsqlookupd.request("GET", "/ping"), {
    status: 200,
    type: "text/plain; charset=utf-8",
    text: "OK",
  });
});

lookupTest(
  "GET /health/live and /health/ready say that it is there, without a line in the log",
  async (nsqlookupd) => {
    const before = nsqlookupd.lines.length;

    assertEquals(await nsqlookupd.request("GET", "/health/live"), {
      status: 200,
      type: JSON_TYPE,
      text: '{"live":true}',
    });
    assertEquals(await nsqlookupd.request("GET", "/health/ready"), {
      status: 200,
      type: JSON_TYPE,
      text: '{"ready":true,"state":"running","reasons":[]}',
    });
    assertEquals(nsqlookupd.lines.length, before);
  },
);

lookupTest("GET /info tells the version", async (nsqlookupd) => {
  assertEquals(await nsqlookupd.request("GET", "/info"), {
    status: 200,
    type: JSON_TYPE,
    text: '{"version":"1.3.0"}',
  });
});

lookupTest("An nsqlookupd that knows nothing answers with empty lists", async (nsqlookupd) => {
  const texts = await Promise.all(
    ["/topics", "/nodes", "/channels?topic=t", "/debug"].map((path) => nsqlookupd.request("GET", path)),
  );

  assertEquals(texts.map(({ text }) => text), ['{"topics":[]}', '{"producers":[]}', '{"channels":[]}', "{}"]);
});

lookupTest("GET /lookup, /channels, /topics and /nodes tell what is registered", async (nsqlookupd) => {
  await nsqlookupd.node({}, "t c", "u");
  const producer = { ...NODE, remote_address: "127.0.0.1:5001", topology_zone: "", topology_region: "" };

  assertEquals(await nsqlookupd.json("/lookup?topic=t"), { channels: ["c"], producers: [producer] });
  assertEquals(await nsqlookupd.json("/channels?topic=t"), { channels: ["c"] });
  assertEquals(await nsqlookupd.json("/topics"), { topics: ["t", "u"] });
  assertEquals(await nsqlookupd.json("/nodes"), {
    producers: [{ ...producer, tombstones: [false, false], topics: ["t", "u"] }],
  });
});

const REFUSED: readonly [method: string, target: string, status: number, message: string][] = [
  ["GET", "/lookup", 400, "MISSING_ARG_TOPIC"],
  ["GET", "/lookup?topic=never", 404, "TOPIC_NOT_FOUND"],
  ["GET", "/lookup?topic=%zz", 400, "INVALID_REQUEST"],
  ["GET", "/lookup?topic=a;b", 400, "INVALID_REQUEST"],
  ["GET", "/channels", 400, "MISSING_ARG_TOPIC"],
  ["POST", "/topic/create", 400, "MISSING_ARG_TOPIC"],
  ["POST", "/topic/create?topic=", 400, "INVALID_ARG_TOPIC"],
  ["POST", "/topic/create?topic=b$d", 400, "INVALID_ARG_TOPIC"],
  ["POST", `/topic/create?topic=${LONG}`, 400, "INVALID_ARG_TOPIC"],
  ["POST", "/topic/create?topic=*", 400, "INVALID_ARG_TOPIC"],
  ["POST", "/topic/delete", 400, "MISSING_ARG_TOPIC"],
  ["POST", "/channel/create?channel=c", 400, "MISSING_ARG_TOPIC"],
  ["POST", "/channel/create?topic=t", 400, "MISSING_ARG_CHANNEL"],
  ["POST", "/channel/create?topic=b$d&channel=c", 400, "INVALID_ARG_TOPIC"],
  ["POST", "/channel/create?topic=t&channel=b$d", 400, "INVALID_ARG_CHANNEL"],
  ["POST", "/channel/delete?topic=t", 400, "MISSING_ARG_CHANNEL"],
  ["POST", "/channel/delete?topic=never&channel=c", 404, "CHANNEL_NOT_FOUND"],
  ["POST", "/channel/delete?topic=*&channel=c", 400, "INVALID_ARG_TOPIC"],
  ["POST", "/topic/tombstone?node=n", 400, "MISSING_ARG_TOPIC"],
  ["POST", "/topic/tombstone?topic=t", 400, "MISSING_ARG_NODE"],
  ["GET", "/nope", 404, "NOT_FOUND"],
  ["POST", "/topics", 405, "METHOD_NOT_ALLOWED"],
  ["GET", "/topic/create?topic=t", 405, "METHOD_NOT_ALLOWED"],
  ["PUT", "/debug/setblockrate?rate=1", 404, "NOT_FOUND"],
];

for (const [method, target, status, message] of REFUSED) {
  lookupTest(`${method} ${target.slice(0, 60)} is refused with ${message}`, async (nsqlookupd) => {
    assertEquals(await nsqlookupd.request(method, target), refusal(status, message));
  });
}

lookupTest("POST /topic/create makes a topic known, which survives its producers", async (nsqlookupd) => {
  assertEquals(await nsqlookupd.request("POST", "/topic/create?topic=t"), DONE);

  const client = await nsqlookupd.node({}, "t");
  await client.end();

  assertEquals(await nsqlookupd.json("/lookup?topic=t"), { channels: [], producers: [] });
  assert(nsqlookupd.lines.includes("INFO: DB: adding topic(t)"));
});

lookupTest("POST /channel/create makes a channel and its topic known", async (nsqlookupd) => {
  assertEquals(await nsqlookupd.request("POST", "/channel/create?topic=t&channel=c%23ephemeral"), DONE);

  assertEquals(await nsqlookupd.json("/lookup?topic=t"), { channels: ["c#ephemeral"], producers: [] });
});

lookupTest(
  "POST /topic/delete forgets a topic with its channels until a node registers it again",
  async (nsqlookupd) => {
    const client = await nsqlookupd.node({}, "t c", "u d");
    nsqlookupd.newLines();

    assertEquals(await nsqlookupd.request("POST", "/topic/delete?topic=t"), DONE);
    assertEquals(nsqlookupd.newLines().slice(0, 2), [
      "INFO: DB: removing channel(c) from topic(t)",
      "INFO: DB: removing topic(t)",
    ]);
    const gone = [await nsqlookupd.json("/topics"), await nsqlookupd.json("/channels?topic=t")];
    await client.send("REGISTER t\n");

    assertEquals(gone, [{ topics: ["u"] }, { channels: [] }]);
    assertEquals(await nsqlookupd.json("/lookup?topic=t") as unknown, {
      channels: [],
      producers: [{ remote_address: "127.0.0.1:5001", ...NODE, topology_zone: "", topology_region: "" }],
    });
  },
);

lookupTest("POST /topic/delete of what is not known is done already", async (nsqlookupd) => {
  assertEquals(await nsqlookupd.request("POST", "/topic/delete?topic=b$d"), DONE);
});

lookupTest("POST /topic/delete of * forgets every topic", async (nsqlookupd) => {
  await nsqlookupd.node({}, "t c", "u");

  assertEquals(await nsqlookupd.request("POST", "/topic/delete?topic=*"), DONE);

  assertEquals(await nsqlookupd.json("/topics"), { topics: [] });
});

lookupTest("POST /channel/delete forgets a channel alone", async (nsqlookupd) => {
  await nsqlookupd.node({}, "t c", "t d");

  assertEquals(await nsqlookupd.request("POST", "/channel/delete?topic=t&channel=c"), DONE);

  assertEquals(await nsqlookupd.json("/channels?topic=t"), { channels: ["d"] });
  assertEquals(await nsqlookupd.producersOf("t"), ["addr1"]);
});

// Tombstones

/** What `/nodes` tells of the first node: its topics, those with a tombstone in brackets. */
async function firstNode(nsqlookupd: NsqlookupdInMemory): Promise<string[]> {
  const { producers } = await nsqlookupd.json("/nodes") as {
    producers: { topics: string[]; tombstones: boolean[] }[];
  };
  const { topics, tombstones } = producers[0];
  return topics.map((topic, index) => tombstones[index] ? `(${topic})` : topic);
}

lookupTest(
  "POST /topic/tombstone hides a node of one topic for the lifetime, and /nodes tells it",
  async (nsqlookupd) => {
    await nsqlookupd.node({ broadcast_address: "a" }, "t c", "u");
    await nsqlookupd.node({ broadcast_address: "b" }, "t");

    assertEquals(await nsqlookupd.request("POST", "/topic/tombstone?topic=t&node=a:4151"), DONE);

    assertEquals([await nsqlookupd.producersOf("t"), await nsqlookupd.producersOf("u")], [["b"], ["a"]]);
    assertEquals(await firstNode(nsqlookupd), ["(t)", "u"]);
    await nsqlookupd.pass(44_999);
    assertEquals(await nsqlookupd.producersOf("t"), ["b"]);
    await nsqlookupd.pass(1);
    assertEquals(await nsqlookupd.producersOf("t"), ["a", "b"]);
    assertEquals(await firstNode(nsqlookupd), ["t", "u"]);
  },
);

lookupTest("POST /topic/tombstone ends when the node registers the topic anew", async (nsqlookupd) => {
  const client = await nsqlookupd.node({}, "t c");
  await nsqlookupd.request("POST", "/topic/tombstone?topic=t&node=addr1:4151");

  await client.send("REGISTER t c\n", "PING\n");
  const still = await nsqlookupd.producersOf("t");
  await client.send("UNREGISTER t\nREGISTER t\n");

  assertEquals([still, await nsqlookupd.producersOf("t")], [[], ["addr1"]]);
});

lookupTest("POST /topic/tombstone for an unknown topic or node does nothing", async (nsqlookupd) => {
  await nsqlookupd.node({}, "t");

  assertEquals(await nsqlookupd.request("POST", "/topic/tombstone?topic=t&node=addr1:1"), DONE);
  assertEquals(await nsqlookupd.request("POST", "/topic/tombstone?topic=x&node=addr1:4151"), DONE);

  assertEquals(await nsqlookupd.producersOf("t"), ["addr1"]);
});

lookupTest("POST /topic/tombstone lets no client write log lines of its own", async (nsqlookupd) => {
  await nsqlookupd.request("POST", "/topic/tombstone?topic=t%0Ax&node=n%0Ay");

  assert(nsqlookupd.lines.includes("INFO: DB: setting tombstone for producer@n\\x0ay of topic(t\\x0ax)"));
});

// Inactive producers

lookupTest("A node that does not ping in time is not told of, until it does", async (nsqlookupd) => {
  const client = await nsqlookupd.node({}, "t");
  const told = async () => [await nsqlookupd.producersOf("t"), (await firstNodes(nsqlookupd)).length];

  await nsqlookupd.pass(300_000);
  const last = await told();
  await nsqlookupd.pass(1);
  const silent = await told();
  // Registering does not count.
  await client.send("REGISTER t c\n");
  const registered = await told();
  await client.send("PING\n");

  assertEquals([last, silent, registered, await told()], [[["addr1"], 1], [[], 0], [[], 0], [["addr1"], 1]]);
  assertEquals(await nsqlookupd.json("/topics"), { topics: ["t"] });
});

async function firstNodes(nsqlookupd: NsqlookupdInMemory): Promise<unknown[]> {
  return (await nsqlookupd.json("/nodes") as { producers: unknown[] }).producers;
}

// Debug

lookupTest("GET /debug tells everything that has a producer", async (nsqlookupd) => {
  await nsqlookupd.node({ topology_zone: "z" }, "t c");
  await nsqlookupd.request("POST", "/topic/create?topic=bare");
  nsqlookupd.clock.advance(1000);
  await nsqlookupd.request("POST", "/topic/tombstone?topic=t&node=addr1:4151");

  const producer = {
    ...NODE,
    id: "127.0.0.1:5001",
    last_update: FAKE_START_MS * 1e6,
    topology_zone: "z",
    topology_region: "",
    tombstoned: false,
    tombstoned_at: -6795364578871345000,
  };
  assertEquals(await nsqlookupd.json("/debug"), {
    "client::": [producer],
    "topic:t:": [{ ...producer, tombstoned: true, tombstoned_at: (FAKE_START_MS + 1000) * 1e6 }],
    "channel:t:c": [producer],
  });
});

lookupTest("GET /debug/pprof lists the pages, and /goroutine names the tasks", async (nsqlookupd) => {
  const index = await nsqlookupd.request("GET", "/debug/pprof");
  const tasks = await nsqlookupd.request("GET", "/debug/pprof/goroutine");

  assertStringIncludes(index.text, "heap          use of memory, as JSON\n");
  assertEquals(tasks.text, "tasks: 2\ntcpServer\nhttpServer\n");
});

lookupTest("GET of the debug pages leaves no line in the log, of others it does", async (nsqlookupd) => {
  await nsqlookupd.request("GET", "/debug/pprof/heap");
  await nsqlookupd.request("GET", "/topics?x=1");

  assertEquals(nsqlookupd.lines.map((line) => line.replace(/\) .*/, ")")), [
    "INFO: 200 GET /topics?x=1 (127.0.0.1:1234)",
  ]);
});

lookupTest("GET /metrics counts what nsqlookupd knows", async (lookupd) => {
  await lookupd.node({ broadcast_address: "a" }, "t c", "t d", "u");

  const { status, type, text } = await lookupd.request("GET", "/metrics");

  assertEquals([status, type], [200, "text/plain; version=0.0.4; charset=utf-8"]);
  assertEquals(
    text.split("\n").filter((line) => /^nsqlookupd_(topics|channels|producers|connected|refused)/.test(line)),
    [
      "nsqlookupd_topics 2",
      "nsqlookupd_channels 2",
      "nsqlookupd_producers 1",
      "nsqlookupd_connected_clients 1",
      'nsqlookupd_refused_connections_total{protocol="tcp"} 0',
      'nsqlookupd_refused_connections_total{protocol="http"} 0',
    ],
  );
});
