import { assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { parseNodeInfo } from "../../src/protocol/lookup_node_info.ts";
import { bytesOf } from "../support/frames.ts";
import { NODE } from "../support/lookup_frames.ts";

const DECODE = "E_BAD_BODY IDENTIFY failed to decode JSON body";
const MISSING = "E_BAD_BODY IDENTIFY missing fields";

function parse(fields: unknown) {
  return parseNodeInfo(new TextEncoder().encode(JSON.stringify(fields)));
}

function refusal(body: string | Uint8Array): string {
  return assertThrows(() => parseNodeInfo(bytesOf(body)), ProtocolError).message;
}

Deno.test("parseNodeInfo() takes what an nsqd says, and nothing else", () => {
  assertEquals(parse({ ...NODE, topology_zone: "z", topology_region: "r", x: 1, remote_address: "y" }), {
    hostname: "host1",
    broadcast_address: "addr1",
    tcp_port: 4150,
    http_port: 4151,
    version: "1.3.0",
    topology_zone: "z",
    topology_region: "r",
  });
});

Deno.test("parseNodeInfo() takes keys in any case and null for nothing said, as Go does", () => {
  const { hostname, tcp_port } = parse({
    ...NODE,
    tcp_port: null,
    TCP_Port: 7,
    HOSTNAME: null,
    hostname: "h",
  });

  assertEquals([hostname, tcp_port], ["h", 7]);
});

Deno.test("parseNodeInfo() takes text in UTF-8, and replaces what is none", () => {
  const bytes = new TextEncoder().encode(JSON.stringify({ ...NODE, hostname: "é?" }));
  bytes[bytes.indexOf(63)] = 0xff;

  assertEquals(parseNodeInfo(bytes).hostname, "é\ufffd");
});

for (const field of ["broadcast_address", "tcp_port", "http_port", "version"] as const) {
  Deno.test(`parseNodeInfo() refuses to do without ${field}`, () => {
    const { [field]: value, ...others } = NODE;

    assertEquals(refusal(JSON.stringify(others)), MISSING);
    assertEquals(refusal(JSON.stringify({ ...NODE, [field]: typeof value === "string" ? "" : 0 })), MISSING);
  });
}

Deno.test("parseNodeInfo() does without the host's name", () => {
  const { hostname: _, ...others } = NODE;

  assertEquals(parse(others).hostname, "");
});

const BAD: readonly [name: string, body: string][] = [
  ["no JSON", "{nope"],
  ["an empty body", ""],
  ["a list", "[]"],
  ["a text", '"x"'],
  ["two values", "{}{}"],
  ["a byte order mark", "\xef\xbb\xbf{}"],
  ["a port in quotes", '{"tcp_port":"4150"}'],
  ["a number for a name", '{"hostname":1}'],
  ["a fraction", '{"http_port":1.5}'],
  ["a number beyond what is exact", '{"http_port":9007199254740993}'],
  ["lists in lists", "[".repeat(60_000)],
];

for (const [name, body] of BAD) {
  Deno.test(`parseNodeInfo() refuses ${name}`, () => {
    assertEquals(refusal(body), DECODE);
  });
}

Deno.test("parseNodeInfo() takes null for an nsqd that says nothing", () => {
  assertEquals(refusal("null"), MISSING);
});

Deno.test("parseNodeInfo() takes no inherited name for a field", () => {
  assertEquals(
    parseNodeInfo(bytesOf(JSON.stringify(NODE).replace("{", '{"__proto__":{"x":1},"toString":1,'))),
    {
      ...NODE,
      topology_zone: "",
      topology_region: "",
    },
  );
});
