import { assertEquals } from "@std/assert";
import { type Address, parseAddress } from "../../src/config/address.ts";

const CASES: readonly (readonly [text: string, address: Address | undefined])[] = [
  ["127.0.0.1:4150", { kind: "tcp", hostname: "127.0.0.1", port: 4150 }],
  ["localhost:0", { kind: "tcp", hostname: "localhost", port: 0 }],
  [":4150", { kind: "tcp", hostname: "", port: 4150 }],
  ["localhost:", { kind: "tcp", hostname: "localhost", port: 0 }],
  ["[::1]:4150", { kind: "tcp", hostname: "::1", port: 4150 }],
  ["[::1%lo0]:80", { kind: "tcp", hostname: "::1%lo0", port: 80 }],
  ["127.0.0.1:65535", { kind: "tcp", hostname: "127.0.0.1", port: 65_535 }],
  ["127.0.0.1:65536", undefined],
  ["127.0.0.1:99999", undefined],
  ["127.0.0.1:-1", undefined],
  ["127.0.0.1:http", undefined],
  ["", undefined],
  ["/var/run/nsqd.sock", { kind: "unix", path: "/var/run/nsqd.sock" }],
  ["localhost", { kind: "unix", path: "localhost" }],
  ["::1:4150", { kind: "unix", path: "::1:4150" }],
];

for (const [text, address] of CASES) {
  Deno.test(`parseAddress() reads "${text}"`, () => {
    assertEquals(parseAddress(text), address);
  });
}
