import { assert, assertEquals, assertRejects } from "@std/assert";
import { encode } from "@std/msgpack";
import { SerfClient, type SerfEndpoint } from "../../src/cluster/serf_client.ts";
import { SerfError, type SerfEvent, type SerfMember } from "../../src/cluster/serf_records.ts";
import { FakeSerf, headBytes, memberRecord } from "../support/fake_serf.ts";
import { MemoryConnection } from "../support/memory_connection.ts";

/** A test with a client that is connected to a scripted agent, and closed afterwards. */
function serfTest(name: string, test: (serf: FakeSerf, client: SerfClient) => Promise<void>): void {
  Deno.test(name, async () => {
    const { serf, client } = await FakeSerf.connected();
    try {
      await test(serf, client);
    } finally {
      await client.close();
    }
  });
}

const TAGS = { role: "nsqd", tp: "4150" };
const MEMBER: SerfMember = {
  name: "a:4150",
  address: "127.0.0.1",
  port: 7946,
  tags: new Map(Object.entries(TAGS)),
  status: "alive",
};

Deno.test("SerfClient.over() says the version, and authenticates with the key", async () => {
  const { serf, client } = await FakeSerf.connected({ authKey: "secret" });

  // The requests themselves are checked by FakeSerf.connected().
  assertEquals(serf.connection.closed, false);

  await client.close();
});

Deno.test("SerfClient.over() closes the connection when the agent refuses the key", async () => {
  const serf = new FakeSerf();
  const client = SerfClient.over(serf.connection, "wrong");
  await serf.request();
  serf.answer(0);
  await serf.request();

  serf.answer(1, undefined, "Invalid authentication token");

  const error = await assertRejects(() => client, SerfError);
  assertEquals(error.message, 'Serf refuses "auth": Invalid authentication token');
  assertEquals(serf.connection.closed, true);
});

Deno.test("SerfClient.over() says so when what answers is not Serf", async () => {
  const connection = new MemoryConnection("web server");
  const client = SerfClient.over(connection, "");

  connection.push(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n"));

  const error = await assertRejects(() => client, SerfError);
  assertEquals(
    error.message,
    "The connection to Serf is lost: Serf sent something else in place of an answer",
  );
});

Deno.test("SerfClient.connect() says where there is no agent", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const endpoint: SerfEndpoint = { hostname: "127.0.0.1", port: listener.addr.port, authKey: "" };
  listener.close();

  const error = await assertRejects(() => SerfClient.connect(endpoint), SerfError);
  assert(error.message.startsWith(`Cannot connect to Serf at 127.0.0.1:${endpoint.port}: `), error.message);
});

serfTest("SerfClient.members() gives each member with its address and tags", async (serf, client) => {
  const members = client.members();
  assertEquals(await serf.request(), { command: "members", seq: 1, body: undefined });

  const mapped = [...new Array(10).fill(0), 255, 255, 10, 0, 0, 7];
  const ipv6 = [0x20, 1, 0x0d, 0xb8, ...new Array(11).fill(0), 1];
  serf.answer(1, {
    Members: [
      memberRecord("a:4150", { tags: TAGS }),
      memberRecord("b", { address: mapped, status: "failed" }),
      memberRecord("c", { address: ipv6, port: 1 }),
    ],
  });

  assertEquals(await members, [
    MEMBER,
    { name: "b", address: "10.0.0.7", port: 7946, tags: new Map(), status: "failed" },
    { name: "c", address: "2001:db8::1", port: 1, tags: new Map(), status: "alive" },
  ]);
});

serfTest("SerfClient.join() gives the number of nodes reached", async (serf, client) => {
  const joined = client.join(["10.0.0.1:7946", "b:7946"], { replay: true });
  assertEquals(await serf.request(), {
    command: "join",
    seq: 1,
    body: { Existing: ["10.0.0.1:7946", "b:7946"], Replay: true },
  });

  serf.answer(1, { Num: 2 });

  assertEquals(await joined, 2);
});

