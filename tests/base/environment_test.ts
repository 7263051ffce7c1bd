import { assertEquals } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { IGNORED_VARIABLES } from "../../src/base/environment.ts";

for (const name of ["nsqd", "nsqlookupd"] as const) {
  Deno.test(`The permission set ${name} lets the program take away the variables that it ignores, and no others`, () => {
    assertEquals(manifest.permissions[name].env, [...IGNORED_VARIABLES]);
  });
}
