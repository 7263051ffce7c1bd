import { Buffer } from "node:buffer";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { PublicKey, SignatureAlgorithm } from "../../src/tls/signature.ts";
import { der, makeCertificate, oid, seq } from "../support/certificate_builder.ts";

const TEXT = bytes("a signed text");
const RSA_SHA256 = seq(oid("1.2.840.113549.1.1.11"), der(0x05));
const ECDSA_SHA256 = seq(oid("1.2.840.10045.4.3.2"));

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function algorithm(identifier: Uint8Array): SignatureAlgorithm {
  const known = SignatureAlgorithm.of(identifier);
  if (!known) throw new Error("The algorithm is not known");
  return known;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(text, "base64"));
}

Deno.test("PublicKey.verify() works with RSA keys of 8192 bits, which the runtime does not", async () => {
  const key = new PublicKey(fromBase64(LARGE_KEY));
  const signature = fromBase64(LARGE_SIGNATURE);
  const changed = signature.slice();
  changed[500] ^= 1;

  assertEquals(await key.verify(algorithm(RSA_SHA256), TEXT, signature), true);
  assertEquals(await key.verify(algorithm(RSA_SHA256), bytes("another text."), signature), false);
  assertEquals(await key.verify(algorithm(RSA_SHA256), TEXT, changed), false);
  assertEquals(await key.verify(algorithm(RSA_SHA256), TEXT, signature.subarray(1)), false);
  assertEquals(await key.verify(algorithm(RSA_SHA256), TEXT, new Uint8Array(1024)), false);
  assertEquals(await key.verify(algorithm(RSA_SHA256), TEXT, new Uint8Array(1024).fill(255)), false);
});

Deno.test("PublicKey.verify() takes no signature of another scheme", async () => {
  const { publicKey } = makeCertificate({ name: "a", key: "rsa2048" });
  const key = new PublicKey(publicKey.export({ type: "spki", format: "der" }));

  assertEquals(await key.verify(algorithm(ECDSA_SHA256), TEXT, new Uint8Array(64)), false);
});

Deno.test("PublicKey.verify() takes nothing for a signature of ECDSA that is not two numbers in DER", async () => {
  const { publicKey } = makeCertificate({ name: "a" });
  const key = new PublicKey(publicKey.export({ type: "spki", format: "der" }));
  const one = der(0x02, Uint8Array.of(1));
  const wrong = [
    new Uint8Array(),
    new Uint8Array(64),
    seq(one),
    seq(one, one, one),
    seq(one, der(0x02)),
    seq(one, der(0x02, Uint8Array.of(0xff))),
    seq(one, der(0x02, new Uint8Array(40).fill(1))),
    seq(der(0x02, Uint8Array.of(0)), der(0x02, Uint8Array.of(0))),
  ];

  for (const signature of wrong) {
    assertEquals(await key.verify(algorithm(ECDSA_SHA256), TEXT, Uint8Array.from(signature)), false);
  }
});

