import type { ConnectionOptions } from "node:tls";
import { assertEquals, assertLessOrEqual, assertMatch, assertRejects } from "@std/assert";
import { type Connection, DenoConnection, UnreadConnection, writeAll } from "../../src/net/connection.ts";
import { DeflateConnection } from "../../src/net/deflate.ts";
import { SnappyConnection } from "../../src/net/snappy.ts";
import { TlsServer } from "../../src/net/tls_server.ts";
import type { TlsServerOptions } from "../../src/tls/acceptor.ts";
import { type Certificates, certificateTest } from "../support/certificates.ts";
import { bytesOf, textOf } from "../support/frames.ts";
import { clientTls } from "../support/layered_client.ts";
import { MemoryConnection } from "../support/memory_connection.ts";
import { settle } from "../support/nsqd_in_memory.ts";
import { Random } from "../support/random.ts";

const MIB = 2 ** 20;
/** Bytes that are read at once from the connection below. */
const READ_SIZE = 64 * 1024;

/** The two ends of a connection. */
interface Ends<T> {
  readonly near: T;
  readonly far: T;
}

/** The two ends of a TCP connection. */
interface TcpEnds extends Ends<DenoConnection> {
  /** What is below the far end. */
  readonly socket: Deno.TcpConn;
}

/** A test with a TCP connection, both ends of which are closed afterwards. */
function tlsTest(name: string, test: (made: Certificates, ends: TcpEnds) => Promise<void>): void {
  certificateTest(name, async (made) => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { hostname, port } = listener.addr as Deno.NetAddr;
    const [near, far] = await Promise.all([listener.accept(), Deno.connect({ hostname, port })]);
    const ends = { near: new DenoConnection(near), far: new DenoConnection(far), socket: far };
    try {
      await test(made, ends);
    } finally {
      ends.near.close();
      closeSocket(far);
      await settle();
    }
  });
}

