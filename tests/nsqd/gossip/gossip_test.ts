import { assertEquals } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../../src/base/logger.ts";
import { AsyncGroup } from "../../../src/base/async_group.ts";
import { lookupAnswer, nodesAnswer } from "../../../src/cluster/lookup_answers.ts";
import { Gossip, type GossipContext } from "../../../src/nsqd/gossip/gossip.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { FakeTimers } from "../../support/fake_timers.ts";
import { nodeRecord, ScriptedSerf } from "../../support/scripted_serf.ts";

const ALWAYS = { monotonicMs: 0, inactiveProducerTimeoutMs: Infinity, tombstoneLifetimeMs: 0 };
const ORDER = "1706702400000000000";

interface GossipTest {
  readonly gossip: Gossip;
  readonly serf: ScriptedSerf;
  readonly timers: FakeTimers;
  /** The time of day, which stands still. */
  readonly clock: FakeClock;
  readonly lines: string[];
  /** This nsqd's topics, and their channels. */
  readonly topics: Map<string, { channels: Map<string, unknown> }>;
  /** Makes topics and channels, and says so. */
  readonly make: (topic: string, ...channels: string[]) => void;
  readonly stop: () => Promise<void>;
}

/** A test with the gossip of an nsqd that uses a scripted agent. */
function gossipTest(
  name: string,
  test: (context: GossipTest) => Promise<void>,
  given: {
    options?: Partial<GossipContext["options"]>;
    topics?: Record<string, readonly string[]>;
    serf?: (serf: ScriptedSerf) => void;
  } = {},
): void {
  Deno.test(name, async () => {
    const serf = new ScriptedSerf();
    serf.members = [nodeRecord("own:4150")];
    given.serf?.(serf);
    const timers = new FakeTimers();
    const clock = new FakeClock();
    const lines: string[] = [];
    const write = (line: string) => lines.push(line.slice("yyyy/mm/dd hh:mm:ss.uuuuuu ".length));
    const topics: GossipTest["topics"] = new Map();
    const add = (topic: string, channels: readonly string[]) => {
      const known = topics.get(topic) ?? { channels: new Map() };
      topics.set(topic, known);
      for (const channel of channels) known.channels.set(channel, {});
    };
    for (const [topic, channels] of Object.entries(given.topics ?? {})) add(topic, channels);
    const context: GossipContext = {
      options: {
        gossipAddress: "",
        gossipSeedAddresses: [],
        gossipRegossipIntervalMs: 60_000,
        gossipEncryptKeyFile: "",
        serfPath: "",
        serfRpcAddress: "127.0.0.1:7373",
        serfRpcAuthFile: "",
        ...given.options,
      },
      logger: new Logger({ prefix: "", level: LOG_LEVELS.info, write }),
      topics,
      nodeInfo: {
        broadcast_address: "own",
        hostname: "host",
        http_port: 4151,
        tcp_port: 4150,
        topology_region: "",
        topology_zone: "",
        version: "1.3.0",
      },
      httpsPort: undefined,
      clock,
    };
    const gossip = new Gossip(context, { timers, connect: () => serf.connect() });
    const group = new AsyncGroup();
    for (const { name, run } of gossip.tasks) group.spawn(name, run);
    const make = (topic: string, ...channels: string[]) => {
      const isNew = !topics.has(topic);
      add(topic, channels);
      if (isNew) gossip.changed(topic);
      for (const channel of channels) gossip.changed(topic, channel);
    };
    try {
      await test({ gossip, serf, timers, clock, lines, topics, make, stop: () => group.stop() });
    } finally {
      await group.stop();
    }
    assertEquals(serf.connectionCount, 0);
    assertEquals(timers.sleeping, []);
  });
}

gossipTest("Gossip tells the agent who this node is", async ({ serf }) => {
  await eventually("the tags are set", () => serf.asked.length > 0);

  assertEquals(serf.asked, [
    'tags {"Tags":{"role":"nsqd","tp":"4150","hp":"4151","ba":"own","h":"host","v":"1.3.0"},"DeleteTags":[]}',
  ]);
});

gossipTest(
  "Gossip tells everything at first, and again after the interval",
  async ({ serf, timers, lines }) => {
    const everything = [
      `topic= {"n":"own:4150","t":"bare","c":"","r":${ORDER}}`,
      `channel= {"n":"own:4150","t":"t","c":"a","r":${ORDER.replace(/0$/, "1")}}`,
      `channel= {"n":"own:4150","t":"t","c":"b#ephemeral","r":${ORDER.replace(/0$/, "2")}}`,
    ];
    await eventually("it is told", () => assertEquals(serf.sent, everything) ?? true);

    await eventually("it waits", () => timers.sleeping.includes(60_000));
    timers.advance(60_000);

    await eventually("it is told again", () => serf.sent.length === 6);
    assertEquals(lines.filter((line) => line.includes("re-gossiping")).length, 2);
  },
  { topics: { bare: [], t: ["a", "b#ephemeral"] } },
);

