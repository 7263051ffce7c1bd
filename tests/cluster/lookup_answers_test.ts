import { assertEquals } from "@std/assert";
import {
  channelsAnswer,
  lookupAnswer,
  type LookupTimes,
  nodesAnswer,
  topicsAnswer,
} from "../../src/cluster/lookup_answers.ts";
import type { Moment } from "../../src/base/clock.ts";
import type { Producer, ProducerInfo } from "../../src/cluster/producer.ts";
import { RegistrationDb } from "../../src/cluster/registration_db.ts";

const START_MS = 1_000_000;
/** What the wall clock says then: nothing that anything here depends on. */
const WALL_MS = 1_706_702_400_000;
const INACTIVE_MS = 300_000;
const TOMBSTONE_MS = 45_000;

function info(name: string): ProducerInfo {
  return {
    remote_address: `${name}:1`,
    hostname: `host of ${name}`,
    broadcast_address: name,
    tcp_port: 4150,
    http_port: 4151,
    version: "1.3.0",
    topology_zone: "z",
    topology_region: "r",
  };
}

/** So long after START_MS. */
function moment(ms: number): Moment {
  return { wallMs: WALL_MS, monotonicMs: START_MS + ms };
}

function after(ms: number): LookupTimes {
  return {
    monotonicMs: START_MS + ms,
    inactiveProducerTimeoutMs: INACTIVE_MS,
    tombstoneLifetimeMs: TOMBSTONE_MS,
  };
}

/** Producer `a` with t/c, t/d and u, producer `b` with t/c; registered at START_MS. */
function cluster(): { db: RegistrationDb; a: Producer; b: Producer } {
  const db = new RegistrationDb();
  const [a, b] = ["a", "b"].map((name) => db.addProducer(name, info(name), moment(0)));
  db.register(a, "t", "c");
  db.register(a, "t", "d");
  db.register(a, "u");
  db.register(b, "t", "c");
  return { db, a, b };
}

async function producersOf(db: RegistrationDb, topic: string, ms: number): Promise<string[] | undefined> {
  return (await lookupAnswer(db, topic, after(ms)))?.producers.map(({ broadcast_address }) =>
    broadcast_address
  );
}

Deno.test("lookupAnswer() tells a topic's channels and producers, in the order of NSQ's JSON", async () => {
  const { db } = cluster();

  assertEquals(
    JSON.stringify(await lookupAnswer(db, "u", after(0))),
    '{"channels":[],"producers":[{"remote_address":"a:1","hostname":"host of a","broadcast_address":"a",' +
      '"tcp_port":4150,"http_port":4151,"version":"1.3.0","topology_zone":"z","topology_region":"r"}]}',
  );
  assertEquals(await lookupAnswer(db, "t", after(0)), {
    channels: ["c", "d"],
    producers: [info("a"), info("b")],
  });
});

Deno.test("lookupAnswer() knows a topic that was made without a producer, and no other", async () => {
  const { db } = cluster();
  db.addTopic("bare");

  assertEquals(await lookupAnswer(db, "bare", after(0)), { channels: [], producers: [] });
  assertEquals(await lookupAnswer(db, "never", after(0)), undefined);
});

Deno.test("lookupAnswer() leaves out a producer when it was silent for more than the timeout", async () => {
  const { db, b } = cluster();
  b.lastUpdate = moment(1);

  assertEquals(await producersOf(db, "t", INACTIVE_MS), ["a", "b"]);
  assertEquals(await producersOf(db, "t", INACTIVE_MS + 1), ["b"]);
  assertEquals(await producersOf(db, "t", INACTIVE_MS + 2), []);
});

Deno.test("lookupAnswer() leaves out a producer while it is tombstoned for the topic", async () => {
  const { db } = cluster();
  db.tombstone("t", "a:4151", moment(1));

  assertEquals([await producersOf(db, "t", 1), await producersOf(db, "u", 1)], [["b"], ["a"]]);
  assertEquals(await producersOf(db, "t", TOMBSTONE_MS), ["b"]);
  assertEquals(await producersOf(db, "t", TOMBSTONE_MS + 1), ["a", "b"]);
  assertEquals((await lookupAnswer(db, "t", after(1)))?.channels, ["c", "d"]);
});

Deno.test("lookupAnswer() of * tells the channels of each topic, and each producer once", async () => {
  const { db, b } = cluster();
  db.register(b, "u", "c");
  db.tombstone("t", "a:4151", moment(0));

  assertEquals((await lookupAnswer(db, "*", after(0)))?.channels, ["c", "d", "c"]);
  assertEquals(await producersOf(db, "*", 0), ["b", "a"]);
  assertEquals(await lookupAnswer(new RegistrationDb(), "*", after(0)), undefined);
});

Deno.test("topicsAnswer() tells every topic", async () => {
  const { db } = cluster();
  db.addTopic("bare");

  assertEquals(await topicsAnswer(db), { topics: ["t", "u", "bare"] });
  assertEquals(await topicsAnswer(new RegistrationDb()), { topics: [] });
});

Deno.test("channelsAnswer() tells the channels of a topic, of every topic, or of none", async () => {
  const { db, b } = cluster();
  db.register(b, "u", "c");

  assertEquals(await channelsAnswer(db, "t"), { channels: ["c", "d"] });
  assertEquals(await channelsAnswer(db, "*"), { channels: ["c", "d", "c"] });
  assertEquals(await channelsAnswer(db, "never"), { channels: [] });
});

Deno.test("nodesAnswer() tells producers with their topics, and for which they are tombstoned", async () => {
  const { db } = cluster();
  db.addProducer("c", info("c"), moment(0));
  db.tombstone("t", "a:4151", moment(0));

  assertEquals(await nodesAnswer(db, after(0)), {
    producers: [
      { ...info("a"), tombstones: [true, false], topics: ["t", "u"] },
      { ...info("b"), tombstones: [false], topics: ["t"] },
      { ...info("c"), tombstones: [], topics: [] },
    ],
  });
  assertEquals((await nodesAnswer(db, after(TOMBSTONE_MS))).producers[0].tombstones, [false, false]);
});

Deno.test("nodesAnswer() leaves out producers that were silent for more than the timeout", async () => {
  const { db, a } = cluster();
  a.lastUpdate = moment(1);

  const nodes = (await nodesAnswer(db, after(INACTIVE_MS + 1))).producers;

  assertEquals(nodes.map(({ broadcast_address }) => broadcast_address), ["a"]);
});

Deno.test("nodesAnswer() gives each field its place in NSQ's JSON", async () => {
  const { db, b } = cluster();
  db.removeProducer(b);

  assertEquals(
    JSON.stringify(await nodesAnswer(db, after(0))),
    '{"producers":[{"remote_address":"a:1","hostname":"host of a","broadcast_address":"a","tcp_port":4150,' +
      '"http_port":4151,"version":"1.3.0","topology_zone":"z","topology_region":"r",' +
      '"tombstones":[false,false],"topics":["t","u"]}]}',
  );
});
