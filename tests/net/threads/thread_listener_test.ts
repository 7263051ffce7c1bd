import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { AsyncGroup } from "../../../src/base/async_group.ts";
import { LOG_LEVELS, Logger } from "../../../src/base/logger.ts";
import type { Address } from "../../../src/config/address.ts";
import type { ConnectionLimits } from "../../../src/net/admission.ts";
import { type Connection, isDisconnect, writeAll } from "../../../src/net/connection.ts";
import { putLayer } from "../../../src/net/layer.ts";
import { ConnectionListener, type ListenerClient } from "../../../src/net/listener.ts";
import { ThreadListener } from "../../../src/net/threads/thread_listener.ts";
import { TlsServer } from "../../../src/net/tls_server.ts";
import { certificateTest } from "../../support/certificates.ts";
import { eventually } from "../../support/eventually.ts";
import { bytesOf, textOf } from "../../support/frames.ts";
import { breakDown, withWorkers } from "../../support/io_thread_faults.ts";
import { freePort } from "../../support/ports.ts";

type TcpAddress = Extract<Address, { kind: "tcp" }>;
const ANY_PORT: TcpAddress = { kind: "tcp", hostname: "127.0.0.1", port: 0 };
const NO_LIMITS: ConnectionLimits = { max: 0, perAddressMax: 0 };
const MIB = 1024 * 1024;
const OUTPUT_MAX = MIB;

/** Sends back what comes, until the end. */
async function echo(connection: Connection): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  try {
    for (let count = await connection.read(buffer); count !== null; count = await connection.read(buffer)) {
      await writeAll(connection, buffer.slice(0, count));
    }
  } catch (error) {
    if (!isDisconnect(error)) throw error;
  } finally {
    connection.close();
  }
}

interface Given extends Partial<ListenerClient<Connection>> {
  readonly threads?: number;
  readonly limits?: ConnectionLimits;
  readonly address?: TcpAddress;
}

/** A listener with threads, which serves until the end, and what it logs. */
class Served implements AsyncDisposable {
  readonly lines: string[];
  readonly group = new AsyncGroup();
  readonly listener: ThreadListener;

  private constructor(listener: ThreadListener, logger: Logger, lines: string[], given: Given) {
    this.listener = listener;
    this.lines = lines;
    const client = { logger, name: "TCP", serve: echo, ...given };
    this.group.spawn("tcpServer", () => listener.serve(this.group, client));
  }

  static async start(given: Given = {}): Promise<Served> {
    const { threads = 2, limits = NO_LIMITS, address = ANY_PORT } = given;
    const lines: string[] = [];
    const logger = new Logger({
      prefix: "",
      level: LOG_LEVELS.info,
      write: (line) => lines.push(line.slice(27)),
    });
    const listener = await ThreadListener.start({ threads, logger, outputMax: OUTPUT_MAX });
    try {
      await listener.listen(address, limits);
    } catch (error) {
      listener.close();
      throw error;
    }
    return new Served(listener, logger, lines, given);
  }

  connect(hostname = "127.0.0.1"): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname, port: this.listener.port });
  }

  /** What comes back to a text over a connection of its own. */
  async ask(text: string): Promise<string> {
    using conn = await this.connect();
    return await say(conn, text);
  }

  /** The same, "" if nobody listens. */
  async askIfListening(text: string): Promise<string> {
    try {
      return await this.ask(text);
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionRefused) return "";
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.listener.close();
    await this.group.wait();
  }
}

/** Sends the text and returns as much as it is long of what comes back, less if the connection ends. */
async function say(conn: Deno.Conn, text: string): Promise<string> {
  try {
    await conn.write(bytesOf(text));
    return textOf(await readSome(conn, text.length));
  } catch (error) {
    if (isDisconnect(error)) return "";
    throw error;
  }
}

async function readSome(conn: Deno.Conn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let end = 0;
  while (end < length) {
    const count = await conn.read(bytes.subarray(end));
    if (count === null) break;
    end += count;
  }
  return bytes.subarray(0, end);
}

