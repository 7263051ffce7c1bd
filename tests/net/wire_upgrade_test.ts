import { assertEquals, assertRejects } from "@std/assert";
import { Wire } from "../../src/net/wire.ts";
import { bytesOf, textOf } from "../support/frames.ts";
import { MemoryConnection } from "../support/memory_connection.ts";

const OWNER = { writable: () => {}, sent: () => {}, writeFailed: () => {}, monotonicMs: () => 0 };

Deno.test("Wire.upgrade() closes the layer of a wire that was closed while it was being put on", async () => {
  const [plain, layer] = [new MemoryConnection("peer"), new MemoryConnection("peer")];
  const wire = new Wire(plain, OWNER, 1000);
  const ready = Promise.withResolvers<MemoryConnection>();
  const upgrading = wire.upgrade(() => ready.promise);

  wire.close();
  ready.resolve(layer);
  await upgrading;

  assertEquals([plain.closed, layer.closed], [true, true]);
});

Deno.test("Wire.upgrade() that fails leaves the connection as it was", async () => {
  const plain = new MemoryConnection("peer");
  const wire = new Wire(plain, OWNER, 1000);

  await assertRejects(() => wire.upgrade(() => Promise.reject(new Error("no"))), Error, "no");
  wire.output.append(bytesOf("plain"));
  await wire.drain();

  assertEquals(plain.written.map(textOf), ["plain"]);
});
