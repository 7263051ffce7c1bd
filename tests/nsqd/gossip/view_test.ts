import { assertEquals } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../../src/base/logger.ts";
import {
  channelsAnswer,
  lookupAnswer,
  nodesAnswer,
  topicsAnswer,
} from "../../../src/cluster/lookup_answers.ts";
import type { ProducerInfo } from "../../../src/cluster/producer.ts";
import type { SerfMember } from "../../../src/cluster/serf_records.ts";
import type { GossipEvent } from "../../../src/nsqd/gossip/event.ts";
import { GossipView } from "../../../src/nsqd/gossip/view.ts";

const STALE_AFTER_MS = 300_000;
const ALWAYS = { monotonicMs: 0, inactiveProducerTimeoutMs: Infinity, tombstoneLifetimeMs: 0 };

Deno.test("GossipView.join() makes a member a node, which others are told of", async () => {
  const { view, lines } = makeView();

  view.join(member("a"));

  assertEquals(await nodes(view), ["own", "a"]);
  assertEquals(view.memberCount, 1);
  assertEquals(lines, ["INFO: DB: member(a) REGISTER category:client key: subkey:"]);
});

Deno.test("GossipView.join() takes no notice of members that are no nsqd", async () => {
  const { view } = makeView();

  view.join({ ...member("web"), tags: new Map([["role", "web"]]) });

  assertEquals(await nodes(view), ["own"]);
});

Deno.test("GossipView.join() gives a member that is there its new address, with what it has", async () => {
  const { view } = makeView();
  view.join(member("a"));
  view.hear(event("a", "+", "t", "c"), 0);

  view.join(member("a", { hp: "5151" }));

  assertEquals(await lookup(view, "t"), { channels: ["c"], producers: ["a"] });
  assertEquals((await nodesAnswer(view.db, ALWAYS)).producers.map(({ http_port }) => http_port), [
    4151,
    5151,
  ]);
});

Deno.test("GossipView.join() takes a member away that has become something else", async () => {
  const { view } = makeView();
  view.join(member("a"));

  view.join({ ...member("a"), tags: new Map() });

  assertEquals(await nodes(view), ["own"]);
});

Deno.test("GossipView.hear() registers topics, and channels with their topics", async () => {
  const { view, lines } = makeView();
  view.join(member("a"));
  view.join(member("b"));
  lines.length = 0;

  view.hear(event("a", "+", "t"), 0);
  view.hear(event("b", "=", "t", "c"), 0);
  view.hear(event("b", "=", "t", "c", 2), 0);

  assertEquals(await lookup(view, "t"), { channels: ["c"], producers: ["a", "b"] });
  assertEquals((await topicsAnswer(view.db)).topics, ["t"]);
  assertEquals(lines, [
    "INFO: DB: member(a) REGISTER category:topic key:t subkey:",
    "INFO: DB: member(b) REGISTER category:channel key:t subkey:c",
    "INFO: DB: member(b) REGISTER category:topic key:t subkey:",
  ]);
});

Deno.test("GossipView.hear() lets events wait for their member", async () => {
  const { view } = makeView();

  view.hear(event("a", "+", "t", "c", 1), 0);
  view.hear(event("a", "-", "t", "c", 2), 0);
  assertEquals(await lookup(view, "t"), undefined);
  view.join(member("a"));
  assertEquals(await lookup(view, "t"), { channels: [], producers: ["a"] });

  // Once only.
  view.leave("a");
  view.join(member("a"));
  assertEquals(await lookup(view, "t"), { channels: [], producers: [] });
});

Deno.test("GossipView.hear() does not let events wait for longer than a minute", async () => {
  const { view } = makeView();
  view.hear(event("a", "+", "t"), 0);
  view.hear(event("b", "+", "t"), 1);

  view.sweep(60_000);
  view.join(member("a"));
  view.join(member("b"));

  assertEquals((await lookup(view, "t"))?.producers, ["b"]);
});