/** Waits until the assertions hold. */
function holds(what: string, assertions: () => unknown): Promise<true> {
  return eventually(what, async () => {
    await assertions();
    return true as const;
  });
}

/** True when the other side has ended the connection. */
async function hasEnded(conn: Deno.Conn): Promise<boolean> {
  try {
    return await conn.read(new Uint8Array(1)) === null;
  } catch (error) {
    if (isDisconnect(error)) return true;
    throw error;
  }
}

Deno.test("ThreadListener serves connections of all of its threads, each as a task named after its peer", async () => {
  await using served = await Served.start({ threads: 3 });

  const conns = await Promise.all(Array.from({ length: 30 }, () => served.connect()));
  const answers = await Promise.all(conns.map((conn, i) => say(conn, `hello ${i}`)));
  const peers = conns.map(({ localAddr }) => `connection 127.0.0.1:${(localAddr as Deno.NetAddr).port}`);
  const tasks = new Set(served.group.running);
  for (const conn of conns) conn.close();

  assertEquals(answers, conns.map((_, i) => `hello ${i}`));
  assertEquals(peers.filter((peer) => !tasks.has(peer)), []);
  await holds("none is left", () => assertEquals(served.listener.admission.count, 0));
});

Deno.test("ThreadListener.text and port say where it listens", async () => {
  await using served = await Served.start();

  assertEquals(served.listener.text, `127.0.0.1:${served.listener.port}`);
  assert(served.listener.port > 0);
});

for (const hostname of ["", "0.0.0.0", "::"]) {
  Deno.test(`ThreadListener on "${hostname}" listens on every address, and tells a peer of IPv4 as one`, async () => {
    await using served = await Served.start({ address: { kind: "tcp", hostname, port: 0 } });
    using v4 = await served.connect("127.0.0.1");
    using v6 = await served.connect("::1");

    assertEquals([await say(v4, "four"), await say(v6, "six")], ["four", "six"]);
    assertMatch(served.group.running.join(), /connection 127\.0\.0\.1:\d+/);
    assertMatch(served.group.running.join(), /connection \[::1\]:\d+/);
  });
}

Deno.test("ThreadListener.listen() throws when the port is in use, also by one with threads", async () => {
  await using served = await Served.start();
  const address: TcpAddress = { kind: "tcp", hostname: "127.0.0.1", port: served.listener.port };

  await assertRejects(() => Served.start({ address }), Deno.errors.AddrInUse);
});

Deno.test("ThreadListener.close() before it serves ends the threads and frees the port", async () => {
  const logger = new Logger({ prefix: "", level: LOG_LEVELS.info, write: () => {} });
  const listener = await ThreadListener.start({ threads: 2, logger, outputMax: OUTPUT_MAX });
  const address: TcpAddress = { kind: "tcp", hostname: "127.0.0.1", port: freePort() };
  await listener.listen(address);

  listener.close();
  listener.close();

  await eventually("the port is free", () => {
    try {
      new ConnectionListener(address).close();
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.AddrInUse) return false;
      throw error;
    }
  });
});

Deno.test("ThreadListener carries megabytes both ways at the same time, unchanged", async () => {
  await using served = await Served.start();
  using conn = await served.connect();
  const bytes = new Uint8Array(16 * MIB).map((_, i) => i * 31 ^ i >>> 9);

  const writing = (async () => {
    for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
    await conn.closeWrite();
  })();
  const back = await readSome(conn, bytes.length + 1);
  await writing;

  assertEquals(back.length, bytes.length);
  assert(back.every((byte, i) => byte === bytes[i]));
});

