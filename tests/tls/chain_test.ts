import { assertEquals, assertThrows } from "@std/assert";
import { Certificate } from "../../src/tls/certificate.ts";
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

Deno.test("Authorities.refusal() goes by the time that it is told, to the second", async () => {
  const made = makeCertificate({ name: "client", ca: true, days: [0, 10] });
  const { notBeforeMs, notAfterMs } = new Certificate(made.der);
  const authorities = new Authorities(made.cert);
  const times = [notBeforeMs - 1, notBeforeMs, notAfterMs, notAfterMs + 1];

  const refusals = await Promise.all(times.map((nowMs) => authorities.refusal([made.der], nowMs)));

  const refused = "x509: certificate has expired or is not yet valid";
  assertEquals(refusals, [refused, undefined, undefined, refused]);
});

Deno.test("Authorities.refusal() refuses whatever else is shown that is no certificate", async () => {
  const root = makeCertificate({ name: "authority", ca: true });
  const client = makeCertificate({ name: "client", by: root });
  const authorities = new Authorities(root.cert);
  const shown = (...certificates: Uint8Array[]) => authorities.refusal(certificates, Date.now());

  assertEquals(await shown(client.der), undefined);
  assertEquals(await shown(client.der, Uint8Array.of(0x30, 0)), "x509: malformed certificate");
  assertEquals(await shown(Uint8Array.of(0x30, 0), client.der), "x509: malformed certificate");
});

Deno.test("Authorities.refusal() looks at 100 signatures at most, however many certificates are shown", async () => {
  const { verify } = crypto.subtle;
  let checks = 0;
  crypto.subtle.verify = (...args) => {
    checks++;
    return verify.apply(crypto.subtle, args);
  };
  try {
    assertEquals(await refusal(manyOfOneName(150)), "x509: certificate signed by unknown authority");
  } finally {
    crypto.subtle.verify = verify;
  }
  assertEquals(checks, 100);
});

Deno.test("Authorities passes over what cannot be read among the trusted", async () => {
  const root = makeCertificate({ name: "authority", ca: true });
  const client = makeCertificate({ name: "client", by: root });
  const garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

  const authorities = new Authorities(`${garbage}a comment\n${root.cert}`);

  assertEquals(await authorities.refusal([client.der], Date.now()), undefined);
});

Deno.test("Authorities cannot be made of some that have signed each other in a circle", () => {
  const [first, second] = ["first", "second"].map((name) => makeCertificate({ name, ca: true }));
  const crossed = [
    makeCertificate({ name: "first", ca: true, keyOf: first, by: second }),
    makeCertificate({ name: "second", ca: true, keyOf: second, by: first }),
  ];

  assertThrows(
    () => new Authorities(crossed.map(({ cert }) => cert).join("")),
    Error,
    "Certificate authorities have signed each other in a circle",
  );
  new Authorities(crossed[0].cert + second.cert);
});
