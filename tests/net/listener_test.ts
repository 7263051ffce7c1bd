import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { AsyncGroup } from "../../src/base/async_group.ts";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import type { Address } from "../../src/config/address.ts";
import type { Connection } from "../../src/net/connection.ts";
import { ConnectionListener, type ListenerClient, type ListenerOptions } from "../../src/net/listener.ts";
import { eventually } from "../support/eventually.ts";
import { bytesOf, textOf } from "../support/frames.ts";
import { freePort } from "../support/ports.ts";
import { settle } from "../support/settle.ts";

const ANY_PORT: Address = { kind: "tcp", hostname: "127.0.0.1", port: 0 };

/** Sends back the first bytes that come. */
async function echo(connection: Connection): Promise<void> {
  const buffer = new Uint8Array(100);
  const count = await connection.read(buffer);
  await connection.write(buffer.subarray(0, count ?? 0));
  connection.close();
}

/** A listener that serves until the end, and what it logs. */
class Served implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly group = new AsyncGroup();
  readonly listener: ConnectionListener;

  constructor(address: Address = ANY_PORT, given: ListenerOptions & Partial<ListenerClient> = {}) {
    const write = (line: string) => this.lines.push(line.slice(27));
    const logger = new Logger({ prefix: "", level: LOG_LEVELS.info, write });
    this.listener = new ConnectionListener(address, given);
    const client = { logger, name: "TCP", serve: echo, ...given };
    this.group.spawn("tcpServer", () => this.listener.serve(this.group, client));
  }

  get port(): number {
    return this.listener.port;
  }

  connect(hostname = "127.0.0.1"): Promise<Deno.Conn> {
    return Deno.connect({ hostname, port: this.port });
  }

  /** What comes back to a text. */
  async ask(text: string, hostname?: string): Promise<string> {
    return await ask(await this.connect(hostname), text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.listener.close();
    await this.group.wait();
  }
}

/** Sends the text and returns what comes back, "" if the connection is closed. */
async function ask(conn: Deno.Conn, text: string): Promise<string> {
  const buffer = new Uint8Array(100);
  try {
    await conn.write(bytesOf(text));
    return textOf(buffer.slice(0, await conn.read(buffer) ?? 0));
  } catch (error) {
    // It was closed before it had read what was sent.
    if (error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe) return "";
    throw error;
  } finally {
    conn.close();
  }
}

/** A folder for a socket, removed afterwards. */
async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "denosq_test_" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Lets `accept` of all listeners made in `use` stand before the runtime's, which is its argument. */
async function withAccept(
  accept: (real: () => Promise<Deno.Conn>) => Promise<Deno.Conn>,
  use: () => Promise<void>,
): Promise<void> {
  const listen = Deno.listen;
  try {
    // Running out of files for real would end the test as well.
    Deno.listen = ((options: Deno.TcpListenOptions) => {
      const real = listen(options);
      const acceptReal = real.accept.bind(real);
      real.accept = () => accept(acceptReal) as Promise<Deno.TcpConn>;
      return real;
    }) as typeof Deno.listen;
    await use();
  } finally {
    Deno.listen = listen;
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(`${code} (os error)`), { code });
}

Deno.test("ConnectionListener.serve() serves each connection as a task named after its peer", async () => {
  const names: string[] = [];
  const group: AsyncGroup[] = [];
  await using served = new Served(ANY_PORT, {
    serve: async (connection) => {
      await connection.read(new Uint8Array(100));
      names.push(...group[0].running);
      await connection.write(bytesOf("hello"));
      connection.close();
    },
  });
  group.push(served.group);

  assertEquals(await served.ask("hello"), "hello");
  assertEquals(names.length, 2);
  assertEquals(names[0], "tcpServer");
  assertMatch(names[1], /^connection 127\.0\.0\.1:\d+$/);
});

Deno.test("ConnectionListener.serve() serves connections at the same time", async () => {
  await using served = new Served();
  const [first, second] = [await served.connect(), await served.connect()];

  assertEquals([await ask(second, "second"), await ask(first, "first")], ["second", "first"]);
});

Deno.test("ConnectionListener.text and port say where it listens", () => {
  const listener = new ConnectionListener(ANY_PORT);
  const { text, port } = listener;
  listener.close();

  assertEquals(text, `127.0.0.1:${port}`);
  assert(port > 0);
});

for (const hostname of ["", "0.0.0.0", "::"]) {
  Deno.test(`ConnectionListener on "${hostname}" listens on every address, of both versions`, async () => {
    await using served = new Served({ kind: "tcp", hostname, port: 0 });

    assertEquals([await served.ask("four"), await served.ask("six", "::1")], ["four", "six"]);
    assertEquals(served.listener.text, `[::]:${served.port}`);
  });
}

