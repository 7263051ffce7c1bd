import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Moment } from "../../src/base/clock.ts";
import { lookupAnswer } from "../../src/cluster/lookup_answers.ts";
import type { Producer } from "../../src/cluster/producer.ts";
import {
  EVERY_TOPIC,
  type Registration,
  RegistrationDb,
  RegistrationsFullError,
} from "../../src/cluster/registration_db.ts";
import { Random } from "../support/random.ts";

const NOW: Moment = { wallMs: 1000, monotonicMs: 1000 };

function producer(db: RegistrationDb, name: string): Producer {
  const info = {
    remote_address: `${name}:1`,
    hostname: name,
    broadcast_address: name,
    tcp_port: 4150,
    http_port: 4151,
    version: "1.3.0",
    topology_zone: "",
    topology_region: "",
  };
  return db.addProducer(name, info, NOW);
}

/** Everything in it: `topic: producers; channel: producers`. */
function contents(db: RegistrationDb): string[] {
  const ids = (producers: readonly Producer[]) => producers.map(({ id }) => id).join(" ");
  return Array.from(db.topics(EVERY_TOPIC), (topic) => {
    const channels = [...topic.channels].map(([channel, producers]) => `; ${channel}: ${ids(producers)}`);
    return `${topic.name}: ${ids(topic.producers)}${channels.join("")}`;
  });
}

/** `topic`, `topic/channel` or `client`. */
function names(registrations: readonly Registration[]): string[] {
  return registrations.map(({ category, key, subKey }) => {
    return category === "client" ? category : `${key}${subKey && `/${subKey}`}`;
  });
}

Deno.test("RegistrationDb.register() adds channel and topic, and tells what is new", () => {
  const db = new RegistrationDb();
  const a = producer(db, "a");

  assertEquals(names(db.register(a, "t", "c")), ["t/c", "t"]);
  assertEquals(names(db.register(a, "t", "c")), []);
  assertEquals(names(db.register(a, "t", "d")), ["t/d"]);
  assertEquals(names(db.register(a, "t")), []);
  assertEquals(contents(db), ["t: a; c: a; d: a"]);
  assertEquals([db.count, a.registrationCount], [3, 3]);
});

Deno.test("RegistrationDb.register() keeps producers in order of age", () => {
  const db = new RegistrationDb();
  const [a, b, c] = ["a", "b", "c"].map((name) => producer(db, name));

  for (const each of [b, c, a]) db.register(each, "t", "x");

  assertEquals(contents(db), ["t: a b c; x: a b c"]);
});

Deno.test("RegistrationDb.unregister() of a channel leaves the topic, and both names", () => {
  const db = new RegistrationDb();
  const [a, b] = [producer(db, "a"), producer(db, "b")];
  db.register(a, "t", "c");
  db.register(b, "t");

  assertEquals(names(db.unregister(a, "t", "c")), ["t/c"]);
  assertEquals(names(db.unregister(a, "t", "c")), []);
  assertEquals(contents(db), ["t: a b; c: "]);
});

Deno.test("RegistrationDb.unregister() of a topic ends its channels, too", () => {
  const db = new RegistrationDb();
  const [a, b] = [producer(db, "a"), producer(db, "b")];
  db.register(a, "t", "c");
  db.register(a, "t", "d");
  db.register(b, "t", "c");

  assertEquals(names(db.unregister(a, "t")), ["t/c", "t/d", "t"]);
  assertEquals(contents(db), ["t: b; c: b; d: "]);
  assertEquals(a.registrationCount, 0);
});

Deno.test("RegistrationDb.unregister() of what is not known does nothing", () => {
  const db = new RegistrationDb();
  const a = producer(db, "a");
  db.register(a, "t");

  assertEquals([db.unregister(a, "x"), db.unregister(a, "x", "c"), db.unregister(a, "t", "c")], [[], [], []]);
  assertEquals(contents(db), ["t: a"]);
});

