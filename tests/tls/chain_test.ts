import { assertEquals, assertLessOrEqual, assertThrows } from "@std/assert";
import { Authorities } from "../../src/tls/chain.ts";
import { makeCertificate } from "../support/certificate_builder.ts";
import { CHAINS, type MadeChain, manyOfOneName, rootsOf } from "../support/chains.ts";

function refusal(chain: MadeChain): Promise<string | undefined> {
  return new Authorities(rootsOf(chain)).refusal(chain.shown.map(({ der }) => der), Date.now());
}

for (const { name, isGood, isGoodHere = isGood, reason, make } of CHAINS) {
  Deno.test(`Authorities.refusal() ${isGoodHere ? "takes" : "refuses"} ${name}`, async () => {
    assertEquals(await refusal(make()), isGoodHere ? undefined : reason);
  });
}