gossipTest("Gossip tells what comes and goes, at once", async ({ serf, make, gossip, topics, timers }) => {
  await eventually("it waits", () => timers.sleeping.includes(60_000));

  make("t", "c");
  await eventually("it is told", () => serf.sent.length === 2);
  topics.get("t")?.channels.delete("c");
  gossip.changed("t", "c");
  topics.delete("t");
  gossip.changed("t");
  await eventually("it is told", () => serf.sent.length === 4);

  assertEquals(serf.sent.map((text) => text.replace(/,"r":\d+/, "")), [
    'topic+ {"n":"own:4150","t":"t","c":""}',
    'channel+ {"n":"own:4150","t":"t","c":"c"}',
    'channel- {"n":"own:4150","t":"t","c":"c"}',
    'topic- {"n":"own:4150","t":"t","c":""}',
  ]);
});

const MANY = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`t${i}`, []]));

gossipTest("Gossip waits until Serf's queue has room, but not with what comes and goes", async (test) => {
  const { serf, timers, make } = test;
  await eventually("it waits", () => timers.sleeping.includes(1000));
  assertEquals(serf.sent, []);

  make("new");
  timers.advance(1000);
  await eventually("it is told", () => assertEquals(serf.sent.length, 1) ?? true);
  serf.eventQueue = 2000;
  await eventually("it waits", () => timers.sleeping.includes(1000));
  timers.advance(1000);

  await eventually("everything is told", () => assertEquals(serf.sent.length, 252) ?? true);
}, {
  topics: MANY,
  serf: (serf) => {
    serf.eventQueue = 2001;
    serf.members.push(nodeRecord("a:4150"));
  },
});

gossipTest(
  "Gossip does not wait for Serf's queue as long as there is nobody to send to",
  async ({ serf }) => {
    await eventually("everything is told", () => serf.sent.length === 250);
  },
  { topics: MANY, serf: (serf) => serf.eventQueue = 2001 },
);

gossipTest("Gossip uses the name that the agent has", async ({ serf, gossip }) => {
  await eventually("it is told", () => serf.sent.length === 1);

  assertEquals(serf.sent, [`topic= {"n":"some-agent","t":"t","c":"","r":${ORDER}}`]);
  assertEquals((await gossip.stats()).node, "some-agent");
}, { topics: { t: [] }, serf: (serf) => serf.name = "some-agent" });

gossipTest("Gossip knows what this node has without an agent", async ({ gossip, make, lines }) => {
  make("t", "c");

  assertEquals(await lookup(gossip, "t"), { channels: ["c"], producers: ["own"] });
  assertEquals(await lookup(gossip, "old"), { channels: ["x"], producers: ["own"] });
  await eventually("it is said", () => lines.length > 0);
  assertEquals(gossip.problem, "Cannot connect to Serf at 127.0.0.1:7373: it is down");
  assertEquals(await gossip.stats(), {
    health: "Cannot connect to Serf at 127.0.0.1:7373: it is down",
    node: "own:4150",
    nodes: "1",
    agent_restarts: "0",
  });
}, { topics: { old: ["x"] }, serf: (serf) => serf.down = true });

gossipTest(
  "Gossip connects again and again, and waits longer each time",
  async ({ serf, timers, lines, gossip }) => {
    for (const delayMs of [1000, 2000, 4000, 8000, 15_000, 15_000]) {
      await eventually("it waits", () => assertEquals(timers.sleeping, [delayMs]) ?? true);
      timers.advance(delayMs);
    }
    await eventually("it waits", () => timers.sleeping.length === 1);
    assertEquals(
      lines[1],
      "ERROR: SERF: Cannot connect to Serf at 127.0.0.1:7373: it is down; trying again in 2s",
    );

    serf.down = false;
    timers.advance(15_000);

    await eventually("it is connected", () => serf.sent.length === 1);
    assertEquals(gossip.problem, undefined);
  },
  { topics: { t: [] }, serf: (serf) => serf.down = true },
);

