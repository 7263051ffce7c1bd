import { assertEquals, assertRejects } from "@std/assert";
import {
  addressText,
  DenoConnection,
  isDisconnect,
  UnreadConnection,
  writeAll,
} from "../../src/net/connection.ts";
import { bytesOf, join, textOf } from "../support/frames.ts";
import { MemoryConnection } from "../support/memory_connection.ts";
import { Random } from "../support/random.ts";

/** Both ends of a TCP connection. */
async function withPair(
  use: (ends: { near: DenoConnection; far: Deno.Conn }) => Promise<void>,
): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [conn, far] = await Promise.all([
    listener.accept(),
    Deno.connect({ hostname: "127.0.0.1", port: (listener.addr as Deno.NetAddr).port }),
  ]);
  const near = new DenoConnection(conn);
  try {
    await use({ near, far });
  } finally {
    near.close();
    far.close();
  }
}

Deno.test("DenoConnection.peer is the other end's address, as Go prints it", async () => {
  await withPair(({ near, far }) => {
    assertEquals(near.peer, `127.0.0.1:${(far.localAddr as Deno.NetAddr).port}`);
    return Promise.resolve();
  });
});

Deno.test("DenoConnection reads and writes", async () => {
  await withPair(async ({ near, far }) => {
    const buffer = new Uint8Array(10);

    await near.write(bytesOf("to far"));
    const there = textOf(buffer.slice(0, await far.read(buffer) ?? 0));
    await far.write(bytesOf("to near"));
    const here = textOf(buffer.slice(0, await near.read(buffer) ?? 0));

    assertEquals([there, here], ["to far", "to near"]);
  });
});

Deno.test("DenoConnection.read() is null at the end", async () => {
  await withPair(async ({ near, far }) => {
    await far.closeWrite();

    assertEquals(await near.read(new Uint8Array(1)), null);
  });
});

Deno.test("DenoConnection.close() ends a read that waits, may be called again, and ends the peer's side", async () => {
  await withPair(async ({ near, far }) => {
    const error = near.read(new Uint8Array(1)).catch((error) => error);

    near.close();
    near.close();

    assertEquals(isDisconnect(await error), true);
    assertEquals(await far.read(new Uint8Array(1)), null);
    await assertRejects(() => near.read(new Uint8Array(1)));
  });
});

const ADDRESSES: readonly (readonly [address: Deno.Addr, text: string])[] = [
  [{ transport: "tcp", hostname: "127.0.0.1", port: 4150 }, "127.0.0.1:4150"],
  [{ transport: "tcp", hostname: "::1", port: 4150 }, "[::1]:4150"],
  [{ transport: "tcp", hostname: "0.0.0.0", port: 0 }, "0.0.0.0:0"],
  [{ transport: "unix", path: "/run/nsqd.sock" }, "/run/nsqd.sock"],
  [{ transport: "unix", path: "" }, "@"],
  [{ transport: "vsock", cid: 3, port: 9000 }, "vsock:3:9000"],
];

for (const [address, text] of ADDRESSES) {
  Deno.test(`addressText() shows ${JSON.stringify(address)} as "${text}"`, () => {
    assertEquals(addressText(address), text);
  });
}

Deno.test("isDisconnect() is true for the ends of connections only", () => {
  const disconnects = [
    new Deno.errors.BadResource(),
    new Deno.errors.Interrupted(),
    new Deno.errors.BrokenPipe(),
    new Deno.errors.ConnectionReset(),
    new Deno.errors.ConnectionAborted(),
    new Deno.errors.NotConnected(),
  ];
  const others = [
    new Error("operation canceled"),
    new TypeError(),
    new Deno.errors.NotFound(),
    "closed",
    undefined,
  ];

  assertEquals(disconnects.map(isDisconnect), disconnects.map(() => true));
  assertEquals(others.map(isDisconnect), others.map(() => false));
});

Deno.test("writeAll() writes on until all is written", async () => {
  const connection = new MemoryConnection("peer");
  connection.writeSizeMax = 7;
  const bytes = new Random(1).bytes(100);

  await writeAll(connection, bytes);

  assertEquals(connection.written.map((part) => part.length), [...Array(14).fill(7), 2]);
  assertEquals(join(...connection.written), bytes);
});

Deno.test("UnreadConnection gives back what was read before, in pieces as asked for, and then reads on", async () => {
  const inner = new MemoryConnection("peer");
  inner.push(bytesOf("next"));
  const connection = new UnreadConnection(inner, bytesOf("before"));
  const buffer = new Uint8Array(4);
  const read: (string | null)[] = [];

  for (let i = 0; i < 3; i++) read.push(textOf(buffer.slice(0, await connection.read(buffer) ?? 0)));

  assertEquals(read, ["befo", "re", "next"]);
  assertEquals(connection.peer, "peer");
});

Deno.test("UnreadConnection writes to, and closes, the connection below", async () => {
  const inner = new MemoryConnection("peer");
  const connection = new UnreadConnection(inner, bytesOf("before"));

  await connection.write(bytesOf("out"));
  connection.close();

  assertEquals(textOf(join(...inner.written)), "out");
  assertEquals(inner.closed, true);
});