Deno.test("RegistrationDb.unregister() forgets ephemeral names with their last producer", () => {
  const db = new RegistrationDb();
  const [a, b] = [producer(db, "a"), producer(db, "b")];
  for (const each of [a, b]) {
    db.register(each, "t", "c#ephemeral");
    db.register(each, "u#ephemeral", "c");
  }

  db.unregister(a, "t", "c#ephemeral");
  db.unregister(a, "u#ephemeral");
  const others = contents(db);
  db.unregister(b, "t", "c#ephemeral");
  db.unregister(b, "u#ephemeral");

  assertEquals(others, ["t: a b; c#ephemeral: b", "u#ephemeral: b; c: b"]);
  assertEquals([contents(db), db.count], [["t: a b"], 1]);
});

Deno.test("RegistrationDb.removeProducer() ends all of its registrations and tells them", () => {
  const db = new RegistrationDb();
  const [a, b] = [producer(db, "a"), producer(db, "b")];
  db.register(a, "t", "c");
  db.register(a, "u");
  db.register(b, "t", "c");

  assertEquals(names(db.removeProducer(a)), ["t/c", "t", "u", "client"]);
  assertEquals(names(db.removeProducer(a)), []);
  assertEquals(contents(db), ["t: b; c: b", "u: "]);
  assertEquals(db.producers, [b]);
});

Deno.test("RegistrationDb.removeProducer() forgets ephemeral names that nobody else has", () => {
  const db = new RegistrationDb();
  const [a, b] = [producer(db, "a"), producer(db, "b")];
  db.register(a, "alone#ephemeral", "c");
  db.register(a, "both#ephemeral", "d#ephemeral");
  db.register(b, "both#ephemeral");
  db.register(a, "t", "c#ephemeral");

  db.removeProducer(a);

  assertEquals([contents(db), db.count], [["both#ephemeral: b", "t: "], 2]);
});

Deno.test("RegistrationDb.addTopic() makes names known without producers", () => {
  const db = new RegistrationDb();

  db.addTopic("t", "c");
  db.addTopic("t", "c");
  db.addTopic("t");
  db.addTopic("u");

  assertEquals([contents(db), db.count], [["t: ; c: ", "u: "], 3]);
});

Deno.test("RegistrationDb.removeTopics() forgets a topic with its channels, and tells it", () => {
  const db = new RegistrationDb();
  const a = producer(db, "a");
  db.register(a, "t", "c");
  db.register(a, "u");

  assertEquals(names(db.removeTopics("t")), ["t/c", "t"]);
  assertEquals(names(db.removeTopics("t")), []);
  assertEquals([contents(db), db.count, a.registrationCount], [["u: a"], 1, 1]);
});

Deno.test("RegistrationDb.removeTopics() of * forgets every topic", () => {
  const db = new RegistrationDb();
  db.addTopic("t", "c");
  db.addTopic("u");

  assertEquals(names(db.removeTopics("*")), ["t/c", "t", "u"]);
  assertEquals([contents(db), db.count], [[], 0]);
});

Deno.test("RegistrationDb.removeChannel() forgets a channel, and says whether there was one", () => {
  const db = new RegistrationDb();
  const a = producer(db, "a");
  db.register(a, "t", "c");

  const answers = [db.removeChannel("t", "c"), db.removeChannel("t", "c"), db.removeChannel("x", "c")];

  assertEquals(answers, [true, false, false]);
  assertEquals([contents(db), db.count, a.registrationCount], [["t: a"], 1, 1]);
});

/** Ids of the producers of each topic that are tombstoned, and since when. */
function tombstones(db: RegistrationDb): string[] {
  return Array.from(db.topics(EVERY_TOPIC)).flatMap(({ name, tombstones }) =>
    [...tombstones ?? []].map(([{ id }, { wallMs }]) => `${name}: ${id} ${wallMs}`)
  );
}

Deno.test("RegistrationDb.tombstone() marks the producers at the address for the topic", () => {
  const db = new RegistrationDb();
  for (const name of ["a", "b"]) {
    const each = producer(db, name);
    db.register(each, "t");
    db.register(each, "u");
  }

  db.tombstone("t", "a:4151", { ...NOW, wallMs: 7 });
  db.tombstone("u", "b:1", { ...NOW, wallMs: 8 });
  db.tombstone("x", "a:4151", { ...NOW, wallMs: 9 });

  assertEquals(tombstones(db), ["t: a 7"]);
});

