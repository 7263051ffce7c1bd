import { assertEquals } from "@std/assert";
import {
  NONE,
  Outstanding,
  type SlotHolder,
  type SlotList,
  type SlotOwner,
  STATE,
} from "../../src/broker/outstanding.ts";
import { Random } from "../support/random.ts";

Deno.test("Outstanding.allocate() gives slots with what was asked for, and counts them", () => {
  const { table, id } = setup();

  const slots = Array.from({ length: 200 }, (_, i) => table.allocate(id, 1e15 + i, i));

  assertEquals(slots, Array.from({ length: 200 }, (_, i) => i));
  assertEquals(table.size, 200);
  assertEquals([table.position[199], table.attempts[199], table.owner[199]], [
    1e15 + 199,
    199,
    id,
  ]);
});

Deno.test("Outstanding.release() makes a slot free for the next allocation", () => {
  const { table, id } = setup();
  const slots = [1, 2, 3].map((position) => table.allocate(id, position, 0));
  table.state[slots[1]] = STATE.ready;

  table.release(slots[1]);

  assertEquals([table.size, table.state[slots[1]]], [2, STATE.free]);
  assertEquals(table.allocate(id, 9, 0), slots[1]);
  assertEquals(table.allocate(id, 10, 0), 3);
});

Deno.test("Outstanding.countAttempt() stops at the greatest number of 16 bits", () => {
  const { table, id } = setup();
  const slot = table.allocate(id, 1, 65533);

  assertEquals([1, 2, 3].map(() => table.countAttempt(slot)), [65534, 65535, 65535]);
});

Deno.test("Outstanding.append() keeps the order of a list, and remove() takes out of any place", () => {
  const { table, id } = setup();
  const list = emptyList();
  const [a, b, c, d] = [1, 2, 3, 4].map((position) => table.allocate(id, position, 0));
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
  const { table, id } = setup();
  const list = emptyList();
  const slots = [30, 10, 20, 10, 40, 5, 30].map((key, i) => {
    const slot = table.allocate(id, i, 0);
    table.key[slot] = key;
    table.insertByKey(list, slot);
    return slot;
  });

  assertEquals(slotsOf(table, list), [5, 1, 3, 2, 0, 6, 4].map((i) => slots[i]));
});

Deno.test("Outstanding.firstDue() gives the deferred slot that is due first, and none before it is due", () => {
  const { table, id } = setup();
  const [late, early] = [20, 10].map((dueMs) => deferred(table, id, dueMs));

  assertEquals([table.firstDue(9), table.firstDue(10), table.firstDue(99)], [NONE, early, early]);
  table.undefer(early);
  assertEquals([table.firstDue(19), table.firstDue(20)], [NONE, late]);
  table.undefer(late);
  assertEquals(table.firstDue(Infinity), NONE);
});

