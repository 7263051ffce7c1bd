import { assertEquals } from "@std/assert";
import { ipOf, parseAddressOrSubnet, parseSubnet } from "../../src/nsqadmin/subnet.ts";

for (
  const [network, ip, isIn] of [
    ["127.0.0.1/8", "127.255.0.1", true],
    ["127.0.0.1/8", "128.0.0.1", false],
    ["10.1.2.0/24", "10.1.2.255", true],
    ["10.1.2.0/24", "10.1.3.0", false],
    ["10.1.2.0/24", "::ffff:10.1.2.3", true],
    ["10.1.2.3/32", "10.1.2.4", false],
    ["0.0.0.0/0", "1.2.3.4", true],
    ["0.0.0.0/0", "::1", false],
    ["::1/128", "::1", true],
    ["fd00::/8", "fd12::1", true],
    ["fd00::/8", "fe80::1", false],
    ["fd00::/8", "10.0.0.1", false],
    ["fd00::/8", "@", false],
  ] as const
) {
  Deno.test(`${ip} is ${isIn ? "" : "not "}in ${network}`, () => {
    assertEquals(parseSubnet(network)?.has(ip), isIn);
  });
}

for (
  const text of ["", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0/8", "host/8", "10.0.0.0/-1"]
) {
  Deno.test(`parseSubnet() takes ${JSON.stringify(text)} for no network`, () => {
    assertEquals(parseSubnet(text), undefined);
  });
}

for (
  const [text, isIn] of [
    ["10.1.2.3", true],
    ["10.1.2.4", false],
    ["10.0.0.0/8", true],
    ["::ffff:10.1.2.3", false],
    ["::1", false],
    ["proxy", undefined],
    ["", undefined],
  ] as const
) {
  Deno.test(`10.1.2.3 is ${isIn} of parseAddressOrSubnet(${JSON.stringify(text)})`, () => {
    assertEquals(parseAddressOrSubnet(text)?.has("10.1.2.3"), isIn);
  });
}

for (
  const [address, ip] of [
    ["10.1.2.3:80", "10.1.2.3"],
    ["10.1.2.3", "10.1.2.3"],
    ["[::1]:80", "::1"],
    ["[::1]", "::1"],
    ["::1", "::1"],
    ["@", undefined],
    ["host:80", undefined],
    ["", undefined],
  ] as const
) {
  Deno.test(`ipOf() is ${ip} of ${JSON.stringify(address)}`, () => {
    assertEquals(ipOf(address), ip);
  });
}