Deno.test("RegistrationDb.tombstone() of * marks them for every topic", () => {
  const db = new RegistrationDb();
  const a = producer(db, "a");
  db.register(a, "t");
  db.register(a, "u");

  db.tombstone("*", "a:4151", { ...NOW, wallMs: 7 });

  assertEquals(tombstones(db), ["t: a 7", "u: a 7"]);
});

Deno.test("RegistrationDb.register() anew after unregister() ends a tombstone, registering again does not", () => {
  const db = new RegistrationDb();
  const a = producer(db, "a");
  db.register(a, "t");
  db.tombstone("t", "a:4151", { ...NOW, wallMs: 7 });

  db.register(a, "t", "c");
  const again = tombstones(db);
  db.unregister(a, "t");
  db.register(a, "t");

  assertEquals([again, tombstones(db)], [["t: a 7"], []]);
});

Deno.test("RegistrationDb takes as many topics and channels as it may", () => {
  const db = new RegistrationDb({ countMax: 3 });
  const a = producer(db, "a");
  db.register(a, "t", "c");

  // Two names for the one that there is room for.
  assertThrows(() => db.register(a, "u", "c"), RegistrationsFullError, "there are 3 topics and channels");
  assertEquals([contents(db), db.count], [["t: a; c: a"], 2]);
  db.register(a, "u");
  assertThrows(() => db.addTopic("v"), RegistrationsFullError);
  assertThrows(() => db.register(a, "t", "d"), RegistrationsFullError);
  // Known names are no new ones.
  assertEquals(names(db.register(producer(db, "b"), "t", "c")), ["t/c", "t"]);
  db.removeTopics("u");
  db.addTopic("v");
  assertEquals([contents(db), db.count], [["t: a b; c: a b", "v: "], 3]);
});

Deno.test("RegistrationDb forgets topics that no producer has for new names, those that were left first", () => {
  const db = new RegistrationDb({ countMax: 4 });
  const [a, b] = [producer(db, "a"), producer(db, "b")];
  db.register(a, "t", "c");
  db.register(a, "u");
  db.register(b, "v");
  db.unregister(a, "u");
  db.unregister(a, "t");

  db.register(b, "w");
  const afterOne = contents(db);
  // The topic goes with its channels, which no producer has either.
  db.register(b, "x");

  assertEquals(afterOne, ["t: ; c: ", "v: b", "w: b"]);
  assertEquals([contents(db), db.count], [["v: b", "w: b", "x: b"], 3]);
});

Deno.test("RegistrationDb forgets channels that no producer has of a topic that some have", () => {
  const db = new RegistrationDb({ countMax: 4 });
  const [a, b] = [producer(db, "a"), producer(db, "b")];
  db.register(a, "t", "c");
  db.register(b, "t", "d");
  db.register(a, "t", "e");
  db.unregister(b, "t", "d");

  db.register(b, "u");
  assertThrows(() => db.register(b, "v"), RegistrationsFullError);

  assertEquals([contents(db), db.count], [["t: a b; c: a; e: a", "u: b"], 4]);
});

Deno.test("RegistrationDb does not forget a topic for the sake of a channel of its own", () => {
  const db = new RegistrationDb({ countMax: 2 });
  const a = producer(db, "a");
  db.addTopic("t", "c");

  assertThrows(() => db.register(a, "t", "d"), RegistrationsFullError);
  assertThrows(() => db.addTopic("t", "d"), RegistrationsFullError);

  assertEquals([contents(db), db.count], [["t: ; c: "], 2]);
});

Deno.test("RegistrationDb looks at a few channels only for one that no producer has, and goes on there the next time", () => {
  const channels = 1500;
  const db = new RegistrationDb({ countMax: channels + 1 });
  const [a, b] = [producer(db, "a"), producer(db, "b")];
  for (let i = 0; i < channels - 1; i++) db.register(a, "t", `c${i}`);
  db.register(b, "t", "last");
  db.unregister(b, "t", "last");

  assertThrows(() => db.register(b, "u"), RegistrationsFullError);
  assertEquals(names(db.register(b, "u")), ["u"]);
});

