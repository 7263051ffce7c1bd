import { assertEquals } from "@std/assert";
import { MessageTable } from "../../src/log/message_table.ts";
import { Random } from "../support/random.ts";

Deno.test("MessageTable.dueOrder() is by due time and then by index, without what is not deferred", () => {
  const table = tableOf([5, 0, 3, 5, 0, 1, 3]);

  assertEquals([...table.dueOrder(7)], [5, 2, 6, 0, 3]);
  assertEquals([...new MessageTable().dueOrder(0)], []);
});

Deno.test("MessageTable.dueOrder() is exact for all times that can be, however far they lie apart", () => {
  const due = [2 ** 48 - 1, 2 ** 48 - 2, 1, 1_704_067_200_000, 2 ** 32, 2 ** 32 - 1, 2 ** 16, 2 ** 16 - 1];

  assertEquals([...tableOf(due).dueOrder(due.length)], [2, 7, 6, 5, 4, 3, 1, 0]);
});

Deno.test("MessageTable.dueOrder() puts what is due in eight thousand years behind the others, by index", () => {
  const due = [2 ** 53 - 1, 2 ** 48 + 5, 7, 2 ** 48];

  assertEquals([...tableOf(due).dueOrder(4)], [2, 0, 1, 3]);
});

Deno.test("MessageTable.dueOrder() orders a full segment", () => {
  const random = new Random(1);
  const due = Array.from({ length: 65536 }, () => 1_704_067_200_000 + random.below(1000));

  const order = [...tableOf(due).dueOrder(65536)];

  const expected = Array.from({ length: 65536 }, (_, i) => i).sort((a, b) => due[a] - due[b] || a - b);
  assertEquals(order.findIndex((index, rank) => index !== expected[rank]), -1);
  assertEquals(order.length, 65536);
});

Deno.test("MessageTable.truncate() forgets messages, what is said of them, and their batches", () => {
  const table = tableOf([0, 7, 8]);
  table.setOrigin(2, 3, 99);
  table.addBatch(0, 16);
  table.addBatch(1, 60);
  table.addBatch(2, 100);

  table.truncate(1, 3);

  assertEquals([0, 1, 2].map((i) => [table.body(i), table.dueMs(i), table.origin(i)]), [
    [20, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
  ]);
  assertEquals([table.deferred, [...table.batches()]], [0, [{ index: 0, offset: 16 }]]);
});

Deno.test("MessageTable.batchOf() and batchOffsets() find the batch of a message among many", () => {
  const table = new MessageTable();
  for (let i = 0; i < 1000; i++) table.addBatch(3 * i, 16 + 50 * i);

  const expected = Array.from({ length: 3000 }, (_, i) => 16 + 50 * Math.floor(i / 3));

  assertEquals(expected.findIndex((offset, i) => table.batchOf(i) !== offset), -1);
  assertEquals([...table.batchOffsets(3000)], expected);
  assertEquals([...table.batchOffsets(4)], [16, 16, 16, 66]);
});

Deno.test("MessageTable.reserve() keeps what there is, to the most messages that a segment may have", () => {
  const table = tableOf([5, 0, 7]);
  table.setOrigin(1, 2, 44);

  table.reserve(65);
  table.reserve(65536);
  table.set(65535, 123, 4, 5);
  table.setDue(65535, 65536, 9);
  table.setOrigin(65535, 65536, 55);

  assertEquals([0, 1, 2].map((i) => [table.body(i), table.dueMs(i), table.origin(i)]), [
    [20, 5, 0],
    [21, 0, 44],
    [22, 7, 0],
  ]);
  assertEquals(
    [
      table.body(65535),
      table.timestampHigh(65535),
      table.timestampLow(65535),
      table.dueMs(65535),
      table.origin(65535),
    ],
    [123, 4, 5, 9, 55],
  );
});

Deno.test("MessageTable counts what is there, and what is deferred, in any part", () => {
  const table = tableOf([0, 7, 8, 0]);
  table.truncate(3, 4);

  assertEquals([table.presentIn(0, 4), table.presentIn(1, 3), table.presentIn(3, 4)], [3, 2, 0]);
  assertEquals([table.deferredIn(0, 4), table.deferredIn(0, 2), table.deferred], [2, 1, 2]);
});

/** A table of messages that are due then; 0 is at once. */
function tableOf(due: readonly number[]): MessageTable {
  const table = new MessageTable();
  table.reserve(due.length);
  for (const [index, dueMs] of due.entries()) {
    table.set(index, 20 + index, 1, 2);
    if (dueMs > 0) table.setDue(index, index + 1, dueMs);
  }
  return table;
}
