import { assertEquals } from "@std/assert";
import type { SerfMember } from "../../../src/cluster/serf_records.ts";
import {
  decodeEvent,
  encodeEvent,
  eventName,
  type GossipEvent,
  nodeNameOf,
  producerInfo,
  TAG_NAMES,
  tagsOf,
} from "../../../src/nsqd/gossip/event.ts";
import type { NodeInfo } from "../../../src/protocol/lookup_requests.ts";

const NODE: NodeInfo = {
  broadcast_address: "broadcast.example",
  hostname: "host.example",
  http_port: 4151,
  tcp_port: 4150,
  topology_region: "",
  topology_zone: "",
  version: "1.3.0",
};

const MEMBER: SerfMember = {
  name: "broadcast.example:4150",
  address: "10.0.0.1",
  port: 7946,
  status: "alive",
  tags: new Map([
    ["role", "nsqd"],
    ["tp", "4150"],
    ["hp", "4151"],
    ["hps", "4152"],
    ["ba", "broadcast.example"],
    ["h", "host.example"],
    ["v", "1.3.0"],
  ]),
};

Deno.test("tagsOf() gives the tags of NSQ's branch dev", () => {
  assertEquals(tagsOf(NODE, 4152), {
    role: "nsqd",
    tp: "4150",
    hp: "4151",
    hps: "4152",
    ba: "broadcast.example",
    h: "host.example",
    v: "1.3.0",
  });
});

Deno.test("tagsOf() leaves out what there is not: HTTPS, zone and region", () => {
  assertEquals(Object.keys(tagsOf(NODE, undefined)), ["role", "tp", "hp", "ba", "h", "v"]);

  const placed = tagsOf({ ...NODE, topology_zone: "a1", topology_region: "eu" }, undefined);
  assertEquals([placed.tz, placed.tr], ["a1", "eu"]);
});

Deno.test("TAG_NAMES has every tag that a node may have", () => {
  const tags = tagsOf({ ...NODE, topology_zone: "a1", topology_region: "eu" }, 4152);

  assertEquals(Object.keys(tags).toSorted(), TAG_NAMES.toSorted());
});

Deno.test("nodeNameOf() gives the name of NSQ's branch dev, an IPv6 address in brackets", () => {
  assertEquals(nodeNameOf(NODE), "broadcast.example:4150");
  assertEquals(nodeNameOf({ ...NODE, broadcast_address: "::1" }), "[::1]:4150");
});

Deno.test("producerInfo() reads a member's tags", () => {
  assertEquals(producerInfo(MEMBER), { ...NODE, remote_address: "10.0.0.1:7946" });
});

Deno.test("producerInfo() gives back what tagsOf() was given", () => {
  const node = { ...NODE, topology_zone: "a1", topology_region: "eu" };

  const info = producerInfo({ ...MEMBER, tags: new Map(Object.entries(tagsOf(node, undefined))) });

  assertEquals(info, { ...node, remote_address: "10.0.0.1:7946" });
});

Deno.test("producerInfo() knows no producer in a member that cannot be reached, or is something else", () => {
  const unusable: readonly [string, string][] = [
    ["role", ""],
    ["role", "web"],
    ["tp", ""],
    ["tp", "0"],
    ["tp", "65536"],
    ["tp", "4150x"],
    ["tp", "-1"],
    ["ba", ""],
    ["ba", "a\nINFO: forged"],
    ["ba", "a b"],
    ["ba", "x".repeat(256)],
  ];
  for (const [name, value] of unusable) {
    const tags = new Map(MEMBER.tags).set(name, value);
    assertEquals(producerInfo({ ...MEMBER, tags }), undefined, `${name}=${value}`);
  }
  assertEquals(producerInfo({ ...MEMBER, tags: new Map() }), undefined);
});

Deno.test("producerInfo() leaves out what else is wrong", () => {
  const tags = new Map(MEMBER.tags);
  for (const name of ["h", "v", "tz", "tr"]) tags.set(name, "\x1b[2J");
  tags.set("hp", "none");

  const info = producerInfo({ ...MEMBER, tags });

  assertEquals(info, { ...NODE, remote_address: "10.0.0.1:7946", hostname: "", version: "", http_port: 0 });
});