Deno.test("RegistrationDb registers a producer for as many topics and channels as it may have", () => {
  const db = new RegistrationDb({ producerCountMax: 3 });
  const [a, b] = [producer(db, "a"), producer(db, "b")];
  db.register(a, "t", "c");

  assertThrows(() => db.register(a, "u", "c"), RegistrationsFullError, "the producer has 3");
  db.register(a, "t", "d");
  assertThrows(() => db.register(a, "u"), RegistrationsFullError);
  assertEquals(names(db.register(a, "t", "d")), []);
  assertEquals(names(db.register(b, "u", "c")), ["u/c", "u"]);
  db.unregister(a, "t", "d");
  assertEquals(names(db.register(a, "u")), ["u"]);
});

for (const name of ["", "*", "a b", "a\0", "#ephemeral", "x".repeat(65)]) {
  Deno.test(`RegistrationDb takes no topic and no channel called ${JSON.stringify(name)}`, () => {
    const db = new RegistrationDb();
    const a = producer(db, "a");

    assertThrows(() => db.register(a, name), TypeError, "Not the name of a topic");
    assertThrows(() => db.register(a, "t", name), TypeError, "Not the name of a channel");
    assertThrows(() => db.addTopic(name), TypeError);
    assertThrows(() => db.addTopic("t", name), TypeError);
    assertEquals([contents(db), db.count, a.registrationCount], [[], 0, 0]);
  });
}

Deno.test("RegistrationDb refuses a name only when producers have all others, and forgets none that one has", () => {
  const topics = ["t", "u", "v", "w#ephemeral"];
  const channels = [undefined, "c", "d", "e#ephemeral"];
  let refusals = 0;
  for (let seed = 0; seed < 100; seed++) {
    const random = new Random(seed);
    const db = new RegistrationDb({ countMax: 6 });
    const known = new Map<string, Producer>();
    const model = new Set<string>();
    for (let step = 0; step < 100; step++) {
      const id = random.pick(["a", "b", "c"]);
      const each = known.get(id) ?? producer(db, id);
      known.set(id, each);
      const [topic, channel] = [random.pick(topics), random.pick(channels)];
      if (random.oneIn(3)) {
        db.unregister(each, topic, channel);
        for (const name of [...model]) {
          const [its, ofTopic, ofChannel] = name.split(" ");
          if (its === id && ofTopic === topic && (channel ?? ofChannel) === ofChannel) model.delete(name);
        }
        continue;
      }
      try {
        db.register(each, topic, channel);
        model.add(`${id} ${topic} `);
        if (channel !== undefined) model.add(`${id} ${topic} ${channel}`);
      } catch (error) {
        if (!(error instanceof RegistrationsFullError)) throw error;
        refusals++;
        // But for the topic itself, which is not to go for its own sake.
        const others = [...db.topics(EVERY_TOPIC)].filter(({ name }) => name !== topic);
        assertEquals(others.filter(({ producers }) => producers.length === 0), [], `seed ${seed}`);
        const deserted = others.flatMap((each) => [...each.channels.values()]).filter((has) =>
          has.length === 0
        );
        assertEquals(deserted, [], `seed ${seed}`);
      }
      assert(db.count <= 6, `seed ${seed}: ${db.count} names`);
    }

    const found = [...db.topics(EVERY_TOPIC)].flatMap(({ name, producers, channels }) => [
      ...producers.map(({ id }) => `${id} ${name} `),
      ...[...channels].flatMap(([channel, has]) => has.map(({ id }) => `${id} ${name} ${channel}`)),
    ]);
    assertEquals(found.sort(), [...model].sort(), `seed ${seed}`);
  }
  assert(refusals > 100, `only ${refusals} refusals`);
});