serfTest("SerfClient.join() throws what the agent says, in one line, and goes on", async (serf, client) => {
  const joined = client.join(["10.0.0.1:7946"], { replay: false });
  await serf.request();

  // As Serf does it: the body follows the refusal too.
  serf.answer(1, { Num: 0 }, "1 error occurred:\n\t* Failed to join 10.0.0.1\n\n");

  const error = await assertRejects(() => joined, SerfError);
  assertEquals(error.message, 'Serf refuses "join": 1 error occurred: * Failed to join 10.0.0.1');
  const members = client.members();
  await serf.request();
  serf.answer(2, { Members: [] });
  assertEquals(await members, []);
});

serfTest("SerfClient does not wait for a body after the demand to authenticate", async (serf, client) => {
  const members = client.members();
  await serf.request();

  serf.answer(1, undefined, "Authentication required");

  const error = await assertRejects(() => members, SerfError);
  assertEquals(error.message, 'Serf refuses "members": Authentication required');
});

serfTest("SerfClient sends events, tags, answers to queries, and the wish to leave", async (serf, client) => {
  const payload = new TextEncoder().encode("{}");
  const requests = [
    client.userEvent("topic+", payload),
    client.updateTags({ role: "nsqd" }, ["old"]),
    client.respond(7, payload),
    client.leave(),
  ];

  assertEquals(
    [await serf.request(), await serf.request(), await serf.request(), await serf.request()],
    [
      { command: "event", seq: 1, body: { Name: "topic+", Payload: payload, Coalesce: false } },
      { command: "tags", seq: 2, body: { Tags: { role: "nsqd" }, DeleteTags: ["old"] } },
      { command: "respond", seq: 3, body: { ID: 7, Payload: payload } },
      { command: "leave", seq: 4, body: undefined },
    ],
  );
  // Answers need not come in the order of the requests.
  for (const seq of [4, 2, 1, 3]) serf.answer(seq);
  assertEquals(await Promise.all(requests), [undefined, undefined, undefined, undefined]);
});

serfTest("SerfClient.stats() gives the groups of texts", async (serf, client) => {
  const stats = client.stats();
  await serf.request();

  serf.answer(1, { agent: { name: "a:4150" }, serf: { members: "2", failed: "0" }, event_handlers: {} });

  assertEquals(
    await stats,
    new Map([
      ["agent", new Map([["name", "a:4150"]])],
      ["serf", new Map([["members", "2"], ["failed", "0"]])],
      ["event_handlers", new Map()],
    ]),
  );
});

serfTest("SerfClient.events() gives events also while another request is waiting", async (serf, client) => {
  const events = await streamOf(serf, client);
  const members = client.members();
  await serf.request();
  const payload = Uint8Array.of(1, 2, 3);

  serf.answer(1, { Event: "member-join", Members: [memberRecord("a:4150", { tags: TAGS })] });
  serf.answer(2, { Members: [] });
  serf.answer(1, { Event: "user", LTime: 5, Name: "topic+", Payload: payload, Coalesce: false });
  serf.answer(1, { Event: "something new" });
  serf.answer(1, { Event: "query", ID: 9, LTime: 6, Name: "load", Payload: null });
  serf.connection.end();

  assertEquals(await members, []);
  assertEquals(await Array.fromAsync(events), [
    { type: "member-join", members: [MEMBER] },
    { type: "user", name: "topic+", payload },
    { type: "query", id: 9, name: "load", payload: new Uint8Array(0) },
  ]);
});

serfTest("SerfClient understands answers that arrive byte by byte", async (serf, client) => {
  const events = await streamOf(serf, client);
  const members = client.members();
  await serf.request();
  const answer = [
    headBytes(1),
    encode({ Event: "member-leave", Members: [memberRecord("a:4150", { tags: TAGS, status: "left" })] }),
    headBytes(2),
    encode({ Members: [memberRecord("a:4150", { tags: TAGS })] }),
  ];

  for (const byte of answer.flatMap((bytes) => [...bytes])) serf.send(Uint8Array.of(byte));

  assertEquals(await members, [MEMBER]);
  serf.connection.end();
  assertEquals(await Array.fromAsync(events), [
    { type: "member-leave", members: [{ ...MEMBER, status: "left" }] },
  ]);
});

serfTest("SerfClient.events() throws when the agent refuses the types, and goes on", async (serf, client) => {
  const events = client.events(["nonsense"]);
  assertEquals(await serf.request(), { command: "stream", seq: 1, body: { Type: "nonsense" } });

  serf.answer(1, undefined, "Invalid event filter");

  const error = await assertRejects(() => events, SerfError);
  assertEquals(error.message, 'Serf refuses "stream": Invalid event filter');
});