Deno.test("GossipView.hear() does not let more events wait than there is room for", async () => {
  const { view, lines } = makeView();
  for (let i = 0; i < 100_000; i++) view.hear(event(`stranger${i % 7}`, "+", "t"), 0);

  view.hear(event("a", "+", "more"), 0);
  view.hear(event("a", "+", "more"), 0);
  view.join(member("a"));

  assertEquals(await lookup(view, "more"), undefined);
  assertEquals(lines[0], "ERROR: DB: too many events of unknown members");
  view.sweep(60_000);
  view.hear(event("b", "+", "more"), 60_000);
  view.join(member("b"));
  assertEquals((await lookup(view, "more"))?.producers, ["b"]);
});

Deno.test("GossipView.hear() ends registrations, and forgets names that nobody has then", async () => {
  const { view } = makeView();
  view.join(member("a"));
  view.join(member("b"));
  for (const node of ["a", "b"]) view.hear(event(node, "+", "t", "c"), 0);

  view.hear(event("a", "-", "t", "c", 2), 0);
  assertEquals(await lookup(view, "t"), { channels: ["c"], producers: ["a", "b"] });
  view.hear(event("b", "-", "t", "c", 2), 0);
  assertEquals(await lookup(view, "t"), { channels: [], producers: ["a", "b"] });
  view.hear(event("a", "-", "t", undefined, 3), 0);
  assertEquals(await lookup(view, "t"), { channels: [], producers: ["b"] });
  view.hear(event("b", "-", "t", undefined, 3), 0);
  assertEquals(await lookup(view, "t"), undefined);
});

Deno.test("GossipView.hear() ends the channels of a topic together with it", async () => {
  const { view } = makeView();
  view.join(member("a"));
  view.hear(event("a", "+", "t", "c"), 0);

  view.hear(event("a", "-", "t", undefined, 2), 0);

  assertEquals((await topicsAnswer(view.db)).topics, []);
});

Deno.test("GossipView.hear() lets the later event win, in whichever order they arrive", async () => {
  const cases: readonly (readonly [readonly GossipEvent[], unknown])[] = [
    [[event("a", "+", "t", undefined, 1), event("a", "-", "t", undefined, 2)], undefined],
    [[event("a", "+", "t", "c", 1), event("a", "-", "t", "c", 2)], { channels: [], producers: ["a"] }],
    [[event("a", "-", "t", undefined, 1), event("a", "+", "t", undefined, 2)], {
      channels: [],
      producers: ["a"],
    }],
    [[event("a", "-", "t", "c", 1), event("a", "=", "t", "c", 2)], { channels: ["c"], producers: ["a"] }],
    // A channel does not outlive its topic.
    [[event("a", "=", "t", "c", 1), event("a", "-", "t", undefined, 2)], undefined],
    [[event("a", "-", "t", undefined, 1), event("a", "+", "t", "c", 2)], {
      channels: ["c"],
      producers: ["a"],
    }],
  ];
  for (const [events, expected] of cases) {
    for (const order of [events, events.toReversed()]) {
      const { view } = makeView();
      view.join(member("a"));
      // It has the topic to begin with, where that makes no difference in the end.
      if (expected !== undefined) view.hear(event("a", "=", "t", undefined, 0), 0);

      for (const each of order) view.hear(each, 0);

      assertEquals(await lookup(view, "t"), expected, JSON.stringify(order));
    }
  }
});

Deno.test("GossipView.leave() takes a member and what it has away, but not the names", async () => {
  const { view, lines } = makeView();
  view.join(member("a"));
  view.hear(event("a", "+", "t", "c"), 0);
  view.hear(event("a", "+", "t", "e#ephemeral"), 0);
  lines.length = 0;

  view.leave("a");

  assertEquals(await nodes(view), ["own"]);
  assertEquals(await lookup(view, "t"), { channels: ["c"], producers: [] });
  assertEquals(lines, ["INFO: DB: member(a) UNREGISTER category:client key: subkey:"]);
});