Deno.test("ThreadListener lets a session answer after the client has ended its side", async () => {
  const serve = async (connection: Connection) => {
    const buffer = new Uint8Array(100);
    let text = "";
    for (let count = await connection.read(buffer); count !== null; count = await connection.read(buffer)) {
      text += textOf(buffer.subarray(0, count));
    }
    await writeAll(connection, bytesOf(`all of ${text}`));
    connection.close();
  };
  await using served = await Served.start({ serve });
  using conn = await served.connect();

  await conn.write(bytesOf("it"));
  await conn.closeWrite();

  assertEquals(textOf(await readSome(conn, 100)), "all of it");
});

Deno.test("ThreadListener delivers what was written before the session has closed the connection", async () => {
  const serve = async (connection: Connection) => {
    await writeAll(connection, new Uint8Array(MIB).fill(97));
    connection.close();
  };
  await using served = await Served.start({ serve });
  using conn = await served.connect();

  assertEquals((await readSome(conn, 2 * MIB)).length, MIB);
});

Deno.test("ThreadListener tells the session of a client that has reset the connection", async () => {
  const ends: string[] = [];
  const serve = async (connection: Connection) => {
    try {
      const buffer = new Uint8Array(100);
      for (;;) if (await connection.read(buffer) === null) return void ends.push("end");
    } catch (error) {
      ends.push(error instanceof Error ? error.name : "?");
    } finally {
      connection.close();
    }
  };
  await using served = await Served.start({ serve });
  const conn = await served.connect();
  await conn.write(bytesOf("x"));
  conn.close();

  await holds("the session ends", () => assertEquals(ends, ["end"]));
});

Deno.test("ThreadListener: one who does not read holds nobody else up, nor takes more than a window of memory", async () => {
  const written: number[] = [];
  const serve = async (connection: Connection) => {
    if (written.length > 0) return await echo(connection);
    written.push(0);
    const bytes = new Uint8Array(MIB);
    try {
      for (;;) written[0] += await connection.write(bytes);
    } catch (error) {
      if (!isDisconnect(error)) throw error;
    }
  };
  await using served = await Served.start({ threads: 1, serve });
  const slow = await served.connect();
  await holds("it is written to", () => assert(written[0] > 0));
  let last = -1;
  // Until the system takes no more for it.
  await holds("no more is taken", async () => {
    for (let i = 0; i < 20; i++) await served.ask("others");
    const stands = written[0] === last;
    last = written[0];
    assert(stands);
  });

  assertEquals(await served.ask("x".repeat(MIB)), "x".repeat(MIB));
  assertEquals(written[0], last);
  slow.close();
});

Deno.test("ThreadListener: a session that does not read holds nobody else up", async () => {
  const begun: Connection[] = [];
  const released = Promise.withResolvers<void>();
  const serve = async (connection: Connection) => {
    begun.push(connection);
    if (begun.length > 1) return await echo(connection);
    await connection.read(new Uint8Array(1));
    await released.promise;
    connection.close();
  };
  await using served = await Served.start({ threads: 1, serve });
  using flooding = await served.connect();
  let isFlooding = true;
  const flood = (async () => {
    const bytes = new Uint8Array(MIB);
    try {
      while (isFlooding) await flooding.write(bytes);
    } catch (error) {
      if (!isDisconnect(error)) throw error;
    }
  })();
  await holds("it is served", () => assertEquals(begun.length, 1));

  for (let i = 0; i < 50; i++) assertEquals(await served.ask(`others ${i}`), `others ${i}`);

  isFlooding = false;
  released.resolve();
  await flood;
});

Deno.test("ThreadListener counts the connections of all threads, and refuses what is beyond the limit", async () => {
  const errors: string[] = [];
  const onError = (code: string) => void errors.push(code);
  await using served = await Served.start({ limits: { max: 4, perAddressMax: 0 }, onError });
  const conns: Deno.TcpConn[] = [];
  for (let i = 0; i < 4; i++) {
    conns.push(await served.connect());
    assertEquals(await say(conns[i], "in"), "in");
  }

  assertEquals(await served.ask("one too many"), "");

  assertEquals([served.listener.admission.count, served.listener.admission.refused], [4, 1]);
  assertEquals(errors, ["TCP_MAX_CONNECTIONS"]);
  assertEquals(served.lines.filter((line) => line.includes("refused client")).length, 1);
  conns[0].close();
  await holds("there is room again", async () => assertEquals(await served.ask("in again"), "in again"));
  for (const conn of conns.slice(1)) conn.close();
});

