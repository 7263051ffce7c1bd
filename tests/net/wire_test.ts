import { setImmediate } from "node:timers";
import { assert, assertEquals } from "@std/assert";
import { type Connection, writeAll } from "../../src/net/connection.ts";
import { DeflateConnection } from "../../src/net/deflate.ts";
import { SnappyConnection } from "../../src/net/snappy.ts";
import { Wire, type WireOwner } from "../../src/net/wire.ts";
import { eventually } from "../support/eventually.ts";
import { bytesOf, join, textOf } from "../support/frames.ts";
import { MemoryConnection } from "../support/memory_connection.ts";
import { Random } from "../support/random.ts";

const PENDING_MAX = 10;

/** A wire over a connection in memory, and what it tells its owner. */
function wireOver(connection: MemoryConnection) {
  const told: string[] = [];
  const time = { monotonicMs: 1000 };
  const owner: WireOwner = {
    writable: () => told.push("writable"),
    sent: () => told.push("sent"),
    writeFailed: (error) => told.push(`failed: ${(error as Error).message}`),
    monotonicMs: () => time.monotonicMs,
  };
  return { wire: new Wire(connection, owner, PENDING_MAX), told, time };
}

/** Lets everything happen that can happen now. */
async function settle(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

function sent(connection: MemoryConnection): string[] {
  return connection.written.map(textOf);
}

Deno.test("Wire.flush() sends the output in one write", async () => {
  const connection = new MemoryConnection("peer");
  const { wire } = wireOver(connection);

  wire.output.append(bytesOf("one "));
  wire.output.append(bytesOf("two"));
  await settle();
  const before = sent(connection);
  wire.flush();
  await settle();

  assertEquals(before, []);
  assertEquals(sent(connection), ["one two"]);
});

Deno.test("Wire.flush() sends what comes during a write in the next one", async () => {
  const connection = new MemoryConnection("peer");
  const { wire } = wireOver(connection);
  connection.hold();

  wire.output.append(bytesOf("a"));
  wire.flush();
  await settle();
  wire.output.append(bytesOf("b"));
  wire.flush();
  wire.output.append(bytesOf("c"));
  wire.flush();
  connection.release();
  await settle();

  assertEquals(sent(connection), ["a", "bc"]);
});

Deno.test("Wire writes on until all is written", async () => {
  const connection = new MemoryConnection("peer");
  connection.writeSizeMax = 4;
  const { wire } = wireOver(connection);

  wire.output.append(bytesOf("0123456789"));
  await wire.drain();

  assertEquals(sent(connection), ["0123", "4567", "89"]);
});

Deno.test("Wire sends nothing while it is held", async () => {
  const connection = new MemoryConnection("peer");
  const { wire } = wireOver(connection);
  wire.held = true;

  wire.output.append(bytesOf("a"));
  wire.flush();
  await settle();
  const before = sent(connection);
  wire.held = false;
  wire.flush();
  await settle();

  assertEquals(before, []);
  assertEquals(sent(connection), ["a"]);
});

Deno.test("Wire sends nothing that came while it is held, when the write before ends", async () => {
  const connection = new MemoryConnection("peer");
  const { wire } = wireOver(connection);
  connection.hold();

  wire.output.append(bytesOf("a"));
  wire.flush();
  await settle();
  wire.held = true;
  wire.output.append(bytesOf("bc"));
  connection.release();
  await settle();
  wire.output.truncate(1);
  wire.held = false;
  wire.flush();
  await settle();

  assertEquals(sent(connection), ["a", "b"]);
});

Deno.test("Wire.writable is false while as much waits as may, and the owner is told when that ends", async () => {
  const connection = new MemoryConnection("peer");
  const { wire, told } = wireOver(connection);
  connection.hold();

  wire.output.append(new Uint8Array(PENDING_MAX - 1));
  const below = wire.writable;
  wire.output.append(new Uint8Array(1));
  const at = wire.writable;
  wire.flush();
  await settle();
  const sending = wire.writable;
  connection.release();
  await settle();

  assertEquals([below, at, sending, wire.writable], [true, false, false, true]);
  assertEquals(told, ["writable", "sent"]);
});

Deno.test("Wire tells its owner that it is writable again also when it was when the writes began", async () => {
  const connection = new MemoryConnection("peer");
  const { wire, told } = wireOver(connection);
  connection.hold();

  wire.output.append(new Uint8Array(PENDING_MAX - 4));
  wire.flush();
  await settle();
  wire.output.append(new Uint8Array(4));
  const full = wire.writable;
  connection.release();
  await settle();

  assertEquals([full, wire.writable], [false, true]);
  assertEquals(told, ["writable", "sent"]);
});

Deno.test("Wire tells its owner when all of the output has been sent, and not before", async () => {
  const connection = new MemoryConnection("peer");
  const { wire, told } = wireOver(connection);
  connection.hold();

  wire.output.append(bytesOf("a"));
  wire.flush();
  await settle();
  wire.held = true;
  wire.output.append(bytesOf("b"));
  connection.release();
  await settle();
  const early = [...told];
  wire.held = false;
  wire.flush();
  await settle();

  assertEquals(early, []);
  assertEquals(told, ["sent"]);
});

Deno.test("Wire.stalledMs() is for how long nothing has been taken, while there is something to take", async () => {
  const connection = new MemoryConnection("peer");
  const { wire, time } = wireOver(connection);
  connection.hold();
  const stalls: number[] = [];

  wire.output.append(bytesOf("abcde"));
  wire.flush();
  for (const bytes of [1, 2]) {
    await settle();
    time.monotonicMs += 500;
    stalls.push(wire.stalledMs(time.monotonicMs));
    connection.take(bytes);
    await settle();
    stalls.push(wire.stalledMs(time.monotonicMs));
  }
  time.monotonicMs += 500;
  wire.progressed();
  stalls.push(wire.stalledMs(time.monotonicMs));
  connection.release();
  await settle();

  assertEquals(stalls, [500, 0, 500, 0, 0]);
  assertEquals(textOf(join(...connection.written)), "abcde");
});

for (const [name, layerOn] of [["deflate", deflated], ["snappy", snappied]] as const) {
  Deno.test(`Wire.stalledMs() goes by what is taken below ${name}`, async () => {
    const connection = new MemoryConnection("peer");
    const { wire, time } = wireOver(connection);
    await wire.upgrade(layerOn);
    connection.hold();

    wire.output.append(new Random(1).bytes(5000));
    wire.flush();
    await eventually("it is written", () => connection.isWaiting);
    time.monotonicMs += 500;
    const before = wire.stalledMs(time.monotonicMs);
    connection.take(1);
    await settle();
    const after = wire.stalledMs(time.monotonicMs);

    assertEquals([before, after], [500, 0]);
    wire.close();
    await settle();
  });
}

function deflated(connection: Connection): Connection {
  return new DeflateConnection(connection, 6);
}

function snappied(connection: Connection): Connection {
  return new SnappyConnection(connection);
}

Deno.test("Wire.stalledMs() is how long the write under way has taken", async () => {
  const connection = new MemoryConnection("peer");
  const { wire, time } = wireOver(connection);
  connection.hold();

  const none = wire.stalledMs(time.monotonicMs);
  wire.output.append(bytesOf("a"));
  wire.flush();
  await settle();
  time.monotonicMs += 500;
  const under = wire.stalledMs(time.monotonicMs);
  connection.release();
  await settle();

  assertEquals([none, under, wire.stalledMs(time.monotonicMs)], [0, 500, 0]);
});

Deno.test("Wire tells its owner that a write has failed", async () => {
  const connection = new MemoryConnection("peer");
  const { wire, told } = wireOver(connection);
  connection.closed = true;

  wire.output.append(bytesOf("a"));
  await wire.drain();

  assertEquals(told, ["failed: Broken pipe"]);
});

Deno.test("Wire does not tell of a write that fails because it was closed", async () => {
  const connection = new MemoryConnection("peer");
  const { wire, told } = wireOver(connection);
  connection.hold();

  wire.output.append(bytesOf("a"));
  wire.flush();
  await settle();
  wire.close();
  wire.close();
  await settle();

  assertEquals(told, []);
  assert(wire.closed);
  assert(!wire.writable);
});

Deno.test("Wire.drain() ends when all has been sent, also what comes meanwhile", async () => {
  const connection = new MemoryConnection("peer");
  const { wire } = wireOver(connection);
  connection.hold();
  let drained = false;

  wire.output.append(bytesOf("a"));
  const draining = wire.drain().then(() => drained = true);
  await settle();
  const early = drained;
  wire.output.append(bytesOf("b"));
  connection.release();
  await draining;

  assertEquals(early, false);
  assertEquals(sent(connection), ["a", "b"]);
});

Deno.test("Wire.drain() sends what was held when the write before was just ending", async () => {
  // The moment matters: at each of the steps in which a write ends.
  for (let steps = 0; steps < 12; steps++) {
    const connection = new MemoryConnection("peer");
    const { wire } = wireOver(connection);
    connection.hold();
    wire.output.append(bytesOf("a"));
    wire.flush();
    await settle();
    wire.held = true;
    wire.output.append(bytesOf("b"));

    connection.release();
    for (let i = 0; i < steps; i++) await Promise.resolve();
    wire.held = false;
    await wire.drain();

    assertEquals(textOf(join(...connection.written)), "ab", `after ${steps} steps`);
  }
});

Deno.test("Wire.flush() begins a write when the write before was just ending", async () => {
  for (let steps = 0; steps < 12; steps++) {
    const connection = new MemoryConnection("peer");
    const { wire } = wireOver(connection);
    connection.hold();
    wire.output.append(bytesOf("a"));
    wire.flush();
    await settle();

    connection.release();
    for (let i = 0; i < steps; i++) await Promise.resolve();
    wire.output.append(bytesOf("b"));
    wire.flush();
    await settle();

    assertEquals(textOf(join(...connection.written)), "ab", `after ${steps} steps`);
  }
});

Deno.test("Wire.upgrade() sends the output over the layer below, and what follows over the new one", async () => {
  const plain = new MemoryConnection("peer");
  const layer = new MemoryConnection("peer");
  const { wire } = wireOver(plain);

  wire.output.append(bytesOf("plain"));
  await wire.upgrade(async (connection) => {
    await writeAll(connection, bytesOf("handshake"));
    return layer;
  });
  wire.output.append(bytesOf("layered"));
  await wire.drain();

  assertEquals([sent(plain), sent(layer)], [["plain", "handshake"], ["layered"]]);
});

Deno.test("Wire sends nothing while a layer is being put on", async () => {
  const plain = new MemoryConnection("peer");
  const layer = new MemoryConnection("peer");
  const { wire } = wireOver(plain);
  const ready = Promise.withResolvers<void>();

  const upgrading = wire.upgrade(async () => {
    await ready.promise;
    return layer;
  });
  await settle();
  wire.output.append(bytesOf("_heartbeat_"));
  wire.flush();
  await settle();
  const early = [...sent(plain), ...sent(layer)];
  ready.resolve();
  await upgrading;
  await wire.drain();

  assertEquals(early, []);
  assertEquals(sent(layer), ["_heartbeat_"]);
});

Deno.test("Wire.writable counts what the connection takes ahead", () => {
  const { wire } = wireOver(Object.assign(new MemoryConnection("peer"), { writeAhead: 4 }));

  wire.output.append(new Uint8Array(PENDING_MAX - 5));
  const before = wire.writable;
  wire.output.append(new Uint8Array(1));

  assertEquals([before, wire.writable], [true, false]);
});
