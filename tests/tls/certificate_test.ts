import { assertEquals, assertThrows } from "@std/assert";
import { Certificate } from "../../src/tls/certificate.ts";
import { der, makeCertificate } from "../support/certificate_builder.ts";
import { CHAINS } from "../support/chains.ts";
import { Random } from "../support/random.ts";

const CHANGES = 20_000;

Deno.test("Certificate reads what a certificate says of its owner", () => {
  const root = makeCertificate({ name: "authority", ca: true });
  const made = makeCertificate({
    name: "a",
    by: root,
    ca: true,
    pathLength: 3,
    usages: ["client"],
    keyUsage: 4,
  });

  const certificate = new Certificate(made.der);

  assertEquals(certificate.version, 3);
  assertEquals(certificate.authority, { isAuthority: true, pathLengthMax: 3 });
  assertEquals(certificate.usages, ["2b06010505070302"]);
  assertEquals([certificate.maySign, certificate.demand, certificate.requiresPolicies], [
    true,
    undefined,
    false,
  ]);
  assertEquals(certificate.issuer, new Certificate(root.der).subject);
});

Deno.test("Certificate is not made of a part of one, or of one and something more", () => {
  const { der: bytes } = makeCertificate({ name: "a", ca: true, names: { dns: ["a.example"] } });

  for (let length = 0; length < bytes.length; length++) {
    assertThrows(() => new Certificate(bytes.subarray(0, length)), SyntaxError);
  }
  assertThrows(() => new Certificate(Uint8Array.of(...bytes, 0)), SyntaxError);
  assertThrows(() => new Certificate(der(0x30, bytes)), SyntaxError);
});

Deno.test("Certificate is one, or a SyntaxError, whatever the bytes are", () => {
  const random = new Random(20261128);
  const made = CHAINS.filter(({ name }) => !name.includes("rsa")).map(({ make }) => make().shown[0].der);
  let read = 0;
  for (let i = 0; i < CHANGES; i++) {
    const bytes = made[random.below(made.length)].slice();
    for (let changes = 1 + random.below(3); changes > 0; changes--) {
      bytes[random.below(bytes.length)] = random.below(256);
    }
    try {
      new Certificate(bytes);
      read++;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }

  // Most of the bytes are those of keys and signatures, which nobody has looked at.
  assertEquals(read > CHANGES / 4 && read < CHANGES, true, `${read} of ${CHANGES} could be read`);
});
