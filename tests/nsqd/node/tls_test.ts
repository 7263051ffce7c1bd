import { assertEquals } from "@std/assert";
import { defaultOptions } from "../../../src/config/option.ts";
import { TLS_OPTIONS, withImplied } from "../../../src/nsqd/node/tls.ts";

const DEFAULTS = defaultOptions(TLS_OPTIONS);

Deno.test("withImplied() requires TLS where clients must have certificates", () => {
  const policy = { ...DEFAULTS, tlsClientAuthPolicy: "require" };

  assertEquals(withImplied(policy).tlsRequired, "true");
  assertEquals(withImplied({ ...policy, tlsRequired: "tcp-https" }).tlsRequired, "tcp-https");
  assertEquals(withImplied(DEFAULTS), DEFAULTS);
});
