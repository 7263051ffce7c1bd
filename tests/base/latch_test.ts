import { assertEquals } from "@std/assert";
import { Latch } from "../../src/base/latch.ts";

Deno.test("Latch.get() gives the value that is there, or the one that comes", async () => {
  const latch = new Latch<string>();
  const waiting = latch.get();

  latch.set("a");

  assertEquals([await waiting, await latch.get(), latch.value], ["a", "a", "a"]);
});

Deno.test("Latch.get() waits for another value after clear()", async () => {
  const latch = new Latch<string>();
  latch.set("a");
  latch.clear();
  const waiting = latch.get();
  assertEquals(latch.value, undefined);

  latch.set("b");

  assertEquals(await waiting, "b");
});

Deno.test("Latch.set() takes the place of a value that is there", async () => {
  const latch = new Latch<string>();
  latch.set("a");

  latch.set("b");

  assertEquals(await latch.get(), "b");
});

Deno.test("Latch.end() lets nobody wait any more", async () => {
  const latch = new Latch<string>();
  const waiting = latch.get();

  latch.end();
  latch.set("a");
  latch.clear();

  assertEquals([await waiting, await latch.get(), latch.value], [undefined, undefined, undefined]);
});

Deno.test("Latch.end() takes the value away", async () => {
  const latch = new Latch<string>();
  latch.set("a");

  latch.end();

  assertEquals(await latch.get(), undefined);
});