Deno.test("GossipView.leave() lets a member come back with what it says then", async () => {
  const { view } = makeView();
  view.join(member("a"));
  view.hear(event("a", "-", "t", undefined, 1000), 0);
  view.leave("a");

  view.join(member("a"));
  // Its clock was set back meanwhile.
  view.hear(event("a", "=", "t", undefined, 1), 0);

  assertEquals(await lookup(view, "t"), { channels: [], producers: ["a"] });
});

Deno.test("GossipView.sync() takes members in that are alive, and the others away", async () => {
  const { view } = makeView();
  view.join(member("a"));
  view.join(member("b"));
  view.join(member("c"));

  view.sync([
    { ...member("a"), status: "failed" },
    member("b"),
    { ...member("own"), address: "10.0.0.1" },
    member("d"),
    { ...member("e"), status: "left" },
  ]);

  assertEquals(await nodes(view), ["own", "b", "d"]);
});

Deno.test("GossipView.sweep() forgets what a member has not spoken of for long", async () => {
  const { view } = makeView();
  view.join(member("a"));
  view.hear(event("a", "+", "old", "c"), 0);
  view.hear(event("a", "+", "t", "old"), 0);
  view.hear(event("a", "+", "t", "c"), 0);
  view.hear(event("a", "=", "t", "c", 2), 1000);

  view.sweep(STALE_AFTER_MS - 1);
  assertEquals(await lookup(view, "old"), { channels: ["c"], producers: ["a"] });
  view.sweep(STALE_AFTER_MS);

  assertEquals(await lookup(view, "old"), { channels: ["c"], producers: [] });
  assertEquals(await lookup(view, "t"), { channels: ["old", "c"], producers: ["a"] });
  assertEquals((await nodesAnswer(view.db, ALWAYS)).producers.map(({ topics }) => topics), [[], ["t"]]);
});

Deno.test("GossipView.sweep() forgets names that nobody has had for an hour", async () => {
  const { view } = makeView();
  view.join(member("a"));
  view.join(member("b"));
  view.hear(event("a", "+", "deserted", "c"), 0);
  view.hear(event("a", "+", "kept", "deserted"), 0);
  view.hear(event("a", "+", "back", "c"), 0);
  view.addOwn("kept", undefined);
  view.leave("a");

  view.sweep(1000);
  view.hear(event("b", "+", "back", "c"), 3_600_000);
  view.sweep(3_600_999);
  assertEquals((await topicsAnswer(view.db)).topics, ["deserted", "kept", "back"]);
  view.sweep(3_601_000);

  assertEquals((await topicsAnswer(view.db)).topics, ["kept", "back"]);
  assertEquals((await channelsAnswer(view.db, "kept")).channels, []);
  assertEquals(await lookup(view, "back"), { channels: ["c"], producers: ["b"] });
});

Deno.test("GossipView.addOwn() and removeOwn() need no member, and are not forgotten", async () => {
  const { view, lines } = makeView();

  view.addOwn("t", undefined);
  view.addOwn("t", "c");
  view.sweep(10 * STALE_AFTER_MS);
  view.sync([]);
  assertEquals(await lookup(view, "t"), { channels: ["c"], producers: ["own"] });

  view.removeOwn("t", "c");
  assertEquals(await lookup(view, "t"), { channels: [], producers: ["own"] });
  view.removeOwn("t", undefined);
  assertEquals(await lookup(view, "t"), undefined);
  assertEquals(lines, []);
});

Deno.test("GossipView.join() of this node's own member changes its address, and makes no other of it", async () => {
  const { view } = makeView();
  view.addOwn("t", "c");
  view.ownName = "agent";

  view.join({ ...member("agent", { ba: "own" }), address: "10.0.0.9", port: 7 });
  view.hear(event("agent", "-", "t"), 0);

  assertEquals(await lookup(view, "t"), { channels: ["c"], producers: ["own"] });
  assertEquals((await nodesAnswer(view.db, ALWAYS)).producers.map(({ remote_address }) => remote_address), [
    "10.0.0.9:7",
  ]);
});

