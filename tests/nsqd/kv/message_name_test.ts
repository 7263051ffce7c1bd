import { assertEquals } from "@std/assert";
import { messageName, parseMessageName } from "../../../src/nsqd/kv/message_name.ts";

const NAMES = [
  ["00000000000000050000", 0, "AAAAAAAAAAUAAAAA"],
  ["000000000000000a0000", 255, "AAAAAAAAAAoAAAD_"],
  ["ffffffffffffffffffff", 65_535, "________________"],
] as const;

Deno.test("messageName() names each message of each chunk by 16 characters, and parseMessageName() reads them", () => {
  for (const [versionstamp, index, name] of NAMES) {
    assertEquals(messageName(versionstamp, index), name);
    assertEquals(parseMessageName(name), { versionstamp, index });
  }
});
