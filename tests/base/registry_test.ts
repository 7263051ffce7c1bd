import { assertEquals } from "@std/assert";
import { Registry } from "../../src/base/registry.ts";

Deno.test("Registry has items by the numbers that they were given", () => {
  const registry = new Registry<string>();

  const ids = ["a", "b", "c"].map((item) => registry.add(item));

  assertEquals(ids.map((id) => registry.get(id)), ["a", "b", "c"]);
  assertEquals(new Set(ids).size, 3);
});

Deno.test("Registry gives numbers out again that were given back, and no others", () => {
  const registry = new Registry<string>();
  const [a, b] = [registry.add("a"), registry.add("b")];

  registry.remove(a);
  assertEquals([registry.get(a), registry.get(b)], [undefined, "b"]);
  const [c, d] = [registry.add("c"), registry.add("d")];

  assertEquals([c, [a, b].includes(d)], [a, false]);
  assertEquals([registry.get(b), registry.get(c), registry.get(d)], ["b", "c", "d"]);
});