Deno.test("ThreadListener refuses connections of an address beyond its limit", async () => {
  await using served = await Served.start({ limits: { max: 0, perAddressMax: 1 } });
  using first = await served.connect();
  assertEquals(await say(first, "in"), "in");

  assertEquals(await served.ask("second"), "");
});

Deno.test("ThreadListener serves thousands of connections one after the other, and none is left", async () => {
  await using served = await Served.start();

  for (let round = 0; round < 40; round++) {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => served.ask(`${round} ${i}`)));
    assertEquals(answers, answers.map((_, i) => `${round} ${i}`));
  }

  await holds("none is left", () => assertEquals(served.listener.admission.count, 0));
  assertEquals(served.group.running, ["tcpServer"]);
});

Deno.test("ThreadListener.close() ends when the sessions do, whatever they were at", async () => {
  const sessions: Connection[] = [];
  const serve = (connection: Connection) => {
    sessions.push(connection);
    return echo(connection);
  };
  const address: TcpAddress = { kind: "tcp", hostname: "127.0.0.1", port: freePort() };
  const served = await Served.start({ serve, address });
  const conns = await Promise.all(Array.from({ length: 10 }, () => served.connect()));
  await holds("all are served", () => assertEquals(sessions.length, 10));
  // Nobody reads what comes back to it.
  await conns[0].write(new Uint8Array(MIB));

  served.listener.close();
  for (const session of sessions) session.close();
  await served.group.wait();

  for (const conn of conns.slice(1)) {
    assert(await hasEnded(conn));
    conn.close();
  }
  conns[0].close();
  await assertRejects(() => served.connect());
});

Deno.test("ThreadListener: a thread that ends takes its connections with it, and another takes its place", async () => {
  const errors: string[] = [];
  const serve = async (connection: Connection) => {
    try {
      const buffer = new Uint8Array(100);
      for (let count = await connection.read(buffer); count !== null; count = await connection.read(buffer)) {
        await writeAll(connection, buffer.slice(0, count));
      }
    } catch (error) {
      errors.push(error instanceof Error ? error.name : "?");
    } finally {
      connection.close();
    }
  };
  await withWorkers(async (workers) => {
    await using served = await Served.start({ serve });
    const conns = await Promise.all(Array.from({ length: 20 }, () => served.connect()));
    for (const conn of conns) assertEquals(await say(conn, "before"), "before");

    breakDown(workers[0]);
    await holds("sessions are told", () => assert(errors.length > 0));
    const after = await Promise.all(conns.map((conn) => say(conn, "after")));
    const lost = after.filter((answer) => answer === "").length;

    assert(lost > 0 && lost < 20, `${lost} of 20 are lost`);
    assertEquals(after.filter((answer) => answer === "after").length, 20 - lost);
    assertEquals(errors, Array(lost).fill("ConnectionReset"));
    await holds("they are counted out", () => assertEquals(served.listener.admission.count, 20 - lost));
    assertMatch(served.lines.join("\n"), /ERROR: TCP: an I\/O thread has ended, with its connections/);
    // What serves when the other one has ended as well, has been started since.
    await holds("another is started", () => assertEquals(workers.length, 3));
    breakDown(workers[1]);
    await holds("it serves", async () => assertEquals(await served.askIfListening("again"), "again"));
    for (const conn of conns) conn.close();
  });
});