Deno.test("ConnectionListener tells a peer of IPv4 as one, also where both versions are listened to", async () => {
  const peers: string[] = [];
  await using served = new Served({ kind: "tcp", hostname: "", port: 0 }, {
    serve: async (connection) => {
      peers.push(connection.peer);
      await echo(connection);
    },
  });

  await served.ask("four");
  await served.ask("six", "::1");

  assertMatch(peers.join(" "), /^127\.0\.0\.1:\d+ \[::1\]:\d+$/);
});

Deno.test("ConnectionListener on [::1] listens there, and nowhere else", async () => {
  await using served = new Served({ kind: "tcp", hostname: "::1", port: 0 });

  assertEquals([await served.ask("six", "::1"), served.listener.text], ["six", `[::1]:${served.port}`]);
});

for (const without of ["AddrNotAvailable", "NotSupported"] as const) {
  Deno.test(`ConnectionListener listens on IPv4 alone on a machine without IPv6 (${without})`, async () => {
    const listen = Deno.listen;
    try {
      Deno.listen = ((options: Deno.TcpListenOptions) => {
        if (options.hostname === "::") throw new Deno.errors[without]("no IPv6");
        return listen(options);
      }) as typeof Deno.listen;
      await using served = new Served({ kind: "tcp", hostname: "", port: 0 });

      assertEquals([await served.ask("four"), served.listener.text], ["four", `0.0.0.0:${served.port}`]);
    } finally {
      Deno.listen = listen;
    }
  });
}

Deno.test("ConnectionListener takes two sockets where the system keeps the versions apart", async () => {
  const listen = Deno.listen;
  try {
    const hosts: (string | undefined)[] = [];
    Deno.listen = ((options: Deno.TcpListenOptions) => {
      hosts.push(options.hostname);
      // As with net.ipv6.bindv6only: the port is free for the other version.
      return listen({ ...options, hostname: options.hostname === "::" ? "::1" : options.hostname ?? "" });
    }) as typeof Deno.listen;
    await using served = new Served({ kind: "tcp", hostname: "", port: 0 });

    assertEquals([await served.ask("four"), await served.ask("six", "::1")], ["four", "six"]);
    assertEquals(hosts, ["::", "0.0.0.0"]);
  } finally {
    Deno.listen = listen;
  }
});

for (const hostname of ["127.0.0.1", ""]) {
  Deno.test(`ConnectionListener on "${hostname}" throws when the port is in use`, () => {
    const listener = new ConnectionListener({ kind: "tcp", hostname, port: 0 });
    try {
      assertThrows(
        () => new ConnectionListener({ kind: "tcp", hostname, port: listener.port }),
        Deno.errors.AddrInUse,
      );
    } finally {
      listener.close();
    }
  });
}

Deno.test("ConnectionListener.close() may be called again, and frees the port", () => {
  const address = { kind: "tcp", hostname: "127.0.0.1", port: freePort() } as const;
  const listener = new ConnectionListener(address);

  listener.close();
  listener.close();

  new ConnectionListener(address).close();
});

Deno.test("ConnectionListener serves on a unix socket, whose file goes with it", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/nsqd.sock`;
    {
      await using served = new Served({ kind: "unix", path });
      const { text, port } = served.listener;
      const answer = await ask(await Deno.connect({ transport: "unix", path }), "hello");

      assertEquals([text, port, answer], [path, -1, "hello"]);
    }

    assertThrows(() => Deno.statSync(path), Deno.errors.NotFound);
  });
});

Deno.test("ConnectionListener names the peer of a unix socket @, as Go does", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/nsqd.sock`;
    const peers: string[] = [];
    await using _ = new Served({ kind: "unix", path }, {
      serve: async (connection) => {
        peers.push(connection.peer);
        await echo(connection);
      },
    });

    await ask(await Deno.connect({ transport: "unix", path }), "hello");

    assertEquals(peers, ["@"]);
  });
});

Deno.test("ConnectionListener leaves the mode of a unix socket to the process's umask, as NSQ does", async () => {
  await withFolder((folder) => {
    const path = `${folder}/nsqd.sock`;
    // It is the whole process's, in which other tests run: for no longer than needed.
    const before = Deno.umask(0o077);
    const listener = new ConnectionListener({ kind: "unix", path });
    Deno.umask(before);
    const { mode } = Deno.statSync(path);
    listener.close();

    assertEquals((mode ?? 0) & 0o777, 0o700);
    return Promise.resolve();
  });
});

