import { assertEquals } from "@std/assert";
import { isIP } from "node:net";
import { dialledIpVersion, ipVersion } from "../../src/base/ip_address.ts";

const TEXTS = [
  ...[
    "",
    "0.0.0.0",
    "255.255.255.255",
    "256.0.0.1",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "1.2.3.4.",
    " 1.2.3.4",
    "1.2.3.4/8",
  ],
  ...[
    "::",
    "::1",
    "1::",
    "fe80::1",
    "FD00::AB",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    ":::",
  ],
  ...[
    "::ffff:1.2.3.4",
    "::ffff:1.2.3.256",
    "::1.2.3",
    "12345::",
    "g::",
    "[::1]",
    "::1]",
    "::1/128",
    "host",
    "1",
    ":",
    "a.b:c",
  ],
];

for (const text of TEXTS) {
  Deno.test(`ipVersion() of ${JSON.stringify(text)} is ${isIP(text)}`, () => {
    assertEquals(ipVersion(text), isIP(text));
  });
}

const ZONED = [
  "fe80::1%eth0",
  "fe80::1%2",
  "::1%a-b.c",
  "::1%",
  "::1%a%b",
  "%1",
  "1.2.3.4%1",
  "::1% ",
  "::1%_",
];

for (const text of [...TEXTS, ...ZONED]) {
  Deno.test(`dialledIpVersion() of ${JSON.stringify(text)} is ${isIP(text)}`, () => {
    assertEquals(dialledIpVersion(text), isIP(text));
  });
}

Deno.test("ipVersion() takes no address with a zone", () => {
  assertEquals(ipVersion("fe80::1%eth0"), 0);
});