gossipTest(
  "Gossip tells everything again after the connection was lost",
  async ({ serf, timers, make, gossip }) => {
    await eventually("it is told", () => serf.sent.length === 1);

    serf.drop();
    await eventually("it waits", () => assertEquals(timers.sleeping, [1000]) ?? true);
    assertEquals(gossip.problem, "The connection to Serf is lost: the agent has closed it");
    make("u");
    timers.advance(1000);

    await eventually("it is told", () => serf.sent.length === 4);
    assertEquals(serf.sent.map((text) => text.replace(/ .*"t":("\w+").*/, " $1")), [
      'topic= "t"',
      'topic+ "u"',
      'topic= "t"',
      'topic= "u"',
    ]);
  },
  { topics: { t: [] } },
);

gossipTest(
  "Gossip learns members that are there, that come, change and go",
  async ({ serf, gossip, timers }) => {
    await eventually("they are there", async () => assertEquals(await nodes(gossip), ["a", "own"]) ?? true);
    await eventually("it is connected", () => timers.sleeping.includes(60_000));

    serf.emitMembers("member-join", nodeRecord("c:4150"), nodeRecord("own:4150"));
    serf.emitMembers("member-update", nodeRecord("d:4150"));
    await eventually(
      "they are there",
      async () => assertEquals(await nodes(gossip), ["a", "c", "d", "own"]) ?? true,
    );
    serf.emitMembers("member-leave", nodeRecord("a:4150"));
    serf.emitMembers("member-failed", nodeRecord("c:4150"));
    serf.emitMembers("member-reap", nodeRecord("d:4150"));

    await eventually("they are gone", async () => assertEquals(await nodes(gossip), ["own"]) ?? true);
  },
  { serf: (serf) => serf.members = [nodeRecord("a:4150"), nodeRecord("b:4150", { status: "failed" })] },
);

gossipTest("Gossip hears what members have", async ({ serf, gossip, timers }) => {
  await eventually("it is connected", () => timers.sleeping.includes(60_000));

  serf.emitUser("channel+", { n: "a:4150", t: "t", c: "c", r: 1 });
  serf.emitUser("deploy", { n: "a:4150", t: "t", c: "d", r: 1 });

  await eventually(
    "it is known",
    async () => assertEquals(await lookup(gossip, "t"), { channels: ["c"], producers: ["a"] }) ?? true,
  );
  assertEquals(gossip.channelsOf("t"), ["c"]);
}, { serf: (serf) => serf.members = [nodeRecord("a:4150")] });

gossipTest("Gossip hears a member of which it was not told yet", async ({ serf, gossip, timers }) => {
  await eventually("it is connected", () => timers.sleeping.includes(60_000));

  serf.emitUser("topic+", { n: "a:4150", t: "t", r: 1 });
  serf.emitMembers("member-join", nodeRecord("a:4150"));

  await eventually(
    "it is known",
    async () => assertEquals((await lookup(gossip, "t"))?.producers, ["a"]) ?? true,
  );
});

for (const stepMs of [3_600_000, -3_600_000]) {
  gossipTest(
    `Gossip forgets what a member does not repeat in time, though the clock is set by ${stepMs / 1000} s`,
    async ({ serf, gossip, timers, clock }) => {
      await eventually("it is connected", () => timers.sleeping.includes(30_000));
      serf.emitUser("topic+", { n: "a:4150", t: "t", r: 1 });
      await eventually("it is known", async () => (await lookup(gossip, "t"))?.producers.length === 1);

      clock.step(stepMs);
      serf.members = [nodeRecord("a:4150"), nodeRecord("b:4150")];
      timers.advance(30_000);
      await eventually(
        "members were compared, and old names forgotten",
        async () => (await nodes(gossip)).includes("b"),
      );
      const early = (await lookup(gossip, "t"))?.producers;
      await eventually("it waits", () => timers.sleeping.includes(30_000));
      timers.advance(270_000);

      await eventually("it is forgotten", async () => (await lookup(gossip, "t"))?.producers.length === 0);
      assertEquals(early, ["a"]);
    },
    { serf: (serf) => serf.members = [nodeRecord("a:4150")] },
  );
}

for (
  const { backMs, order, what } of [
    {
      backMs: 59_999,
      order: "1706706000000000001",
      what: "counts on when the clock is set back by less than a minute",
    },
    {
      backMs: 60_000,
      order: "1706705940000000000",
      what: "begins anew when it is set back by more, which others refuse",
    },
  ]
) {
  gossipTest(
    `Gossip orders events by the time of day, and ${what}`,
    async ({ serf, make, clock, timers }) => {
      await eventually("it waits", () => timers.sleeping.includes(60_000));

      clock.step(3_600_000);
      make("later");
      await eventually("it is told", () => serf.sent.length === 1);
      clock.step(-backMs);
      make("earlier");
      await eventually("it is told", () => serf.sent.length === 2);

      assertEquals(serf.sent, [
        'topic+ {"n":"own:4150","t":"later","c":"","r":1706706000000000000}',
        `topic+ {"n":"own:4150","t":"earlier","c":"","r":${order}}`,
      ]);
    },
  );
}