serfTest(
  "SerfClient ends requests and streams when the agent closes the connection",
  async (serf, client) => {
    const events = await streamOf(serf, client);
    const members = client.members();
    await serf.request();

    serf.connection.end();

    const error = await assertRejects(() => members, SerfError);
    assertEquals(error.message, "The connection to Serf is lost: the agent has closed it");
    assertEquals(await Array.fromAsync(events), []);
    await client.ended;
    assertEquals(client.failure?.message, error.message);
  },
);

Deno.test("SerfClient gives an agent that does not answer up after the time limit", async () => {
  const { client } = await FakeSerf.connected({ limits: { requestTimeoutMs: 20 } });

  const error = await assertRejects(() => client.members(), SerfError);

  assertEquals(error.message, 'Serf has not answered "members" within 20 ms');
  await client.ended;
});

Deno.test("SerfClient gives an agent that does not read up after the time limit", async () => {
  const { serf, client } = await FakeSerf.connected({ limits: { requestTimeoutMs: 20 } });
  serf.connection.hold();

  const error = await assertRejects(() => client.members(), SerfError);

  assertEquals(error.message, 'Serf has not answered "members" within 20 ms');
});

Deno.test("SerfClient ends the connection when too many events wait to be handled", async () => {
  const { serf, client } = await FakeSerf.connected({ limits: { eventsWaitingMax: 2 } });
  const events = await streamOf(serf, client);

  for (let i = 0; i < 3; i++) serf.answer(1, { Event: "user", Name: `${i}`, Payload: null });
  await client.ended;

  assertEquals(
    client.failure?.message,
    "The connection to Serf is lost: more than 2 events wait to be handled",
  );
  assertEquals((await Array.fromAsync(events)).length, 2);
});

Deno.test("SerfClient ends the connection at whatever the protocol does not allow", async () => {
  const cases: readonly (readonly [Uint8Array, string])[] = [
    [headBytes(99), "there is an answer to no request, number 99"],
    [encode([1]), "Serf sent something else in place of an answer"],
    [encode({ Seq: 1 }), "Serf sent a record without Error, or with another kind of it"],
    [Uint8Array.of(0xc1), "There are MessagePack values of type 0xc1, which have no meaning here"],
    [Uint8Array.of(0xdb, 0x7f, 0, 0, 0), "A MessagePack value has more than 16777216 bytes"],
  ];
  for (const [bytes, message] of cases) {
    const { serf, client } = await FakeSerf.connected();
    const members = client.members();
    await serf.request();

    serf.send(bytes);

    const error = await assertRejects(() => members, SerfError);
    assertEquals(error.message, `The connection to Serf is lost: ${message}`);
    await client.ended;
  }
});

Deno.test("SerfClient refuses records that lack what they must have, or have it of another type", async () => {
  const member = memberRecord("a") as Record<string, unknown>;
  const records: readonly unknown[] = [
    null,
    [],
    { Members: 1 },
    { Members: [1] },
    ...["Name", "Addr", "Port", "Status", "Tags"].map((name) => ({ Members: [{ ...member, [name]: true }] })),
    ...[-1, 65_536, 1.5, NaN, Infinity].map((Port) => ({ Members: [{ ...member, Port }] })),
  ];
  for (const record of records) {
    const { serf, client } = await FakeSerf.connected();
    const members = client.members();
    await serf.request();

    serf.answer(1, record as null);

    const error = await assertRejects(() => members, SerfError);
    assert(error.message.startsWith("Serf sent "), error.message);
    await client.close();
  }
});

serfTest("SerfClient fails every request after it has been closed", async (_serf, client) => {
  await client.close();

  const error = await assertRejects(() => client.members(), SerfError);
  assertEquals(error.message, "The connection to Serf is closed");
});

async function streamOf(serf: FakeSerf, client: SerfClient): Promise<AsyncIterable<SerfEvent>> {
  const events = client.events(["member-join", "user"]);
  const { seq, body } = await serf.request();
  assertEquals(body, { Type: "member-join,user" });
  serf.answer(seq);
  return await events;
}
