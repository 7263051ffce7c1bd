import { assertEquals } from "@std/assert";
import { allows, type Right, type Role } from "../../src/nsqadmin/access.ts";

const OPERATED: readonly Right[] = ["change", "create", "pause", "publish", "requeue", "forget"];
const ADMINISTERED: readonly Right[] = ["empty", "delete", "tombstone", "drain", "kick", "redrive", "config"];

const ALLOWED: readonly (readonly [readonly Role[], readonly Right[]])[] = [
  [[], []],
  [["viewer"], []],
  [["peek"], ["peek"]],
  [["operator"], OPERATED],
  [["operator", "peek"], [...OPERATED, "peek"]],
  [["admin"], [...OPERATED, "peek", ...ADMINISTERED]],
];

for (const [roles, rights] of ALLOWED) {
  Deno.test(`allows() lets somebody with the roles [${roles}] do that and no more`, () => {
    const all: readonly Right[] = [...OPERATED, "peek", ...ADMINISTERED];
    assertEquals(all.filter((right) => allows(roles, right)), rights);
  });
}
