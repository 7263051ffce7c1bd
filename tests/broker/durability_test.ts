import { assertEquals, assertThrows } from "@std/assert";
import { type Durability, DurabilityRules } from "../../src/broker/durability.ts";

Deno.test("DurabilityRules.of() is the usual durability where no rule fits", () => {
  assertEquals(new DurabilityRules("disk", []).of("orders"), "disk");
  assertEquals(new DurabilityRules("memory", ["orders=fsync"]).of("order"), "memory");
});

Deno.test("DurabilityRules.of() is that of the first rule that fits", () => {
  const rules = new DurabilityRules("memory", ["orders.*=fsync", "orders.test=memory", "*=disk"]);

  assertEquals(rules.of("orders.test"), "fsync");
  assertEquals(rules.of("orders"), "disk");
});

const PATTERNS: readonly (readonly [pattern: string, fits: readonly string[], others: readonly string[]])[] =
  [
    ["orders", ["orders"], ["order", "orders2", "my-orders", "Orders"]],
    ["orders*", ["orders", "orders.new", "orders#ephemeral"], ["my-orders"]],
    ["*orders", ["orders", "my-orders"], ["orders2"]],
    ["or*rs", ["orrs", "orders", "or.x.rs"], ["ors"]],
    ["a?c", ["abc", "a.c", "a_c"], ["ac", "abbc"]],
    // A dot is no wildcard.
    ["a.c", ["a.c"], ["abc"]],
    ["*", ["a", "a.b-c_d"], []],
    ["a-b_c.d", ["a-b_c.d"], ["a-b_cxd"]],
  ];

for (const [pattern, fits, others] of PATTERNS) {
  Deno.test(`DurabilityRules.of() takes ${pattern} for the whole of a name`, () => {
    const rules = new DurabilityRules("memory", [`${pattern}=fsync`]);
    const named = (names: readonly string[], durability: Durability) =>
      names.filter((name) => rules.of(name) === durability);

    assertEquals(named(fits, "fsync"), fits);
    assertEquals(named(others, "memory"), others);
  });
}

for (
  const rule of [
    "",
    "orders",
    "=disk",
    "orders=",
    "orders=Disk",
    "orders=disks",
    "a b=disk",
    "(a+)+=disk",
    "a=disk=b",
  ]
) {
  Deno.test(`DurabilityRules refuses the rule ${JSON.stringify(rule)}`, () => {
    assertThrows(
      () => new DurabilityRules("memory", ["fine=disk", rule]),
      SyntaxError,
      `must be <pattern>=memory|disk|fsync: ${JSON.stringify(rule)}`,
    );
  });
}
