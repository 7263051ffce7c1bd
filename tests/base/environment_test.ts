import { assertEquals } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { IGNORED_VARIABLES } from "../../src/base/environment.ts";
import { TOKENS_VARIABLE } from "../../src/nsqd/api/guard.ts";

for (
  const [name, own] of [
    ["nsqd", [TOKENS_VARIABLE, "OTEL_DENO"]],
    ["nsqlookupd", []],
    ["nsqadmin", []],
  ] as const
) {
  Deno.test(`The permission set ${name} lets the program take away the variables that it ignores, read its own, and no others`, () => {
    assertEquals(manifest.permissions[name].env, [...IGNORED_VARIABLES, ...own]);
  });
}