Deno.test("eventName() says what, and what has become of it", () => {
  assertEquals(eventName({ operation: "+", channel: undefined }), "topic+");
  assertEquals(eventName({ operation: "=", channel: "c" }), "channel=");
  assertEquals(eventName({ operation: "-", channel: "c" }), "channel-");
});

Deno.test("encodeEvent() gives the JSON of NSQ's branch dev, with every digit of the time", () => {
  const encode = (channel: string | undefined) =>
    new TextDecoder().decode(encodeEvent({ node: "a:4150", topic: "t", channel }, 1706702400123456789n));

  assertEquals(encode("c"), '{"n":"a:4150","t":"t","c":"c","r":1706702400123456789}');
  assertEquals(encode(undefined), '{"n":"a:4150","t":"t","c":"","r":1706702400123456789}');
});

Deno.test("encodeEvent() stays below the size that Serf sends, whatever the names", () => {
  const event = { node: `${"x".repeat(255)}:65535`, topic: "t".repeat(64), channel: "c".repeat(64) };

  const size = encodeEvent(event, 9_223_372_036_854_775_807n).length + "channel+".length;

  assertEquals(size <= 512, true, `${size} bytes`);
});

Deno.test("decodeEvent() reads what a node says", () => {
  const order = 1706702400123456789;
  const cases: readonly [string, string, GossipEvent][] = [
    ["topic+", '{"n":"a","t":"t","c":"","r":5}', {
      node: "a",
      operation: "+",
      topic: "t",
      channel: undefined,
      order: 5,
    }],
    ["channel-", '{"n":"a","t":"t","c":"c#ephemeral","r":1706702400123456789}', {
      node: "a",
      operation: "-",
      topic: "t",
      channel: "c#ephemeral",
      order,
    }],
    // NSQ reads nothing but the last character of the name.
    ["=", '{"n":"a","t":"t","r":5}', { node: "a", operation: "=", topic: "t", channel: undefined, order: 5 }],
  ];
  for (const [name, json, event] of cases) assertEquals(decode(name, json), event, json);
});

Deno.test("decodeEvent() gives nothing for what is no such event", () => {
  const good = '{"n":"a","t":"t","c":"c","r":5}';
  const cases: readonly [string, string][] = [
    ["", good],
    ["deploy", good],
    ["topic*", good],
    ["topic+", ""],
    ["topic+", "null"],
    ["topic+", "[]"],
    ["topic+", '"t"'],
    ["topic+", good.slice(0, -1)],
    ["topic+", '{"n":1,"t":"t","c":"c","r":5}'],
    ["topic+", '{"n":"a","t":null,"c":"c","r":5}'],
    ["topic+", '{"n":"a","t":"t","c":["c"],"r":5}'],
    ["topic+", '{"n":"a","t":"t","c":"c","r":"5"}'],
    ["topic+", '{"n":"a","t":"t","c":"c"}'],
    ["topic+", '{"n":"a","t":"t","c":"c","r":1e400}'],
    ["topic+", '{"n":"a","t":"t","c":"c","r":-1}'],
    ["topic+", '{"n":"a","t":"t","c":"c","r":5.5}'],
    ["topic+", '{"n":"a","t":"t","c":"c","r":9223372036854775808}'],
    ["topic+", '{"n":"a","t":"*","c":"c","r":5}'],
    ["topic+", '{"n":"a","t":"t\\n","c":"c","r":5}'],
    ["topic+", '{"n":"a","t":"t","c":"not valid","r":5}'],
    ["topic+", `{"n":"a","t":"${"t".repeat(65)}","c":"","r":5}`],
  ];
  for (const [name, json] of cases) assertEquals(decode(name, json), undefined, `${name} ${json}`);
});

function decode(name: string, json: string): GossipEvent | undefined {
  return decodeEvent({ type: "user", name, payload: new TextEncoder().encode(json) });
}
