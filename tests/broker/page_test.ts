import { assertEquals } from "@std/assert";
import { Outstanding } from "../../src/broker/outstanding.ts";
import { Page, type PageOwner } from "../../src/broker/page.ts";
import { Segment } from "../../src/log/segment.ts";
import { blockOfTexts } from "../support/broker_messages.ts";

Deno.test("Page counts messages with slots and parked ones as unfinished", () => {
  const { page } = setup();

  page.put(3, 7);
  page.park(5);
  assertEquals([page.unfinished, page.parked, page.slots.get(3)], [6, 5, 7]);
  page.unpark(4, 8);
  assertEquals([page.unfinished, page.parked, page.slots.get(4)], [6, 4, 8]);
  page.take(3);
  page.park(-4);

  assertEquals([page.unfinished, page.parked, page.slots.size], [1, 0, 1]);
});

Deno.test("Page says of its segment that it is open while something in it is unfinished", () => {
  const { page, segment } = setup();
  const open: number[] = [];
  const note = () => open.push(segment.open);

  page.put(3, 7);
  note();
  page.park(2);
  note();
  page.take(3);
  note();
  page.unpark(0, 1);
  note();
  page.park(-1);
  note();
  page.take(0);
  note();
  page.park(1);
  note();

  assertEquals(open, [1, 1, 1, 1, 1, 0, 1]);
});

Deno.test("Page has the messages parked that are due after the moment up to which it was looked", () => {
  const { page, segment } = setup();
  for (const [i, dueMs] of [0, 20, 10, 20, 30].entries()) append(segment, i, dueMs);
  const parked = () => [0, 1, 2, 3, 4].filter((index) => page.isParked(index));
  page.end = 5;

  assertEquals(parked(), [1, 2, 3, 4]);
  page.woken = { dueMs: 20, index: 1 };
  assertEquals(parked(), [3, 4]);
  page.end = 4;
  page.start = 1;
  page.woken = { dueMs: 0, index: 0 };
  assertEquals(parked(), [1, 2, 3]);
});

Deno.test("Page notes where its messages lie before their segment leaves memory", () => {
  const { page, segment, table } = setup({ stored: true });
  for (let i = 0; i < 3; i++) append(segment, i, 10 + i);
  const slots = [0, 2].map((index) => {
    const slot = table.allocate(table.owners.add(page.owner), segment.base + index, 0);
    page.put(index, slot);
    return slot;
  });
  const batches = [0, 2].map((
    index,
  ) => [segment.batchOffset(index), segment.batchLength(segment.batchOffset(index))]);

  page.leaving();

  assertEquals(slots.map((slot) => [table.offset[slot], table.length[slot]]), batches);
});

Deno.test("Page tells its channel what becomes of its segment, until it is retired", () => {
  const { page, segment, told } = setup();
  const copy = new Segment({ base: 1000, capacityBytes: 0, stored: false });

  page.loaded();
  page.replaced(copy);
  assertEquals(page.segment === copy, true);
  page.released();
  page.isRetired = true;
  page.loaded();
  page.replaced(segment);
  page.released();

  assertEquals([told, page.segment === segment], [["loaded", "replaced", "released"], true]);
});

Deno.test("Page begins anew with its segment", () => {
  const { page } = setup();
  const next = new Segment({ base: 2000, capacityBytes: 0, stored: false });
  page.end = 9;
  page.woken = { dueMs: 5, index: 5 };

  page.restarted(next);

  assertEquals([page.segment === next, page.start, page.end, page.woken.dueMs], [true, 0, 0, -Infinity]);
});

function setup({ stored = false } = {}) {
  const table = new Outstanding();
  const told: string[] = [];
  const owner = {
    outstanding: table,
    ready: { head: -1, tail: -1 },
    due: () => 0,
    moved: () => true,
    pageLoaded: () => void told.push("loaded"),
    pageReplaced: () => void told.push("replaced"),
    pageReleased: () => void told.push("released"),
  } satisfies PageOwner & Record<string, unknown>;
  const segment = new Segment({ base: 1000, capacityBytes: 4096, stored });
  return { table, told, segment, page: Object.assign(new Page(owner, segment, { start: 0 }), { owner }) };
}

function append(segment: Segment, i: number, dueMs: number): void {
  const block = blockOfTexts(`${i}`);
  segment.append(block, 0, block.length, { count: 1, timestamp: { high: 1, low: i }, dueMs });
}