Deno.test("GossipView.addresses() gives addresses of other members, no more than asked for", () => {
  const { view } = makeView();
  for (const name of ["a", "b", "c"]) {
    view.join({ ...member(name), address: "::1", port: name.charCodeAt(0) });
  }

  assertEquals(view.addresses(2), ["[::1]:97", "[::1]:98"]);
});

Deno.test("GossipView logs names of strangers in one line", () => {
  const { view, lines } = makeView();

  view.join(member("a\nFATAL: forged"));

  assertEquals(lines, ["INFO: DB: member(a\\x0aFATAL: forged) REGISTER category:client key: subkey:"]);
});

Deno.test("GossipView.hear() refuses names of one member beyond the limit, and says so once", async () => {
  const { view, lines } = makeView();
  view.join(member("a"));
  lines.length = 0;
  for (let i = 0; i < 100_000 - 1; i++) view.hear(event("a", "+", `t${i}`), 0);
  lines.length = 0;

  view.hear(event("a", "+", "more"), 0);
  view.hear(event("a", "+", "still-more"), 0);
  // What is known already is still heard.
  view.hear(event("a", "=", "t0", undefined, 2), STALE_AFTER_MS);

  assertEquals(await lookup(view, "more"), undefined);
  assertEquals(lines, ["ERROR: DB: member(a) has too many names"]);
  view.sweep(STALE_AFTER_MS);
  assertEquals((await lookup(view, "t0"))?.producers, ["a"]);
});

Deno.test("GossipView.join() refuses members beyond the limit", () => {
  const { view, lines } = makeView();
  for (let i = 0; i < 10_000; i++) view.join(member(`m${i}`));
  lines.length = 0;

  view.join(member("more"));

  assertEquals(view.memberCount, 10_000);
  assertEquals(lines, ["ERROR: DB: there are 10000 members"]);
});

const OWN: ProducerInfo = {
  remote_address: "10.0.0.1:7946",
  hostname: "host",
  broadcast_address: "own",
  tcp_port: 4150,
  http_port: 4151,
  version: "1.3.0",
  topology_zone: "",
  topology_region: "",
};

function makeView(): { view: GossipView; lines: string[] } {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line.slice("yyyy/mm/dd hh:mm:ss.uuuuuu ".length));
  const logger = new Logger({ prefix: "", level: LOG_LEVELS.info, write });
  const view = new GossipView({ logger, ownName: "own", ownInfo: OWN, staleAfterMs: STALE_AFTER_MS });
  return { view, lines };
}

function member(name: string, tags: Record<string, string> = {}): SerfMember {
  const all = {
    role: "nsqd",
    tp: "4150",
    hp: "4151",
    ba: name.split("\n")[0],
    h: "host",
    v: "1.3.0",
    ...tags,
  };
  return { name, address: "10.0.0.2", port: 7946, status: "alive", tags: new Map(Object.entries(all)) };
}

function event(
  node: string,
  operation: GossipEvent["operation"],
  topic: string,
  channel?: string,
  order = 1,
): GossipEvent {
  return { node, operation, topic, channel, order };
}

async function nodes(view: GossipView): Promise<string[]> {
  return (await nodesAnswer(view.db, ALWAYS)).producers.map(({ broadcast_address }) => broadcast_address);
}

async function lookup(
  view: GossipView,
  topic: string,
): Promise<{ channels: readonly string[]; producers: string[] } | undefined> {
  const answer = await lookupAnswer(view.db, topic, ALWAYS);
  if (answer === undefined) return undefined;
  return {
    channels: answer.channels,
    producers: answer.producers.map(({ broadcast_address }) => broadcast_address),
  };
}
