import { assertEquals } from "@std/assert";
import { collectGarbage } from "../../src/base/collect_garbage.ts";

Deno.test("collectGarbage() frees what nothing refers to any more, and lets nobody else do that", () => {
  const freed: string[] = [];
  const registry = new FinalizationRegistry((name: string) => freed.push(name));
  const refs = ["minor", "major"].map((name) => {
    const buffer = new ArrayBuffer(1000);
    registry.register(buffer, name);
    return new WeakRef(buffer);
  });
  return new Promise<void>((resolve) => setTimeout(resolve)).then(() => {
    collectGarbage("minor");
    collectGarbage("major");

    assertEquals(refs.map((ref) => ref.deref()), [undefined, undefined]);
    assertEquals("gc" in globalThis, false);
  });
});
