import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { i32, join } from "../support/frames.ts";
import { identifyNode, LOOKUP_MAGIC, NODE } from "../support/lookup_frames.ts";
import { lookupTest } from "../support/nsqlookupd_in_memory.ts";
import { Random } from "../support/random.ts";
import { settle } from "../support/settle.ts";

const ANSWER = '{"broadcast_address":"broadcast.example","hostname":"lookup.example","http_port":4161,' +
  '"tcp_port":4160,"version":"1.3.0"}';

lookupTest("Session answers IDENTIFY with the ports, the host and the version", async (nsqlookupd) => {
  const client = await nsqlookupd.connect();

  assertEquals(await client.ask(identifyNode()), [ANSWER]);
});

lookupTest("Session answers PING before and after IDENTIFY", async (nsqlookupd) => {
  const client = await nsqlookupd.connect();

  assertEquals(await client.ask("PING\n", identifyNode(), "PING\n"), ["OK", ANSWER, "OK"]);
});

lookupTest(
  "Session answers the same, and knows the same, in whatever pieces bytes come",
  async (nsqlookupd) => {
    const bytes = join(identifyNode(), "REGISTER t c\nREGISTER u\nPING\nUNREGISTER t c\nWAT\nPING\n");
    const random = new Random(1);
    const cuts = [[bytes], Array.from(bytes, (byte) => Uint8Array.of(byte)), random.chunks(bytes, 20)];

    for (const chunks of cuts) {
      const client = await nsqlookupd.connect();
      for (const chunk of chunks) await client.send(chunk);

      assertEquals(client.answers(), [ANSWER, "OK", "OK", "OK", "OK", "E_INVALID invalid command WAT"]);
      assertEquals(client.connection.closed, true);
    }
    assertEquals(await nsqlookupd.json("/topics"), { topics: ["t", "u"] });
  },
);

lookupTest("Session registers under the connection's address", async (nsqlookupd) => {
  await nsqlookupd.node({ topology_zone: "z" }, "t c");

  assertEquals(await nsqlookupd.json("/lookup?topic=t"), {
    channels: ["c"],
    producers: [{ ...NODE, remote_address: "127.0.0.1:5001", topology_zone: "z", topology_region: "" }],
  });
});

lookupTest("Session takes two nodes with the same broadcast address for two", async (nsqlookupd) => {
  await nsqlookupd.node({}, "t");
  await nsqlookupd.node({}, "t");

  assertEquals(await nsqlookupd.producersOf("t"), ["addr1", "addr1"]);
});

lookupTest("Session ends its registrations with the connection, but not the names", async (nsqlookupd) => {
  const first = await nsqlookupd.node({ broadcast_address: "first" }, "t c", "u");
  await nsqlookupd.node({ broadcast_address: "second" }, "t c");

  await first.end();

  assertEquals([await nsqlookupd.producersOf("t"), await nsqlookupd.producersOf("u")], [["second"], []]);
  assertEquals(await nsqlookupd.json("/channels?topic=t"), { channels: ["c"] });
});

lookupTest("Session registers a node that comes back anew", async (nsqlookupd) => {
  const before = await nsqlookupd.node({}, "t c");
  await before.end();

  await nsqlookupd.node({}, "t c");

  assertEquals(await nsqlookupd.producersOf("t"), ["addr1"]);
});

lookupTest("Session forgets ephemeral names with the connection of the last node", async (nsqlookupd) => {
  const client = await nsqlookupd.node({}, "t c#ephemeral", "u#ephemeral c");

  await client.end();

  assertEquals(await nsqlookupd.json("/topics"), { topics: ["t"] });
  assertEquals(await nsqlookupd.json("/channels?topic=t"), { channels: [] });
});

