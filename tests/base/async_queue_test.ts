import { assertEquals } from "@std/assert";
import { AsyncQueue } from "../../src/base/async_queue.ts";

Deno.test("AsyncQueue gives items in the order in which they came, and ends after the last", async () => {
  const queue = new AsyncQueue<number>({ countMax: 10 });
  queue.push(1);
  queue.push(2);
  queue.end();

  assertEquals(await Array.fromAsync(queue), [1, 2]);
});

Deno.test("AsyncQueue lets the one who takes out wait for the next item", async () => {
  const queue = new AsyncQueue<number>({ countMax: 10 });
  const items = queue[Symbol.asyncIterator]();
  const first = items.next();

  queue.push(1);
  assertEquals(await first, { done: false, value: 1 });

  const second = items.next();
  queue.end();
  assertEquals(await second, { done: true, value: undefined });
});

Deno.test("AsyncQueue refuses items for which there is no room", async () => {
  const queue = new AsyncQueue<number>({ countMax: 2 });

  assertEquals([queue.push(1), queue.push(2), queue.push(3)], [true, true, false]);

  queue.end();
  assertEquals(await Array.fromAsync(queue), [1, 2]);
});
