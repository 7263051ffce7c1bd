import { assertEquals } from "@std/assert";
import type { Channel } from "../../src/broker/channel.ts";
import { NONE, Outstanding, type SlotList, STATE } from "../../src/broker/outstanding.ts";
import { testBroker } from "../support/broker_setup.ts";
import { Random } from "../support/random.ts";

Deno.test("Outstanding.allocate() gives slots with what was asked for, and counts them", () => {
  const { table, channel } = setup();

  const slots = Array.from({ length: 200 }, (_, i) => table.allocate(channel, 1e15 + i, i));

  assertEquals(slots, Array.from({ length: 200 }, (_, i) => i));
  assertEquals(table.size, 200);
  assertEquals([table.position[199], table.attempts[199], table.channel[199]], [1e15 + 199, 199, channel]);
});

Deno.test("Outstanding.release() makes a slot free for the next allocation", () => {
  const { table, channel } = setup();
  const slots = [1, 2, 3].map((position) => table.allocate(channel, position, 0));
  table.state[slots[1]] = STATE.ready;

  table.release(slots[1]);

  assertEquals([table.size, table.channel[slots[1]], table.state[slots[1]]], [2, undefined, STATE.free]);
  assertEquals(table.allocate(channel, 9, 0), slots[1]);
  assertEquals(table.allocate(channel, 10, 0), 3);
});

Deno.test("Outstanding.countAttempt() stops at the greatest number of 16 bits", () => {
  const { table, channel } = setup();
  const slot = table.allocate(channel, 1, 65533);

  assertEquals([1, 2, 3].map(() => table.countAttempt(slot)), [65534, 65535, 65535]);
});

Deno.test("Outstanding.append() keeps the order of a list, and remove() takes out of any place", () => {
  const { table, channel } = setup();
  const list = emptyList();
  const [a, b, c, d] = [1, 2, 3, 4].map((position) => table.allocate(channel, position, 0));
  for (const slot of [a, b, c, d]) table.append(list, slot);

  assertEquals(slotsOf(table, list), [a, b, c, d]);
  table.remove(list, b);
  assertEquals(slotsOf(table, list), [a, c, d]);
  table.remove(list, a);
  assertEquals(slotsOf(table, list), [c, d]);
  table.remove(list, d);
  assertEquals(slotsOf(table, list), [c]);
  table.remove(list, c);
  assertEquals(list, { head: NONE, tail: NONE });
});

Deno.test("Outstanding.insertByKey() orders a list by key, and equal ones as they came", () => {
  const { table, channel } = setup();
  const list = emptyList();
  const slots = [30, 10, 20, 10, 40, 5, 30].map((key, i) => {
    const slot = table.allocate(channel, i, 0);
    table.key[slot] = key;
    table.insertByKey(list, slot);
    return slot;
  });

  assertEquals(slotsOf(table, list), [5, 1, 3, 2, 0, 6, 4].map((i) => slots[i]));
});

Deno.test("Outstanding.firstDue() gives the deferred slot that is due first, and none before it is due", () => {
  const { table, channel } = setup();
  const [late, early] = [20, 10].map((dueMs) => deferred(table, channel, dueMs));

  assertEquals([table.firstDue(9), table.firstDue(10), table.firstDue(99)], [NONE, early, early]);
  table.undefer(early);
  assertEquals([table.firstDue(19), table.firstDue(20)], [NONE, late]);
  table.undefer(late);
  assertEquals(table.firstDue(Infinity), NONE);
});

Deno.test("Outstanding gives deferred slots in the order that sorting gives", () => {
  for (let seed = 0; seed < 50; seed++) {
    const random = new Random(seed);
    const { table, channel } = setup();
    const naive: number[] = [];
    for (let i = 0; i < 400; i++) {
      if (naive.length === 0 || !random.oneIn(3)) {
        naive.push(deferred(table, channel, random.below(1000) * 1000 + i));
      } else if (random.oneIn(2)) {
        const [slot] = naive.splice(random.below(naive.length), 1);
        table.undefer(slot);
        table.release(slot);
      } else {
        naive.sort((a, b) => table.key[a] - table.key[b]);
        assertEquals(table.firstDue(Infinity), naive[0], `seed ${seed}`);
        const slot = table.firstDue(Infinity);
        naive.shift();
        table.undefer(slot);
        table.release(slot);
      }
      assertEquals(table.size, naive.length);
    }
    naive.sort((a, b) => table.key[a] - table.key[b]);
    assertEquals(drained(table), naive, `seed ${seed}`);
  }
});

function setup(): { table: Outstanding; channel: Channel } {
  return { table: new Outstanding(), channel: testBroker().broker.topic("t").channel("c") };
}

function emptyList(): SlotList {
  return { head: NONE, tail: NONE };
}

function slotsOf(table: Outstanding, list: SlotList): number[] {
  const slots: number[] = [];
  for (let slot = list.head; slot !== NONE; slot = table.next(slot)) slots.push(slot);
  assertEquals(list.tail, slots.at(-1));
  return slots;
}

function deferred(table: Outstanding, channel: Channel, dueMs: number): number {
  const slot = table.allocate(channel, 0, 0);
  table.key[slot] = dueMs;
  table.defer(slot);
  return slot;
}

/** All deferred slots, the first due first. */
function drained(table: Outstanding): number[] {
  const slots: number[] = [];
  for (let slot = table.firstDue(Infinity); slot !== NONE; slot = table.firstDue(Infinity)) {
    slots.push(slot);
    table.undefer(slot);
  }
  return slots;
}