function closeSocket(socket: Deno.TcpConn): void {
  try {
    socket.close();
  } catch (error) {
    // The test has closed it, or it has become a TLS connection.
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

function serverOf({ server, ca }: Certificates, options: Partial<TlsServerOptions> = {}): TlsServer {
  const { cert, key } = server;
  return new TlsServer({ cert, key, rootCa: ca.cert, clientAuth: "none", minVersion: "TLSv1.2", ...options });
}

/** Both ends, upgraded. */
async function upgraded(
  made: Certificates,
  { near, far }: Ends<Connection>,
  options: ConnectionOptions = {},
): Promise<Ends<Connection>> {
  const [server, client] = await Promise.all([
    serverOf(made).upgrade(near),
    clientTls(far, { ca: made.ca.cert, ...options }),
  ]);
  return { near: server.connection, far: client };
}

/** The next `length` bytes, or fewer at the end. */
async function read(connection: Connection, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let end = 0;
  while (end < length) {
    const count = await connection.read(bytes.subarray(end));
    if (count === null) break;
    end += count;
  }
  return bytes.subarray(0, end);
}

/** A fatal alert before anything is agreed on. */
const DECODE_ERROR = Uint8Array.of(21, 3, 3, 0, 2, 2, 50);

// The handshake

for (
  const [version, cipherSuite] of [["TLSv1.2", /^TLS_ECDHE_ECDSA_WITH_/], ["TLSv1.3", /^TLS_AES_/]] as const
) {
  tlsTest(`TlsServer.upgrade() speaks ${version}, and says so in Go's words`, async (made, { near, far }) => {
    const [{ connection, state }, client] = await Promise.all([
      serverOf(made).upgrade(near),
      clientTls(far, { ca: made.ca.cert, maxVersion: version }),
    ]);

    assertEquals(state.version, version.replace("v", ""));
    assertMatch(state.cipherSuite, cipherSuite);
    assertEquals([state.commonName, connection.peer], ["", near.peer]);
    client.close();
    connection.close();
  });
}

tlsTest("TlsServer.upgrade() takes what was read before as the beginning", async (made, { near, far }) => {
  const client = clientTls(far, { ca: made.ca.cert });
  const buffer = new Uint8Array(100);
  const count = await near.read(buffer) ?? 0;

  const { connection } = await serverOf(made).upgrade(new UnreadConnection(near, buffer.subarray(0, count)));

  await connection.write(bytesOf("OK"));
  assertEquals(textOf(await read(await client, 2)), "OK");
  connection.close();
  (await client).close();
});

tlsTest(
  "TlsServer.upgrade() fails with what is no TLS, with an alert, and closes the connection",
  async (made, ends) => {
    await ends.far.write(bytesOf("PUB topic\n, and more than a record's header"));

    await assertRejects(() => serverOf(made).upgrade(ends.near), Error, "corrupt message");

    assertEquals(await read(ends.far, 100), DECODE_ERROR);
  },
);

tlsTest("TlsServer.upgrade() fails when the client goes in the middle", async (made, { near, far }) => {
  await far.write(Uint8Array.of(0x16, 3, 1, 2, 0));
  const failed = assertRejects(
    () => serverOf(made).upgrade(near),
    Error,
    "tls: connection closed in the handshake",
  );
  await settle();

  far.close();

  await failed;
  await settle();
  await assertRejects(() => near.read(new Uint8Array(1)), Deno.errors.BadResource);
});

tlsTest(
  "TlsServer.upgrade() fails when we close the connection in the middle",
  async (made, { near, far }) => {
    await far.write(Uint8Array.of(0x16, 3, 1, 2, 0));
    const failed = assertRejects(() => serverOf(made).upgrade(near));
    await settle();

    near.close();

    await failed;
    assertEquals(await far.read(new Uint8Array(100)), null);
  },
);

tlsTest("TlsServer.upgrade() fails when the handshake takes too long", async (made, { near, far }) => {
  const { setTimeout } = globalThis;
  let pass: (() => void) | undefined;
  globalThis.setTimeout = ((call: () => void, ms: number) => {
    if (ms !== 5000) return setTimeout(call, ms);
    pass = call;
    return 0;
  }) as typeof setTimeout;
  try {
    const failed = assertRejects(() => serverOf(made).upgrade(near), Error, "tls: handshake timeout");
    await far.write(Uint8Array.of(0x16, 3, 1, 2, 0));
    await settle();

    pass?.();

    await failed;
  } finally {
    globalThis.setTimeout = setTimeout;
  }
  assertEquals(await far.read(new Uint8Array(100)), null);
});

tlsTest("TlsServer.upgrade() refuses TLS 1.2 when the least is 1.3", async (made, { near, far }) => {
  const client = clientTls(far, { ca: made.ca.cert, maxVersion: "TLSv1.2" });
  const failed = assertRejects(() => client);

  await assertRejects(() => serverOf(made, { minVersion: "TLSv1.3" }).upgrade(near), Error, "incompatible");

  await failed;
});

// Clients' certificates

const POLICIES: readonly (readonly [
  clientAuth: "none" | "require" | "require-verify",
  who: "client" | "stranger" | "nobody",
  /** The common name, or why the client is refused. */
  result: string,
])[] = [
  ["none", "nobody", ""],
  ["none", "client", ""],
  ["require", "client", "denosq-client"],
  ["require", "stranger", "stranger"],
  ["require", "nobody", "tls: client didn't provide a certificate"],
  ["require-verify", "client", "denosq-client"],
  [
    "require-verify",
    "stranger",
    "tls: failed to verify certificate: x509: certificate signed by unknown authority",
  ],
  ["require-verify", "nobody", "tls: client didn't provide a certificate"],
];

for (const [clientAuth, who, result] of POLICIES) {
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    const refused = result.includes(" ");
    const name = `TlsServer.upgrade() with policy ${clientAuth} ${refused ? "refuses" : "takes"} ${who}`;
    tlsTest(`${name} (${maxVersion})`, async (made, { near, far }) => {
      const shown = who === "nobody" ? {} : { cert: made[who].cert, key: made[who].key };
      const client = clientTls(far, { ca: made.ca.cert, maxVersion, ...shown });
      // In TLS 1.3 a client learns that it is refused after the handshake.
      const connecting = Promise.allSettled([client]);

      const seen = await serverOf(made, { clientAuth }).upgrade(near).then(
        ({ connection, state, refusal }) => (connection.close(), refusal ?? state.commonName),
        (error) => error.message,
      );

      assertEquals(seen, result);
      const [{ status }] = await connecting;
      if (status === "fulfilled") (await client).close();
    });
  }
}

// The connection

tlsTest("TlsServer carries large and tiny writes in both directions", async (made, ends) => {
  const { near, far } = await upgraded(made, ends);
  const random = new Random(1);
  const [toFar, toNear] = [random.bytes(MIB), random.bytes(MIB)];
  const send = async (connection: Connection, bytes: Uint8Array, sizeMax: number) => {
    for (const part of random.chunks(bytes, sizeMax)) await writeAll(connection, part);
  };

  const [atFar, atNear] = await Promise.all([
    read(far, MIB),
    read(near, MIB),
    send(near, toFar.subarray(0, 2000), 3).then(() => send(near, toFar.subarray(2000), 300_000)),
    send(far, toNear, 30_000),
  ]);

  assertEquals([atFar, atNear], [toFar, toNear]);
  far.close();
  near.close();
});

for (const [name, layer] of [["deflate", deflated], ["snappy", snappied]] as const) {
  tlsTest(
    `TlsServer with ${name} on it carries large and tiny writes in both directions`,
    async (made, ends) => {
      const tls = await upgraded(made, ends);
      const [near, far] = [layer(tls.near), layer(tls.far)];
      const random = new Random(2);
      const bodies = [random.bytes(300_000), random.bytes(300_000).map((byte) => byte % 5)];
      const send = async (connection: Connection, bytes: Uint8Array) => {
        for (const part of random.chunks(bytes.subarray(0, 500), 2)) await writeAll(connection, part);
        for (const part of random.chunks(bytes.subarray(500), 200_000)) await writeAll(connection, part);
      };

      const [atFar, atNear] = await Promise.all([
        read(far, 300_000),
        read(near, 300_000),
        send(near, bodies[0]),
        send(far, bodies[1]),
      ]);

      assertEquals([atFar, atNear], bodies);
      far.close();
      assertEquals(await near.read(new Uint8Array(1)), null);
      near.close();
    },
  );
}

function deflated(connection: Connection): Connection {
  return new DeflateConnection(connection, 6);
}

function snappied(connection: Connection): Connection {
  return new SnappyConnection(connection);
}

/** An end of a connection in memory, which counts what is read from it. */
class JoinedConnection extends MemoryConnection {
  other: JoinedConnection | undefined;
  readBytes = 0;

  override async read(buffer: Uint8Array): Promise<number | null> {
    const count = await super.read(buffer);
    this.readBytes += count ?? 0;
    return count;
  }

  override async write(bytes: Uint8Array): Promise<number> {
    const count = await super.write(bytes);
    for (const part of this.written.splice(0)) this.other?.push(part);
    return count;
  }

  override close(): void {
    super.close();
    this.other?.end();
  }
}

certificateTest("TlsServer reads what a client sends as it is read itself, and no faster", async (made) => {
  const ends = { near: new JoinedConnection("far"), far: new JoinedConnection("near") };
  ends.near.other = ends.far;
  ends.far.other = ends.near;
  const { near, far } = await upgraded(made, ends);
  for (let i = 0; i < 100; i++) await writeAll(far, new Uint8Array(READ_SIZE));
  await settle();

  const before = ends.near.readBytes;
  await near.read(new Uint8Array(1));
  await settle();
  const stopped = ends.near.readBytes;
  const rest = await read(near, 100 * READ_SIZE - 1);

  assertLessOrEqual(before, READ_SIZE);
  assertLessOrEqual(stopped - before, 3 * READ_SIZE);
  assertEquals(rest.length, 100 * READ_SIZE - 1);
  far.close();
  near.close();
  await settle();
});

// The end

/** A client that tells a goodbye from a connection that was cut. */
async function strictClient({ ca }: Certificates, socket: Deno.TcpConn): Promise<Deno.TlsConn> {
  const client = await Deno.startTls(socket, { hostname: "localhost", caCerts: [ca.cert] });
  await client.handshake();
  return client;
}

tlsTest(
  "TlsServer's connection is at its end when the client says goodbye, and can still be written",
  async (made, ends) => {
    const upgrading = serverOf(made).upgrade(ends.near);
    using client = await strictClient(made, ends.socket);
    const { connection } = await upgrading;
    await client.closeWrite();

    assertEquals(await connection.read(new Uint8Array(1)), null);
    await connection.write(bytesOf("OK"));

    const buffer = new Uint8Array(10);
    assertEquals(textOf(buffer.slice(0, await client.read(buffer) ?? 0)), "OK");
    connection.close();
  },
);

tlsTest("TlsServer's connection says goodbye when it is closed", async (made, ends) => {
  const upgrading = serverOf(made).upgrade(ends.near);
  using client = await strictClient(made, ends.socket);
  const { connection } = await upgrading;
  await connection.write(bytesOf("E_INVALID"));

  connection.close();

  const buffer = new Uint8Array(10);
  assertEquals(textOf(buffer.slice(0, await client.read(buffer) ?? 0)), "E_INVALID");
  assertEquals(await client.read(buffer), null);
  await assertRejects(() => ends.near.read(buffer), Deno.errors.BadResource);
});

tlsTest("TlsServer's connection ends when the client vanishes while it is read", async (made, ends) => {
  const { near, far } = await upgraded(made, ends);
  const ended = Promise.allSettled([near.read(new Uint8Array(1))]);

  ends.far.close();

  await ended;
  // The first write finds out.
  await assertRejects(async () => {
    for (let writes = 0; writes < 1000; writes++) {
      await near.write(new Uint8Array(1));
      await settle();
    }
  });
  near.close();
  far.close();
});

tlsTest("TlsServer's connection fails when the client vanishes while it is written", async (made, ends) => {
  const { near, far } = await upgraded(made, ends);
  // Until the client's buffers are full: then a write is under way when it vanishes.
  let writes = 0;
  const writing = assertRejects(async () => {
    for (; writes < 10_000; writes++) await writeAll(near, new Uint8Array(READ_SIZE));
  });
  while (writes === 0) await settle();

  ends.far.close();

  await writing;
  assertLessOrEqual(writes, 1000);
  near.close();
  far.close();
});

tlsTest("TlsServer's connection ends a write that is not read, when it is closed", async (made, ends) => {
  const { near, far } = await upgraded(made, ends);
  const writing = assertRejects(async () => {
    for (let writes = 0; writes < 10_000; writes++) await writeAll(near, new Uint8Array(READ_SIZE));
  });
  await settle();

  near.close();

  await writing;
  far.close();
});