gossipTest(
  "Gossip takes no event that is more than a minute ahead, and says so once",
  async ({ serf, gossip, timers, lines }) => {
    await eventually("it is connected", () => timers.sleeping.includes(60_000));
    const event = (t: string, aheadS: number) => ({ n: "a:4150", t, r: (1_706_702_400 + aheadS) * 1e9 });

    serf.emitUser("topic+", event("t", 0));
    serf.emitUser("topic-", event("t", 61));
    serf.emitUser("topic-", { n: "a:4150", t: "t", r: 9e18 });
    serf.emitUser("topic+", event("u", 60));
    await eventually("all is handled", async () => (await lookup(gossip, "u"))?.producers.length === 1);

    assertEquals((await lookup(gossip, "t"))?.producers, ["a"]);
    assertEquals(lines.filter((line) => line.startsWith("WARNING")), [
      "WARNING: GOSSIP: refused an event of member(a:4150) that is 1m1s ahead: are the clocks right?",
    ]);
  },
  { serf: (serf) => serf.members = [nodeRecord("a:4150")] },
);

gossipTest("Gossip does not hear its own echo, or strangers", async ({ serf, gossip, timers }) => {
  await eventually("it is connected", () => timers.sleeping.includes(60_000));

  serf.emitUser("topic-", { n: "own:4150", t: "t", r: 9e18 });
  serf.emitUser("topic+", { n: "stranger", t: "t", r: 1 });
  serf.emitMembers("member-join", nodeRecord("a:4150"));
  await eventually("all is handled", async () => (await nodes(gossip)).length === 2);

  assertEquals(await lookup(gossip, "t"), { channels: [], producers: ["own"] });
}, { topics: { t: [] } });

gossipTest(
  "Gossip compares the members with those that Serf knows every 30 s",
  async ({ serf, gossip, timers }) => {
    await eventually("it is connected", () => timers.sleeping.includes(30_000));
    serf.members = [nodeRecord("b:4150")];

    timers.advance(30_000);

    await eventually(
      "they are the same",
      async () => assertEquals(await nodes(gossip), ["b", "own"]) ?? true,
    );
  },
  { serf: (serf) => serf.members = [nodeRecord("a:4150")] },
);

gossipTest(
  "Gossip keeps members of a lost agent, joins them again, and drops them after 30 s",
  async (test) => {
    const { serf, gossip, timers } = test;
    await eventually("it is connected", () => timers.sleeping.includes(60_000));
    serf.emitUser("topic+", { n: "a:4150", t: "t", r: 1 });
    await eventually("it is known", async () => await lookup(gossip, "t") !== undefined);

    serf.drop();
    serf.members = [nodeRecord("own:4150")];
    await eventually("it waits", () => assertEquals(timers.sleeping, [1000]) ?? true);
    assertEquals((await lookup(gossip, "t"))?.producers, ["a"]);
    timers.advance(1000);
    await eventually("they are joined", () => serf.asked.includes(joinText("127.0.0.1:7946")));
    assertEquals((await lookup(gossip, "t"))?.producers, ["a"]);

    await eventually("it waits", () => timers.sleeping.includes(30_000));
    timers.advance(30_000);
    await eventually("it is dropped", async () => assertEquals(await nodes(gossip), ["own"]) ?? true);
  },
  { serf: (serf) => serf.members = [nodeRecord("own:4150"), nodeRecord("a:4150")] },
);

const SEEDS = { options: { gossipSeedAddresses: ["seed1:7946", "seed2:7946"] } };

gossipTest(
  "Gossip joins the seeds, and not again as long as all is well",
  async ({ serf, timers, lines }) => {
    await eventually("they are joined", () => lines.includes("INFO: SERF: joined 2 nodes"));
    await eventually("it waits", () => timers.sleeping.includes(3_600_000));
    timers.advance(60_000);

    assertEquals(joinsOf(serf), [joinText("seed1:7946", "seed2:7946")]);
  },
  { ...SEEDS, serf: (serf) => serf.joins = 2 },
);

gossipTest("Gossip joins the seeds again when a member has gone", async ({ serf, timers }) => {
  await eventually("it waits", () => timers.sleeping.includes(3_600_000));

  serf.emitMembers("member-leave", nodeRecord("a:4150"));
  await eventually("it waits", () => timers.sleeping.includes(1000));
  timers.advance(1000);

  await eventually("they are joined", () => joinsOf(serf).length === 2);
}, { ...SEEDS, serf: (serf) => serf.joins = 2 });