Deno.test("PublicKey.verify() rejects when a key on a curve is no point of it", async () => {
  const curve = seq(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7"));
  const key = new PublicKey(seq(curve, der(0x03, new Uint8Array(66))));

  await assertRejects(() =>
    key.verify(
      algorithm(ECDSA_SHA256),
      TEXT,
      Uint8Array.from(seq(
        der(0x02, Uint8Array.of(1)),
        der(0x02, Uint8Array.of(1)),
      )),
    )
  );
});

Deno.test("PublicKey refuses what it is not", () => {
  const rsa = seq(oid("1.2.840.113549.1.1.1"), der(0x05));
  const rsaKey = (bits: number, exponent: number) => {
    const modulus = new Uint8Array(1 + bits / 8).fill(0xff, 1);
    return seq(rsa, der(0x03, Uint8Array.of(0), seq(der(0x02, modulus), der(0x02, Uint8Array.of(exponent)))));
  };

  new PublicKey(rsaKey(2048, 3));
  new PublicKey(rsaKey(8192, 3));
  for (const [bits, exponent] of [[2040, 3], [8200, 3], [2048, 1], [2048, 4]]) {
    assertThrows(() => new PublicKey(rsaKey(bits, exponent)), RangeError);
  }
  assertThrows(() => new PublicKey(seq(seq(oid("1.2.3")), der(0x03, Uint8Array.of(0)))), SyntaxError);
  const curve = seq(oid("1.2.840.10045.2.1"), oid("1.3.132.0.33"));
  assertThrows(() => new PublicKey(seq(curve, der(0x03, Uint8Array.of(0)))), SyntaxError);
});

Deno.test("SignatureAlgorithm.of() knows none with MD5, SHA-1, other parameters, or DSA", () => {
  const others = [
    seq(oid("1.2.840.113549.1.1.4"), der(0x05)),
    seq(oid("1.2.840.113549.1.1.5"), der(0x05)),
    seq(oid("1.2.840.10045.4.1")),
    seq(oid("1.2.840.113549.1.1.10"), seq()),
    seq(oid("2.16.840.1.101.3.4.3.2")),
    seq(oid("1.3.101.112"), der(0x05)),
  ];

  assertEquals(others.map((identifier) => SignatureAlgorithm.of(identifier)), others.map(() => undefined));
});

const LARGE_KEY = [
  "MIIEIjANBgkqhkiG9w0BAQEFAAOCBA8AMIIECgKCBAEAv+yNk48emLDGyOdwmdIAJFHS9dLlzxJuxebVC6kJZDd1ptHEdudaW0jI",
  "Y4IWzCMpcVNoMZB5if/TneYyD/MS5r7MOI8ky03g88rXvbzZnqMSodpZjTzkry+kT5+WIhAqAYjCBSdr6XTdEkka5iiFU7wSk6j4",
  "unoFhpEpJz0LE71cbqVJPpZeW3l7AQ+IgfEIPYxaMHpNKxTdr0cAcTi/MiQUH0jeRkD89lhZc3gj2CNwQpAUXasKmlM1I2N85j9Z",
  "5qyPCSsH4VLrfCxgMz/X2EyMqIZVYGARTIvdWbIglwnYyre9pY/oUIvJXs0HTki2tucGLRLRCxipLF5tp8/mwkafz8NQ43ROUU40",
  "daW9FNG3JbXnjOgGb3hOql/dpjcsaFBhr/TUnH5/KyI90TPBDYzUHVufMWVxVFUaFlgOKv/KO0k2jraszsHCtkUCQFXXWbBX64KP",
  "YF878Ya2vxQ99q1O7DahWoRklUpWoygpcFMKU9Pa3X8hKuspGZxP9tsdcMph9au0aDgENDwusX4T2GA/fMSAefFP1T4fGDeT0Zfv",
  "K4ObW6auHVndzMIBQH6A3oQzOJ0LhEeL7GM+yNCQKTDdBxpYobzaXXUy7Pz/Pm7ri5KH3kMJbAP5L28kj/+XYG36r0Y9gDHlFdDB",
  "VBeP5Gtd988vz3aBtW4OXj1eOyLp6YZ54AOHaClGIMSIJ3CaNqjATNhFXjRKrsDURky4vWMLqbkTa11/bRPPw1D9Wr92Ey9xdSOf",
  "Kbt8zvhZyDqvIQNQdFHH7vaSwovo+alFSZwSdJUnegtCRNb1n5bNbUGlOw1btjSvGZjbaVw7RWe5Ksia0z+2IETTA22NLYy3FJBC",
  "YwgAqqy1zRYCuhu+7whtJyB4BzLBj4PgPI+moLqMwEFcKQwVM9k4fk/LkSFl/DtquSQeEDA6yYDT+fRaRp2zoWVvdgjBOX+ovKc4",
  "XzWTzTCF5usH33c++78gTcS4jmgWYqFvQglvZGTgB9NorIM9+I2tWxZemEna7R6gbrfiu8RyYEIS9DqHkr3vjxRd8+F781wuTtpT",
  "7xlG45C1DTX9g09f+N/J5C6qiRk+6G/oQR3kaW9peANxc2eiCy5aZ+AUzVWVMJvhS+0ko6oIWn8aZyspkMVrCoFeZ4P3T0XcXEZN",
  "FAGvSvXjyuPI6QzzIrTpS5aCzeMp/X/zqgU8dpwAfcQigtyef5+xyVNidJfRhj0pqbasv+qFqX1PRVlTj0P+cAwiBL/ChoCTKcW0",
  "KfMrjdEzzlrfZPb2SQ7HANgpri2RWxkR6PnW7KFUMyLOdl96a0oVUpr2DAFdqqpfuLwdGEbR8Qd11GUNoKAbiRvzbrU3sDaYdoNl",
  "+h8jEb7gVwIDAQAB",
].join("");
const LARGE_SIGNATURE = [
  "lby+TWN3/XFi29hMVt2cd6a+S602p4pDvs+8GLqsvugLzKdkbaXq5wrrQfO+PYre2cvDnIGwSwKz/73UYtEYvMWNG10UhIBDUfNZ",
  "bkSzaWebnvK4RcQxCbM4LfKLV/3ddLmPo1//4yTC1v+OqKExINFYzXN4oOWJRxz5tJlgMQ/zupv5V6wRWNiVGwLFX8S6lcrpHk7j",
  "bVrxAFGP9CM0HkSuuhPXe2gPiHGlgjOlOPiZ0c7s2h8Yr8GX3IIllVWM8WFOtkwbgUXi2UsqW3gDADXXS+ol7/LhGlt4YHeeH6rO",
  "TIVALXMz+j6O5kq+EdJj5YRgaxYteDaV4ISyVlzPgVe3os2bYrIHqHU1WGkICCgeZnreL4ej8ZY23xKYr7GjhVk8A8CkrfbIb3N4",
  "TAi+6eAAG1CUCGR6k4el5AGNKy1Xvlj/ncL9ia5L9Lu3Ct9Kmz9fI1PxyKs3KKRPYbwlDy/b70NSXDR+5SZRJhH9DKJmQlL4DD+q",
  "BSlZ5cQ2jFFHvQEYF+62AdYvSjcAmugDObKpmHVsD4uHo5EhxuMJdJtOCQtHPCREufGrWA9RwCLr/YeIjeLuDXPjqxwdUyM9cbTD",
  "XpsOXOxAi7FsoVbRrpnn6ePiz8xapFLo+zo+ZVvaIQwkhGN6NBChhXoJIW4/Ofmrpk7jm6nsX6BUqYPebUplEyzfV23MQVEfva9c",
  "vCLC6xL7ZuJVu470mvaTC58OlUFGGE93YSjoNWhByrbmy/NdSYPkmJhPvQNvFmaE+XKOmcvE7xBkkpDjsz/8HtJsJQQg9x5WB47q",
  "9Rj5lsEeiz9a9BlHGgJdMKEoXV0PoAEyEBCxhJ+6/XneOC647NYgE6y4WJVYxAP2OVQDZCKw9ctcEoAEWuNQoLw4M19Vj47rp469",
  "rwQKAmLkZbV32bWpSN6YUqWLH0mxPchSyV9LOEZE+W4BMS7O+mJ0YMOlNRZLby5a4puEva5x9Q6Uo27+jt0nnKy0wSMF5i2yxNzK",
  "f8wwJOIsCOZLlyokZlDhdQ6yuz8Iox1uJm10XiFtyhrRQYk6M3gceIYGIaxckU2DNZUGb5JC9RxKUpatX4HP2oR5wPKMsA5w8ySz",
  "jCyvt5H2U0ryGltGOXsJsQg/yfhCr8jtK2eONQjaQTgAyPeuQiH3WRIy/mJpj/76KT/TT7+ewCKrFLrQq9b72T4XmKCIaBNyhclK",
  "AmTn/15FtmKby+8ocOzvGvXkxwzz0N7E0af4+wAY4T4QL+qDxhtPx5NvCnJJJcmubkEHEwpYRao+57++hJXgnzJevHQuFR9E2uw7",
  "EaH8+91lE1L7lWvCnn/cLKBR3DRZyHw34cyrxbcBql+MMQ3wYNiwubWjGo42RZYyew==",
].join("");