certificateTest(
  "ThreadListener has the certificate before, where a thread has not heard of it yet",
  async (made) => {
    const { cert, key } = made.server;
    const serverOf = () =>
      new TlsServer({ cert, key, rootCa: undefined, clientAuth: "none", minVersion: "TLSv1.2" });
    const [before, inForce] = [serverOf(), serverOf()];
    /** Puts the layers on, one connection after the other. None of the peers speaks TLS. */
    const layer = async (...servers: TlsServer[]) => {
      const left = [...servers];
      let failures = 0;
      const serve = async (connection: Connection) => {
        const server = left.shift();
        if (server !== undefined) await putLayer(connection, { kind: "tls", server }).catch(() => failures++);
      };
      await using served = await Served.start({ threads: 1, serve });
      const conns = await Promise.all(servers.map(() => served.connect()));
      for (const conn of conns) await conn.write(bytesOf("no TLS, and more of it"));
      await holds("each is told so", () => assertEquals(failures, servers.length));
      for (const conn of conns) conn.close();
    };

    // Certificates are numbered as they come.
    await layer(before);
    await layer(inForce, before);
  },
);

Deno.test("ThreadListener can be closed while a thread that has ended is about to be started again", async () => {
  await withWorkers(async (workers) => {
    const served = await Served.start({ threads: 1 });

    breakDown(workers[0]);
    await holds("it is noticed", () => assertMatch(served.lines.join(), /I\/O thread has ended/));

    await served[Symbol.asyncDispose]();
  });
});

Deno.test("ThreadListener.listen() and serve() fail when a thread has ended meanwhile", async () => {
  for (const listens of [false, true]) {
    await withWorkers(async (workers) => {
      const logger = new Logger({ prefix: "", level: LOG_LEVELS.info, write: () => {} });
      const listener = await ThreadListener.start({ threads: 2, logger, outputMax: OUTPUT_MAX });
      if (listens) await listener.listen(ANY_PORT);
      const ended = new Promise((resolve) => workers[0].addEventListener("message", resolve));

      breakDown(workers[0]);
      await ended;

      const client = { logger, name: "TCP", serve: echo };
      await assertRejects(
        () => listens ? listener.serve(new AsyncGroup(), client) : listener.listen(ANY_PORT),
        Error,
        "an I/O thread has ended",
      );
      listener.close();
    });
  }
});

Deno.test("ThreadListener.start() fails when a thread cannot be started", async () => {
  const { Worker } = globalThis;
  globalThis.Worker = class extends Worker {
    constructor() {
      super("data:text/javascript,throw new Error('no thread')", { type: "module" });
    }
  };
  try {
    await assertRejects(() => Served.start(), Error, "no thread");
  } finally {
    globalThis.Worker = Worker;
  }
});

Deno.test("ThreadListener tries again when another thread cannot be started, and says why", async () => {
  await withWorkers(async (workers) => {
    await using served = await Served.start({ threads: 1 });
    const { Worker } = globalThis;
    globalThis.Worker = class extends Worker {
      constructor(...[url, options]: ConstructorParameters<typeof Worker>) {
        super(workers.length === 1 ? "data:text/javascript,throw new Error('no thread')" : url, options);
      }
    };

    breakDown(workers[0]);

    await holds("it is told", () => {
      assertEquals(served.lines.map((line) => line.replace(/ - .*/, "")), [
        "ERROR: TCP: an I/O thread has ended, with its connections; another is started",
        "ERROR: TCP: an I/O thread cannot start, and is tried again",
      ]);
    });
    await holds("it serves again", async () => assertEquals(await served.askIfListening("again"), "again"));
    assertMatch(served.lines[1], / - Uncaught .*Error: no thread$/);
  });
});

Deno.test("ThreadListener.collectGarbage() leaves threads as they are", async () => {
  await using served = await Served.start({ threads: 1 });
  const conns = await Promise.all(Array.from({ length: 10 }, () => served.connect()));
  for (const conn of conns) assertEquals(await say(conn, "before"), "before");

  served.listener.collectGarbage();

  for (const conn of conns) assertEquals(await say(conn, "after"), "after");
  for (const conn of conns) conn.close();
  assertEquals(served.lines, []);
});
