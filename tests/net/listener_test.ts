import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { AsyncGroup } from "../../src/base/async_group.ts";
import type { Connection } from "../../src/net/connection.ts";
import { ConnectionListener } from "../../src/net/listener.ts";
import { bytesOf, textOf } from "../support/frames.ts";

const ANY_PORT = { kind: "tcp", hostname: "127.0.0.1", port: 0 } as const;

/** Sends back the first bytes that come. */
async function echo(connection: Connection): Promise<void> {
  const buffer = new Uint8Array(100);
  const count = await connection.read(buffer);
  await connection.write(buffer.subarray(0, count ?? 0));
  connection.close();
}

/** Sends the text and returns what comes back. */
async function ask(conn: Deno.Conn, text: string): Promise<string> {
  const buffer = new Uint8Array(100);
  await conn.write(bytesOf(text));
  const count = await conn.read(buffer);
  conn.close();
  return textOf(buffer.slice(0, count ?? 0));
}

function unexpected(error: unknown): never {
  throw error;
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

Deno.test("ConnectionListener.serve() serves each connection as a task named after its peer", async () => {
  await using group = new AsyncGroup();
  const listener = new ConnectionListener(ANY_PORT);
  const names: string[] = [];

  group.spawn("tcpServer", () =>
    listener.serve(group, async (connection) => {
      await echo(connection);
      names.push(...group.running);
    }, unexpected));
  const answer = await ask(await Deno.connect({ hostname: "127.0.0.1", port: listener.port }), "hello");
  listener.close();
  await group.wait();

  assertEquals(answer, "hello");
  assertEquals(names.length, 2);
  assertEquals(names[0], "tcpServer");
  assertMatch(names[1], /^connection 127\.0\.0\.1:\d+$/);
});

Deno.test("ConnectionListener.serve() serves connections at the same time", async () => {
  await using group = new AsyncGroup();
  const listener = new ConnectionListener(ANY_PORT);
  const address = { hostname: "127.0.0.1", port: listener.port };

  group.spawn("tcpServer", () => listener.serve(group, echo, unexpected));
  const [first, second] = [await Deno.connect(address), await Deno.connect(address)];
  const answers = [await ask(second, "second"), await ask(first, "first")];
  listener.close();
  await group.wait();

  assertEquals(answers, ["second", "first"]);
});

Deno.test("ConnectionListener.text and port say where it listens", () => {
  const listener = new ConnectionListener(ANY_PORT);
  const { text, port } = listener;
  listener.close();

  assertEquals(text, `127.0.0.1:${port}`);
  assertEquals(port > 0, true);
});

Deno.test("ConnectionListener listens on every address without a host name", () => {
  const listener = new ConnectionListener({ kind: "tcp", hostname: "", port: 0 });
  const { text } = listener;
  listener.close();

  assertMatch(text, /^0\.0\.0\.0:\d+$/);
});

Deno.test("ConnectionListener throws when the port is in use", () => {
  const listener = new ConnectionListener(ANY_PORT);
  try {
    assertThrows(
      () => new ConnectionListener({ kind: "tcp", hostname: "127.0.0.1", port: listener.port }),
      Deno.errors.AddrInUse,
    );
  } finally {
    listener.close();
  }
});

Deno.test("ConnectionListener.close() may be called again, and frees the port", () => {
  const listener = new ConnectionListener(ANY_PORT);
  const { port } = listener;

  listener.close();
  listener.close();

  new ConnectionListener({ kind: "tcp", hostname: "127.0.0.1", port }).close();
});

Deno.test("ConnectionListener serves on a unix socket, whose file goes with it", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/nsqd.sock`;
    await using group = new AsyncGroup();
    const listener = new ConnectionListener({ kind: "unix", path });

    group.spawn("tcpServer", () => listener.serve(group, echo, unexpected));
    const { text, port } = listener;
    const answer = await ask(await Deno.connect({ transport: "unix", path }), "hello");
    listener.close();
    await group.wait();

    assertEquals([text, port, answer], [path, -1, "hello"]);
    assertThrows(() => Deno.statSync(path), Deno.errors.NotFound);
  });
});

Deno.test("ConnectionListener names the peer of a unix socket @, as Go does", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/nsqd.sock`;
    await using group = new AsyncGroup();
    const listener = new ConnectionListener({ kind: "unix", path });
    const peers: string[] = [];

    group.spawn("tcpServer", () =>
      listener.serve(group, async (connection) => {
        peers.push(connection.peer);
        await echo(connection);
      }, unexpected));
    await ask(await Deno.connect({ transport: "unix", path }), "hello");
    listener.close();
    await group.wait();

    assertEquals(peers, ["@"]);
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

Deno.test("ConnectionListener.serve() reports a failed accept, and goes on", async () => {
  await using group = new AsyncGroup();
  const accept = Promise.withResolvers<void>();
  const errors: unknown[] = [];
  const listen = Deno.listen;
  try {
    // Running out of files for real would end the test as well.
    Deno.listen = ((options: Deno.TcpListenOptions) => {
      const real = listen(options);
      const acceptReal = real.accept.bind(real);
      let failed = false;
      real.accept = () => {
        if (failed) return acceptReal();
        failed = true;
        return Promise.reject(new Error("Too many open files"));
      };
      return real;
    }) as typeof Deno.listen;
    const listener = new ConnectionListener(ANY_PORT);

    group.spawn("tcpServer", () =>
      listener.serve(group, echo, (error) => {
        errors.push(error);
        accept.resolve();
      }));
    await accept.promise;
    const answer = await ask(await Deno.connect({ hostname: "127.0.0.1", port: listener.port }), "hello");
    listener.close();
    await group.wait();

    assertEquals(errors.map(String), ["Error: Too many open files"]);
    assertEquals(answer, "hello");
  } finally {
    Deno.listen = listen;
  }
});
