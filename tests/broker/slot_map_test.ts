import { assertEquals } from "@std/assert";
import { NONE } from "../../src/broker/outstanding.ts";
import { SlotMap } from "../../src/broker/slot_map.ts";
import { Random } from "../support/random.ts";

Deno.test("SlotMap has nothing at first", () => {
  const map = new SlotMap();

  map.delete(5);

  assertEquals([map.size, map.get(0), map.get(65_535), [...map.indexes()]], [0, NONE, NONE, []]);
});

Deno.test("SlotMap has the slot that was said last", () => {
  const map = new SlotMap();

  map.add(0, 7);
  map.add(65_535, 0);
  map.replace(0, 8);

  assertEquals([map.size, map.get(0), map.get(65_535), map.get(1)], [2, 8, 0, NONE]);
});

Deno.test("SlotMap gives indexes in order", () => {
  const map = new SlotMap();

  for (const index of [500, 3, 65_535, 0, 16]) map.add(index, index + 1);

  assertEquals([...map.indexes()], [0, 3, 16, 500, 65_535]);
});

Deno.test("SlotMap keeps what a Map keeps, whatever comes and goes", () => {
  for (let seed = 0; seed < 100; seed++) {
    const random = new Random(seed);
    const map = new SlotMap();
    const naive = new Map<number, number>();
    // Few different ones, so that they meet in the table; and far ones, which end in the same cells.
    const index = () => random.below(40) + 64 * random.below(4);
    const grows = random.below(4);
    for (let i = 0; i < 500; i++) {
      const at = index();
      if (random.below(4) >= grows) {
        if (naive.has(at)) map.replace(at, i);
        else map.add(at, i);
        naive.set(at, i);
      } else {
        map.delete(at);
        naive.delete(at);
      }
      assertEquals([map.size, map.get(at)], [naive.size, naive.get(at) ?? NONE], `seed ${seed}`);
    }
    for (let at = 0; at < 300; at++) assertEquals(map.get(at), naive.get(at) ?? NONE, `seed ${seed}, ${at}`);
    assertEquals([...map.indexes()], [...naive.keys()].sort((a, b) => a - b), `seed ${seed}`);
  }
});

Deno.test("SlotMap has all messages of a segment, and none after they have gone", () => {
  const map = new SlotMap();

  for (let index = 0; index < 65_536; index++) map.add(index, 2 * index);
  assertEquals([map.size, map.get(40_000), map.indexes().length], [65_536, 80_000, 65_536]);
  for (let index = 0; index < 65_536; index++) map.delete(index);

  assertEquals([map.size, map.get(40_000), map.indexes().length], [0, NONE, 0]);
});