Deno.test("RegistrationDb does as a plain set of registrations does, whatever is asked of it", () => {
  const topics = ["t", "u", "v#ephemeral"];
  const channels = [undefined, "c", "d#ephemeral"];
  for (let seed = 0; seed < 50; seed++) {
    const random = new Random(seed);
    const db = new RegistrationDb();
    const known = new Map<string, Producer>();
    const model = new Set<string>();
    for (let step = 0; step < 60; step++) {
      const id = random.pick(["a", "b", "c", "d"]);
      const [topic, channel] = [random.pick(topics), random.pick(channels)];
      const each = known.get(id) ?? producer(db, id);
      known.set(id, each);
      switch (random.below(4)) {
        case 0:
          db.unregister(each, topic, channel);
          for (const name of [...model]) {
            const [its, ofTopic, ofChannel] = name.split(" ");
            if (its === id && ofTopic === topic && (channel ?? ofChannel) === ofChannel) model.delete(name);
          }
          break;
        case 1:
          if (!random.oneIn(3)) break;
          db.removeProducer(each);
          known.delete(id);
          for (const name of [...model]) if (name.startsWith(`${id} `)) model.delete(name);
          break;
        default:
          db.register(each, topic, channel);
          model.add(`${id} ${topic} `);
          if (channel !== undefined) model.add(`${id} ${topic} ${channel}`);
      }
    }

    const found = [...db.topics(EVERY_TOPIC)].flatMap(({ name, producers, channels }) => [
      ...producers.map(({ id }) => `${id} ${name} `),
      ...[...channels].flatMap(([channel, has]) => has.map(({ id }) => `${id} ${name} ${channel}`)),
    ]);
    assertEquals(found.sort(), [...model].sort(), `seed ${seed}`);
    const counts = [...known].map(([id, { registrationCount }]) => [id, registrationCount]);
    const expected = [...known.keys()].map((id) => [
      id,
      [...model].filter((name) => name.startsWith(`${id} `)).length,
    ]);
    assertEquals(counts, expected, `seed ${seed}`);
    const nameCount = [...db.topics(EVERY_TOPIC)].reduce((sum, { channels }) => sum + 1 + channels.size, 0);
    assertEquals(db.count, nameCount);
  }
});

Deno.test("RegistrationDb.removingProducer() lets others change what it has not come to yet", () => {
  const db = new RegistrationDb();
  const [a, b] = ["a", "b"].map((name) => producer(db, name));
  for (const topic of ["t", "u", "v"]) {
    db.register(a, topic, "c");
    db.register(b, topic, "c");
  }

  const removed = [];
  for (const step of db.removingProducer(a)) {
    if (step) removed.push(`${step.category}:${step.key}:${step.subKey}`);
    if (removed.length === 1) db.removeTopics("u");
  }

  assertEquals(removed, ["channel:t:c", "topic:t:", "channel:v:c", "topic:v:", "client::"]);
  assertEquals([a.registrationCount, b.registrationCount, db.count], [0, 4, 4]);
  assertEquals(db.producers, [b]);
});

Deno.test("RegistrationDb.removingProducer() keeps the producer from being told of from its first step on", async () => {
  const db = new RegistrationDb();
  const leaving = producer(db, "a");
  for (const topic of ["t", "u"]) db.register(leaving, topic, "c");

  db.removingProducer(leaving).next();

  const times = { monotonicMs: NOW.monotonicMs, inactiveProducerTimeoutMs: 1000, tombstoneLifetimeMs: 0 };
  assertEquals(await lookupAnswer(db, "u", times), { channels: ["c"], producers: [] });
});

Deno.test("RegistrationDb.removingTopics() leaves what is registered between its steps", () => {
  const db = new RegistrationDb();
  const a = producer(db, "a");
  db.register(a, "t", "c");
  db.register(a, "u");

  const steps = db.removingTopics(EVERY_TOPIC);
  steps.next();
  const early = contents(db);
  db.register(a, "u", "d");
  for (const _ of steps);

  assertEquals([early, contents(db)], [[], ["u: a; d: a"]]);
  assertEquals([db.count, a.registrationCount], [2, 2]);
});

Deno.test("RegistrationDb counts a registration out once that ends with its topic and its producer at a time", () => {
  const db = new RegistrationDb();
  const [a, b] = [producer(db, "a"), producer(db, "b")];
  for (const  of of[a, b]) {
    db.register(of, "t", "c");
    db.register(of, "t", "d");
  }

  const steps = db.removingProducer(a);
  // In the middle of the topic.
  steps.next();
  steps.next();
  db.removeTopics("t");
  for (const _ of steps);

  assertEquals([a.registrationCount, b.registrationCount, db.count], [0, 0, 0]);
});