gossipTest("Gossip tries seeds that cannot be reached again, and complains once", async (test) => {
  const { serf, timers, lines, gossip } = test;
  // Once there is another that waits for as long.
  for (const [delayMs, count] of [[1000, 1], [2000, 1], [4000, 1], [8000, 1], [15_000, 2], [15_000, 1]]) {
    await eventually("it waits", () => timers.sleeping.filter((ms) => ms === delayMs).length === count);
    timers.advance(delayMs);
  }
  await eventually("they are tried", () => joinsOf(serf).length === 7);

  const complaint = 'Serf refuses "join": nobody there';
  assertEquals(lines.filter((line) => line.includes("join")), [
    `ERROR: SERF: failed to join serf - ${complaint}`,
  ]);
  assertEquals(gossip.problem, `no seed can be joined: ${complaint}`);
}, { ...SEEDS, serf: (serf) => serf.joins = "nobody there" });

gossipTest("Gossip is well without seeds as long as there is a member", async ({ lines, gossip }) => {
  await eventually("they are tried", () => lines.some((line) => line.includes("failed to join")));

  assertEquals(gossip.problem, undefined);
}, {
  ...SEEDS,
  serf: (serf) => {
    serf.joins = "nobody there";
    serf.members = [nodeRecord("a:4150")];
  },
});

gossipTest(
  "Gossip tries again while some of the seeds cannot be reached",
  async ({ serf, timers, lines }) => {
    await eventually("it waits", () => timers.sleeping.includes(1000));
    serf.joins = 2;
    timers.advance(1000);
    await eventually("it waits", () => timers.sleeping.includes(3_600_000));

    assertEquals(lines.filter((line) => line.includes("joined")), [
      "ERROR: SERF: joined 1 of 2 seeds only",
      "INFO: SERF: joined 2 nodes",
    ]);
  },
  SEEDS,
);

gossipTest(
  "Gossip.leave() says that everything is gone, takes the tags away, and then no more",
  async (test) => {
    const { serf, gossip, make, timers } = test;
    await eventually("it is told", () => serf.sent.length === 1);
    await eventually("it waits", () => timers.sleeping.includes(60_000));

    await gossip.leave();
    assertEquals([...gossip.db.producers], []);
    make("u");
    await test.stop();

    assertEquals(serf.sent.map((text) => text.replace(/ .*"t":("\w+").*/, " $1")), [
      'channel= "t"',
      'topic- "t"',
    ]);
    assertEquals(
      serf.asked.at(-1),
      'tags {"Tags":{},"DeleteTags":["role","tp","hp","hps","ba","h","v","tz","tr"]}',
    );
  },
  { topics: { t: ["c"] } },
);

gossipTest("Gossip.leave() does nothing without an agent", async ({ gossip, serf }) => {
  await gossip.leave();

  assertEquals(serf.sent, []);
}, { topics: { t: [] }, serf: (serf) => serf.down = true });

gossipTest("Gossip.stats() adds what the agent tells", async ({ gossip, timers }) => {
  await eventually("it is connected", () => timers.sleeping.includes(60_000));

  assertEquals(await gossip.stats(), {
    health: "OK",
    node: "own:4150",
    nodes: "2",
    agent_restarts: "0",
    members: "1",
    event_queue: "0",
  });
}, { serf: (serf) => serf.members = [nodeRecord("a:4150")] });

gossipTest("Gossip ends its tasks while it waits for an agent", async ({ timers, stop, lines }) => {
  await eventually("it waits", () => timers.sleeping.length === 1);

  await stop();

  assertEquals(lines.slice(1), ["INFO: SERF: exiting", "INFO: GOSSIP: exiting"]);
}, { serf: (serf) => serf.down = true });

async function lookup(gossip: Gossip, topic: string) {
  const answer = await lookupAnswer(gossip.db, topic, ALWAYS);
  return answer && {
    channels: answer.channels,
    producers: answer.producers.map(({ broadcast_address }) => broadcast_address),
  };
}

async function nodes(gossip: Gossip): Promise<string[]> {
  return (await nodesAnswer(gossip.db, ALWAYS)).producers.map(({ broadcast_address }) => broadcast_address)
    .sort();
}

function joinText(...addresses: string[]): string {
  return `join {"Existing":${JSON.stringify(addresses)},"Replay":true}`;
}

function joinsOf(serf: ScriptedSerf): string[] {
  return serf.asked.filter((text) => text.startsWith("join"));
}
