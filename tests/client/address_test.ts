import { assertEquals, assertThrows } from "@std/assert";
import { parseNodeAddress } from "../../src/client/mod.ts";

const ADDRESSES: readonly (readonly [text: string, address: object])[] = [
  ["localhost:4150", { kind: "tcp", host: "localhost", port: 4150 }],
  ["node.example", { kind: "tcp", host: "node.example", port: 4150 }],
  ["nsq://10.0.0.1:1", { kind: "tcp", host: "10.0.0.1", port: 1 }],
  ["[::1]:65535", { kind: "tcp", host: "::1", port: 65535 }],
  ["nsqs://node:4152", { kind: "tls", host: "node", port: 4152 }],
  ["unix:/run/nsqd.sock", { kind: "unix", path: "/run/nsqd.sock" }],
  ["unix:///run/nsqd.sock", { kind: "unix", path: "/run/nsqd.sock" }],
  ["wss://node/v2", { kind: "websocket", url: "wss://node/v2" }],
  ["http://node:4151", { kind: "http", url: "http://node:4151" }],
];

for (const [text, address] of ADDRESSES) {
  Deno.test(`parseNodeAddress() reads ${text}`, () => {
    assertEquals<object>(parseNodeAddress(text), { ...address, text });
  });
}

for (
  const text of ["", ":4150", "node:0", "node:65536", "a b:1", "::1", "unix:", "ws://", "ftp://node:1/x"]
) {
  Deno.test(`parseNodeAddress() refuses ${JSON.stringify(text)}`, () => {
    assertThrows(() => parseNodeAddress(text), TypeError);
  });
}