Deno.test("Outstanding gives deferred slots in the order that sorting gives", () => {
  for (let seed = 0; seed < 50; seed++) {
    const random = new Random(seed);
    const { table, id } = setup();
    const naive: number[] = [];
    for (let i = 0; i < 400; i++) {
      if (naive.length === 0 || !random.oneIn(3)) {
        naive.push(deferred(table, id, random.below(1000) * 1000 + i));
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

Deno.test("Outstanding.wallClockStepped() moves what is parked, and nothing else", () => {
  const { table, id } = setup();
  const deferredSlot = deferred(table, id, 100);
  const parked = [50, 200].map((dueMs) => {
    const slot = deferred(table, id, dueMs);
    table.state[slot] = STATE.parked;
    return slot;
  });

  table.wallClockStepped(-70);
  assertEquals(drained(table), [deferredSlot, parked[0], parked[1]]);
  for (const slot of [deferredSlot, ...parked]) table.defer(slot);
  table.wallClockStepped(200);

  assertEquals(drained(table), [parked[0], parked[1], deferredSlot]);
  assertEquals([table.key[deferredSlot], table.key[parked[0]], table.key[parked[1]]], [
    100,
    -80,
    70,
  ]);
});

Deno.test("Outstanding makes its arrays larger one after another, and has room before they are full", () => {
  const { table, id } = setup();

  const capacities = Array.from({ length: 300 }, (_, i) => {
    const slot = table.allocate(id, i, i);
    table.key[slot] = -i;
    return table.capacity;
  });

  assertEquals([...new Set(capacities)], [64, 128, 256, 512]);
  assertEquals(capacities.every((capacity, i) => capacity > i), true);
  const all = Array.from({ length: 300 }, (_, i) => i);
  assertEquals(
    all.map((i) => [table.position[i], table.attempts[i], table.key[i]]),
    all.map((i) => [i, i, -i]),
  );
});

Deno.test("Outstanding.shrinking() gives the memory of many slots back when few are left", () => {
  const { table, id } = setup();
  for (let i = 0; i < 40_000; i++) deferred(table, id, i);
  const large = table.capacity;
  assertEquals([table.size, large], [40_000, 65_536]);

  shrink(table);
  assertEquals(table.capacity, large);
  for (let slot = 0; slot < 39_990; slot++) {
    table.undefer(slot);
    table.release(slot);
  }
  shrink(table);

  assertEquals([table.size, table.capacity], [10, 64]);
  assertEquals(
    drained(table).map((slot) => table.key[slot]),
    Array.from({ length: 10 }, (_, i) => 39_990 + i),
  );
});

Deno.test("Outstanding can be used between the steps of Outstanding.shrinking()", () => {
  const { table, channel, id } = setup();
  const live = new Map<number, number>();
  const take = (position: number) => {
    const slot = table.allocate(id, position, 0);
    table.state[slot] = STATE.ready;
    table.append(channel.ready, slot);
    channel.slots.set(position, slot);
    live.set(position, 1);
  };
  const give = (position: number) => {
    const slot = channel.slots.get(position) ?? NONE;
    table.remove(channel.ready, slot);
    table.release(slot);
    live.delete(position);
  };
  for (let i = 0; i < 100_000; i++) take(i);
  for (let i = 0; i < 99_000; i++) give(i);

  let position = 100_000;
  for (const _ of table.shrinking()) {
    for (let i = 0; i < 50; i++) take(position++);
    for (const old of [...live.keys()].slice(0, 20)) give(old);
  }

  assertEquals(table.capacity <= 16_384, true);
  const free = new Set<number>();
  for (let i = 0; i < 1000; i++) free.add(table.allocate(id, 0, 0));
  const slots = slotsOf(table, channel.ready);
  assertEquals([free.size, slots.some((slot) => free.has(slot))], [1000, false]);
  assertEquals(slots.map((slot) => table.position[slot]), [...live.keys()]);
});

Deno.test("Outstanding.shrinking() moves a part of many slots at a time", () => {
  const { table, id } = setup();
  const slots = Array.from({ length: 100_000 }, () => table.allocate(id, 0, 0));
  for (const slot of slots) {
    table.state[slot] = STATE.ready;
    table.release(slot);
  }

  shrink(table, 4);
  assertEquals(table.capacity, 131_072);
  shrink(table);

  assertEquals(table.capacity, 64);
});

Deno.test("Outstanding.shrinking() moves no slot whose owner does not know it", () => {
  const { table, channel, id } = setup();
  const slots = Array.from({ length: 40_000 }, (_, i) => table.allocate(id, i, 0));
  for (const slot of slots) table.state[slot] = STATE.ready;
  for (const slot of slots.slice(0, -1)) table.release(slot);
  channel.knows = () => false;

  shrink(table);
  assertEquals([table.capacity >= 40_000, table.position[39_999]], [true, 39_999]);
  assertEquals(table.allocate(id, 0, 0) < 39_999, true);
  table.release(39_999);
  shrink(table);

  assertEquals(table.capacity < 40_000, true);
});

Deno.test("Outstanding.shrinking() keeps every list and the order of what is due, whatever moves", () => {
  for (let seed = 0; seed < 4; seed++) {
    const random = new Random(seed);
    const { table, channel, id } = setup();
    const holders: SlotHolder[] = [{ inFlight: emptyList() }, { inFlight: emptyList() }];
    const ids = holders.map((holder) => table.holders.add(holder));
    const live = new Set<number>();
    for (let i = 0; i < 20_000; i++) {
      const slot = table.allocate(id, i, i % 7);
      live.add(i);
      channel.slots.set(i, slot);
      const kind = random.below(3);
      table.key[slot] = i;
      if (kind === 0) {
        table.state[slot] = STATE.deferred;
        table.defer(slot);
      } else if (kind === 1) {
        table.state[slot] = STATE.ready;
        table.append(channel.ready, slot);
      } else {
        table.state[slot] = STATE.inFlight;
        const holder = random.below(holders.length);
        table.holder[slot] = ids[holder];
        table.append(holders[holder].inFlight, slot);
      }
    }
    for (const i of [...live]) {
      if (random.oneIn(40)) continue;
      const slot = channel.slots.get(i) ?? NONE;
      if (table.state[slot] === STATE.deferred) table.undefer(slot);
      else if (table.state[slot] === STATE.ready) table.remove(channel.ready, slot);
      else table.remove(table.holderOf(slot)?.inFlight ?? emptyList(), slot);
      table.release(slot);
      live.delete(i);
    }

    shrink(table);

    assertEquals(table.capacity <= 4096, true, `seed ${seed}`);
    const lists = [channel.ready, ...holders.map(({ inFlight }) => inFlight)];
    const found = [...lists.flatMap((list) => slotsOf(table, list)), ...drained(table)];
    assertEquals(
      found.map((slot) => table.position[slot]).sort((a, b) => a - b),
      [...live],
      `seed ${seed}`,
    );
    for (const slot of found) {
      const position = table.position[slot];
      assertEquals(
        [channel.slots.get(position), table.attempts[slot]],
        [slot, position % 7],
        `seed ${seed}`,
      );
    }
    for (const list of lists) {
      const positions = slotsOf(table, list).map((slot) => table.position[slot]);
      assertEquals(positions, positions.toSorted((a, b) => a - b), `seed ${seed}`);
    }
  }
});

/** An owner that knows which slot each of its messages has. */
class TestOwner implements SlotOwner {
  readonly ready = emptyList();
  readonly slots = new Map<number, number>();
  knows = () => true;
  readonly #table: Outstanding;

  constructor(table: Outstanding) {
    this.#table = table;
  }

  due(): number {
    return 1;
  }

  moved(from: number, to: number): boolean {
    if (!this.knows()) return false;
    this.slots.set(this.#table.position[from], to);
    return true;
  }
}

function setup(): { table: Outstanding; channel: TestOwner; id: number } {
  const table = new Outstanding();
  const channel = new TestOwner(table);
  return { table, channel, id: table.owners.add(channel) };
}

/** Does all the steps of giving memory back, or the first ones. */
function shrink(table: Outstanding, steps = Infinity): void {
  const rest = table.shrinking();
  while (steps-- > 0 && !rest.next().done);
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

function deferred(table: Outstanding, id: number, dueMs: number): number {
  const slot = table.allocate(id, 0, 0);
  table.key[slot] = dueMs;
  table.state[slot] = STATE.deferred;
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
