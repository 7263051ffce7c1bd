import { assertEquals } from "@std/assert";
import { nextId, writeWindow } from "../../../src/net/threads/records.ts";
import { RecordRing } from "../../support/record_ring.ts";

const ID_MAX = 2 ** 31 - 1;

Deno.test("nextId() begins anew behind the largest, and leaves out what is in use", () => {
  assertEquals(nextId(0, new Set()), 1);
  assertEquals(nextId(ID_MAX - 1, new Set()), ID_MAX);
  assertEquals(nextId(ID_MAX, new Set()), 1);
  assertEquals(nextId(ID_MAX - 2, new Set([ID_MAX - 1, ID_MAX, 1, 2])), 3);
});

Deno.test("writeWindow() is 64 KiB, or half of what may wait in all", () => {
  const KIB = 1024;

  assertEquals([256 * KIB, 128 * KIB, 128 * KIB - 2, 3, 1, 0].map(writeWindow), [
    64 * KIB,
    64 * KIB,
    64 * KIB - 1,
    1,
    1,
    1,
  ]);
});

Deno.test("A ring gives the largest number of a connection as it was put in", () => {
  const ring = new RecordRing();

  ring.outbox.post(1, ID_MAX);

  assertEquals(ring.take().map(({ id }) => id), [ID_MAX]);
});
