import { assertEquals } from "@std/assert";
import { advertisedLine, nodeInfoOf, type NodeInfoSource } from "../../../src/nsqd/node/info.ts";

/** A node that listens on ports of its own, but for what is given. */
function node(given: Partial<NodeInfoSource> & { readonly address?: string } = {}): NodeInfoSource {
  const { address = "nsqd.example", ...others } = given;
  const options = { broadcastAddress: address, broadcastTcpPort: 0, broadcastHttpPort: 0 };
  const topology = { topologyRegion: "r", topologyZone: "z" };
  return { options: { ...options, ...topology }, hostname: "host", tcpPort: 4150, httpPort: 4151, ...others };
}

Deno.test("nodeInfoOf() has the ports that are listened on", () => {
  assertEquals(nodeInfoOf(node()), {
    broadcast_address: "nsqd.example",
    hostname: "host",
    http_port: 4151,
    tcp_port: 4150,
    topology_region: "r",
    topology_zone: "z",
    version: "1.3.0",
  });
});

Deno.test("nodeInfoOf() has the ports that are configured instead", () => {
  const { options } = node();
  const info = nodeInfoOf(node({ options: { ...options, broadcastTcpPort: 1111, broadcastHttpPort: 2222 } }));

  assertEquals([info.tcp_port, info.http_port], [1111, 2222]);
});

Deno.test("nodeInfoOf() has 0 for a port that there is not", () => {
  const info = nodeInfoOf(node({ tcpPort: undefined, httpPort: -1 }));

  assertEquals([info.tcp_port, info.http_port], [0, 0]);
});

Deno.test("advertisedLine() says where others find the node", () => {
  assertEquals(
    advertisedLine(nodeInfoOf(node())),
    "NSQ: advertising nsqd.example:4150 (TCP), nsqd.example:4151 (HTTP)",
  );
  assertEquals(
    advertisedLine(nodeInfoOf(node({ address: "::1" }))),
    "NSQ: advertising [::1]:4150 (TCP), [::1]:4151 (HTTP)",
  );
});

Deno.test("advertisedLine() says what others cannot find", () => {
  const unix = node({ tcpPort: undefined, httpPort: undefined });

  assertEquals(advertisedLine(nodeInfoOf(unix)), "NSQ: advertising no TCP, no HTTP");
});