Deno.test("ConnectionListener.close() takes it that the socket's file is gone already", async () => {
  await withFolder((folder) => {
    const path = `${folder}/nsqd.sock`;
    const listener = new ConnectionListener({ kind: "unix", path });
    Deno.removeSync(path);

    listener.close();

    return Promise.resolve();
  });
});

Deno.test("ConnectionListener closes connections beyond its limit, counts them, and says so once", async () => {
  await using served = new Served(ANY_PORT, { limits: { max: 1, perAddressMax: 0 } });
  const first = await served.connect();
  await eventually("the first", () => served.listener.admission.count === 1);

  assertEquals([await served.ask("second"), await served.ask("third")], ["", ""]);
  assertEquals(served.listener.admission.refused, 2);
  assertEquals(await ask(first, "first"), "first");
  await eventually("room", () => served.listener.admission.count === 0);
  assertEquals(await served.ask("fourth"), "fourth");

  assertEquals(served.lines.length, 1);
  assertMatch(served.lines[0], /^WARNING: TCP: refused client\(127\.0\.0\.1:\d+\): there are 1 connections$/);
});

Deno.test("ConnectionListener closes connections of an address beyond its limit", async () => {
  await using served = new Served(ANY_PORT, { limits: { max: 0, perAddressMax: 1 } });
  const first = await served.connect();
  await eventually("the first", () => served.listener.admission.count === 1);

  const refused = await served.ask("second");
  const otherAddress = { hostname: "127.0.0.1", port: served.port };

  assertEquals([refused, await ask(first, "first")], ["", "first"]);
  await eventually("room", () => served.listener.admission.count === 0);
  assertEquals(await ask(await Deno.connect(otherAddress), "third"), "third");
  assertMatch(served.lines[0], / 127\.0\.0\.1 has 1 connections$/);
});

Deno.test("ConnectionListener counts a connection out when it ends, also when serving it fails", async () => {
  const listener = new ConnectionListener(ANY_PORT, { limits: { max: 1, perAddressMax: 0 } });
  const group = new AsyncGroup();
  const logger = new Logger({ prefix: "", level: LOG_LEVELS.fatal, write: () => {} });
  const serve = (connection: Connection) => {
    connection.close();
    return Promise.reject(new Error("boom"));
  };
  group.spawn("tcpServer", () => listener.serve(group, { logger, name: "TCP", serve }));

  await ask(await Deno.connect({ hostname: "127.0.0.1", port: listener.port }), "hello");
  await group.failed;
  listener.close();

  await assertRejects(() => group.wait(), Error, "boom");
  assertEquals(listener.admission.count, 0);
});

for (const code of ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ECONNABORTED", "ENOTCONN", "EPROTO"]) {
  Deno.test(`ConnectionListener.serve() survives ${code}, says so, and goes on`, async () => {
    let failures = 3;
    const accept = (real: () => Promise<Deno.Conn>) =>
      failures-- > 0 ? Promise.reject(failure(code)) : real();
    await withAccept(accept, async () => {
      await using served = new Served();

      assertEquals(await served.ask("hello"), "hello");
      assertEquals(served.lines, [`WARNING: TCP: temporary Accept() failure - ${code} (os error)`]);
    });
  });
}

for (const [code, waits] of [["EMFILE", true], ["ENOTCONN", false]] as const) {
  Deno.test(`ConnectionListener.serve() ${waits ? "waits" : "does not wait"} after ${code}`, async () => {
    let failures = 0;
    const accept = (real: () => Promise<Deno.Conn>) =>
      failures++ < 200 ? Promise.reject(failure(code)) : real();
    await withAccept(accept, async () => {
      await using _ = new Served();

      await settle();

      assertEquals(failures < 200, waits);
    });
  });
}

Deno.test("ConnectionListener.serve() waits when nothing but failures comes, whatever they are", async () => {
  let failures = 0;
  const accept = () => {
    failures++;
    return Promise.reject(failure("EPROTO"));
  };
  await withAccept(accept, async () => {
    await using _ = new Served();

    await eventually("the pause", () => failures >= 1001);
    assert(failures < 1100);
  });
});

Deno.test("ConnectionListener.serve() listens again on its port when the listener has broken", async () => {
  let real: Deno.Listener | undefined;
  const listen = Deno.listen;
  try {
    Deno.listen = ((options: Deno.TcpListenOptions) => real = listen(options)) as typeof Deno.listen;
    const port = freePort();
    await using served = new Served({ kind: "tcp", hostname: "127.0.0.1", port });

    real?.close();
    await eventually("the new one", () => served.lines.length > 0);

    assertEquals([await served.ask("hello"), served.port], ["hello", port]);
    assertEquals(served.lines, [`INFO: TCP: listening again on 127.0.0.1:${port}`]);
  } finally {
    Deno.listen = listen;
  }
});
