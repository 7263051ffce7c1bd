import { assertEquals } from "@std/assert";
import { NodeSet } from "../../src/client/node_set.ts";

Deno.test("NodeSet has those that were named, and those that are listed", () => {
  const set = new NodeSet(["named:4150"]);

  set.answered([["a:4150"], ["a:4150", "b:4150"]]);

  assertEquals(set.nodes, ["named:4150", "a:4150", "b:4150"]);
});

Deno.test("NodeSet.answered() lets nodes go that a full answer does not list", () => {
  const set = new NodeSet(["named:4150"]);
  set.answered([["a:4150"], ["b:4150"]]);

  set.answered([["b:4150"], []]);

  assertEquals(set.nodes, ["named:4150", "b:4150"]);
  assertEquals([set.has("named:4150"), set.has("a:4150"), set.has("b:4150")], [true, false, true]);
});

Deno.test("NodeSet.answered() lets nothing go when not all have answered", () => {
  const set = new NodeSet([]);
  set.answered([["a:4150"], ["b:4150"]]);

  set.answered([undefined, ["c:4150"]]);
  set.answered([undefined, undefined]);

  assertEquals(set.nodes, ["a:4150", "b:4150", "c:4150"]);
});