lookupTest("Session logs as NSQ does", async (nsqlookupd) => {
  const client = await nsqlookupd.connect();
  const connected = nsqlookupd.newLines();
  await client.send(identifyNode(), "REGISTER t c\n", "REGISTER t c\n");
  const registered = nsqlookupd.newLines();
  nsqlookupd.clock.advance(15_000);
  await client.send("PING\n", "UNREGISTER t c\n", "REGISTER t d\n", "UNREGISTER t\n");
  const unregistered = nsqlookupd.newLines();
  await client.send("REGISTER t\n");
  nsqlookupd.newLines();
  await client.end();

  assertEquals(connected, [
    "INFO: TCP: new client(127.0.0.1:5001)",
    "INFO: CLIENT(127.0.0.1:5001): desired protocol magic '  V1'",
  ]);
  assertEquals(registered, [
    "INFO: CLIENT(127.0.0.1:5001): IDENTIFY Address:addr1 TCP:4150 HTTP:4151 Version:1.3.0",
    "INFO: DB: client(127.0.0.1:5001) REGISTER category:client key: subkey:",
    "INFO: DB: client(127.0.0.1:5001) REGISTER category:channel key:t subkey:c",
    "INFO: DB: client(127.0.0.1:5001) REGISTER category:topic key:t subkey:",
  ]);
  assertEquals(unregistered, [
    "INFO: CLIENT(127.0.0.1:5001): pinged (last ping 15s)",
    "INFO: DB: client(127.0.0.1:5001) UNREGISTER category:channel key:t subkey:c",
    "INFO: DB: client(127.0.0.1:5001) REGISTER category:channel key:t subkey:d",
    "WARNING: client(127.0.0.1:5001) unexpected UNREGISTER category:channel key:t subkey:d",
    "INFO: DB: client(127.0.0.1:5001) UNREGISTER category:topic key:t subkey:",
  ]);
  assertEquals(nsqlookupd.newLines(), [
    "INFO: PROTOCOL(V1): [127.0.0.1:5001] exiting ioloop",
    "INFO: DB: client(127.0.0.1:5001) UNREGISTER category:topic key:t subkey:",
    "INFO: DB: client(127.0.0.1:5001) UNREGISTER category:client key: subkey:",
    "ERROR: client(127.0.0.1:5001) - EOF",
  ]);
});

lookupTest("Session logs a refusal with its cause, which the client is not told", async (nsqlookupd) => {
  const client = await nsqlookupd.connect();
  nsqlookupd.newLines();

  const answers = await client.ask("IDENTIFY\n", i32(5), "nope!");

  assertEquals(answers, ["E_BAD_BODY IDENTIFY failed to decode JSON body"]);
  const [refused, ...others] = nsqlookupd.newLines();
  assert(refused.startsWith("ERROR: [127.0.0.1:5001] - E_BAD_BODY IDENTIFY failed to decode JSON body - "));
  assertEquals(others, [
    "INFO: PROTOCOL(V1): [127.0.0.1:5001] exiting ioloop",
    "ERROR: client(127.0.0.1:5001) - E_BAD_BODY IDENTIFY failed to decode JSON body",
  ]);
});

lookupTest("Session lets no client write log lines of its own", async (nsqlookupd) => {
  await nsqlookupd.node({ version: "1\nINFO: forged", broadcast_address: "\x1b[2Jcleared" });
  const client = await nsqlookupd.connect({ magic: "\n\n\n\n" });
  await client.done;
  const other = await nsqlookupd.connect();
  await other.send("WAT\x1b[2J\n");

  assertEquals(nsqlookupd.lines.filter((line) => /\p{Cc}/u.test(line)), []);
  assert(
    nsqlookupd.lines.some((line) =>
      line.endsWith("Address:\\x1b[2Jcleared TCP:4150 HTTP:4151 Version:1\\x0aINFO: forged")
    ),
  );
});

for (const magic of ["  V2", "GET ", "XXXX", "\0\0\0\0"]) {
  lookupTest(`Session refuses the magic ${JSON.stringify(magic)}`, async (nsqlookupd) => {
    const client = await nsqlookupd.connect({ magic });

    assertEquals(client.answers(), ["E_BAD_PROTOCOL"]);
    assertEquals([client.connection.closed, nsqlookupd.connections.size], [true, 0]);
  });
}

for (const [sent, reason] of [["", "EOF"], ["  V", "unexpected EOF"]]) {
  lookupTest(
    `Session ends without an answer when the magic is cut off after ${sent.length} bytes`,
    async (nsqlookupd) => {
      const client = await nsqlookupd.connect({ magic: sent });

      assertEquals(await client.end(), []);
      assertEquals(client.connection.closed, true);
      assertEquals(nsqlookupd.lines.at(-1), `ERROR: failed to read protocol version - ${reason}`);
    },
  );
}

// What would crash NSQ, or could.

for (const size of [-1, -(2 ** 31)]) {
  lookupTest(
    `Session refuses an IDENTIFY with a body size of ${size} and goes on with others`,
    async (nsqlookupd) => {
      const other = await nsqlookupd.node({}, "t");
      const client = await nsqlookupd.connect();

      assertEquals(await client.ask("IDENTIFY\n", i32(size)), [
        `E_BAD_BODY IDENTIFY invalid body size ${size}`,
      ]);
      assertEquals(client.connection.closed, true);
      assertEquals(await other.ask("PING\n"), ["OK"]);
    },
  );
}

lookupTest("Session carries out what came before a refusal, and nothing behind it", async (nsqlookupd) => {
  const client = await nsqlookupd.connect();

  const answers = await client.ask(identifyNode(), "REGISTER a\nREGISTER b$d\nREGISTER c\n");

  assertEquals(answers.slice(1), ["OK", "E_BAD_TOPIC REGISTER topic name 'b$d' is not valid"]);
  assertEquals(await nsqlookupd.json("/topics"), { topics: ["a"] });
  assertEquals(await nsqlookupd.producersOf("a"), []);
});

lookupTest("Session ends its registrations when answers cannot be written", async (nsqlookupd) => {
  const client = await nsqlookupd.node({}, "t");
  client.connection.write = () => Promise.reject(new Deno.errors.BrokenPipe("Broken pipe"));

  await client.send("PING\n");

  assertEquals(await nsqlookupd.producersOf("t"), []);
  assert(nsqlookupd.lines.includes("ERROR: client(127.0.0.1:5001) - failed to send response - Broken pipe"));
});

lookupTest("Session ends its registrations when reading fails", async (nsqlookupd) => {
  const client = await nsqlookupd.node({}, "t");
  client.connection.read = () => Promise.reject(new Deno.errors.ConnectionReset("Connection reset by peer"));

  await client.send("PING\n");
  await settle();

  assertEquals(await nsqlookupd.producersOf("t"), []);
  assert(nsqlookupd.lines.includes("ERROR: client(127.0.0.1:5001) - Connection reset by peer"));
});

lookupTest("Session takes the magic and commands that come in one packet", async (nsqlookupd) => {
  const client = await nsqlookupd.connect({ magic: "" });

  assertEquals(await client.ask(LOOKUP_MAGIC, identifyNode(), "REGISTER t\n"), [ANSWER, "OK"]);
});

lookupTest("Session registers 10,000 topics with 3 channels that are sent at once", async (nsqlookupd) => {
  nsqlookupd.logger.level = 4;
  const lines = Array.from({ length: 30_000 }, (_, i) => `REGISTER topic_${i % 10_000} channel_${i % 3}\n`);

  const client = await nsqlookupd.node({});
  for (let at = 0; at < lines.length; at += 1000) await client.send(...lines.slice(at, at + 1000));

  assertEquals(client.answers(), lines.map(() => "OK"));
  assertEquals(nsqlookupd.db.count, 10_000 + 30_000);
  await client.end();
  assertEquals(nsqlookupd.db.producers, []);
});

lookupTest("Session logs each registration that ends with a connection, however many", async (nsqlookupd) => {
  const topics = Array.from({ length: 2500 }, (_, i) => `t${i}`);
  const client = await nsqlookupd.node({}, ...topics);
  nsqlookupd.newLines();

  await client.end();
  // Others have their turn in between, also those who wait for a socket.
  await eventually("the session has ended", () => nsqlookupd.connections.size === 0);

  const lines = nsqlookupd.newLines();
  assertEquals(lines.filter((line) => line.includes("UNREGISTER category:topic")).length, 2500);
  assertEquals(lines.at(-1), "ERROR: client(127.0.0.1:5001) - EOF");
});
