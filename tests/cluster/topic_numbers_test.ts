import { assertEquals, assertRejects } from "@std/assert";
import { NUMBERS_MAX, type TopicNumbers } from "../../src/cluster/topic_numbers.ts";
import { CountedSlice } from "../support/counted_slice.ts";
import { statsReader } from "../support/stats_reader.ts";

async function read(answer: unknown): Promise<{ readonly topics: TopicNumbers[]; readonly facts: unknown }> {
  const topics: TopicNumbers[] = [];
  const facts = await statsReader(answer).read((topic) => void topics.push(topic));
  return { topics, facts };
}

Deno.test("StatsReader.read() has all numbers of topics and channels, and what a node says of itself", async () => {
  const channel = {
    channel_name: "c",
    depth: 1,
    backend_depth: 2,
    in_flight_count: 3,
    deferred_count: 4,
    message_count: 5,
    requeue_count: 6,
    timeout_count: 7,
    client_count: 8,
    clients: [{ client_id: "x" }],
    paused: true,
    oldest_message_age_seconds: 9,
    finish_count: 14,
    e2e_processing_latency: { count: 0, percentiles: null },
  };
  const topic = {
    topic_name: "t",
    channels: [channel],
    depth: 10,
    backend_depth: 11,
    message_count: 12,
    paused: true,
  };
  const { topics, facts } = await read({
    version: "1",
    health: "OK",
    start_time: 13,
    topics: [topic],
    memory: { a: 1 },
  });

  assertEquals(topics, [{
    name: "t",
    depth: 10,
    backendDepth: 11,
    messages: 12,
    paused: true,
    channels: [{
      name: "c",
      depth: 1,
      backendDepth: 2,
      inFlight: 3,
      deferred: 4,
      messages: 5,
      requeued: 6,
      timedOut: 7,
      consumers: 8,
      oldestS: 9,
      finished: 14,
      paused: true,
    }],
  }]);
  assertEquals(facts, { health: "OK", start_time: 13, memory: { a: 1 } });
});

for (const answer of ["null", "{}", '{"topics":null}', '{"topics":[]}']) {
  Deno.test(`StatsReader.read() of ${answer} has no topic`, async () => {
    assertEquals((await read(answer)).topics, []);
  });
}

Deno.test("StatsReader.read() takes what is missing or null for empty", async () => {
  const { topics } = await read(
    '{"topics":[null,{},{"topic_name":null,"channels":null},{"channels":[null,{}]}]}',
  );

  assertEquals(topics.map(({ name, depth, channels }) => [name, depth, channels.map(({ name }) => name)]), [
    ["", 0, []],
    ["", 0, []],
    ["", 0, []],
    ["", 0, ["", ""]],
  ]);
});

for (
  const [answer, reason] of [
    ["", "Unexpected end of JSON"],
    ["[]", "the answer is no object"],
    ['{"topics":{}}', "topics is no list"],
    ['{"topics":[1]}', "a topic is no object"],
    ['{"topics":[{"topic_name":1}]}', "topic_name is no string"],
    ['{"topics":[{"depth":1.5}]}', "depth is no whole number"],
    ['{"topics":[{"paused":1}]}', "paused is not true or false"],
    ['{"topics":[{"channels":[[]]}]}', "a channel is no object"],
    ['{"topics":[],"topics":[]}', "topics are told twice"],
    ['{"topics":[{}]', "Unexpected end of JSON"],
    ['{"topics":[{}]}}', 'Unexpected "}" in JSON at byte 15'],
  ]
) {
  Deno.test(`StatsReader.read() refuses ${answer}`, async () => {
    await assertRejects(() => read(answer), Error, reason);
  });
}

Deno.test("StatsReader.read() leaves others their turns, however many channels and clients there are", async () => {
  const clients = Array.from({ length: 50_000 }, (_, i) => ({ client_id: String(i) }));
  const channels = Array.from({ length: 640 }, (_, i) => ({ channel_name: String(i) }));
  const fields = Object.fromEntries(clients.map((client, i) => [`field${i}`, client]));
  for (
    const topics of [
      ...[[{ channels }], channels.map(() => ({})), [{ channels: channels.map(() => null) }]],
      ...[[{ channels: [{ clients }] }], [{ clients }], [{ channels: [fields] }], [fields]],
    ]
  ) {
    const slice = new CountedSlice();

    await statsReader({ topics }, slice).read(() => {});

    assertEquals(slice.turns >= 10, true);
  }
});

Deno.test("StatsReader.read() reads the same however often others have their turn, and whatever is passed over", async () => {
  const long = Array.from({ length: 20_000 }, (_, i) => ({ i, text: "x" }));
  const channels = [{ channel_name: "c", depth: 1 }, null, {}, {
    clients: long,
    channel_name: "d",
    more: { long },
    depth: 2,
  }];
  const topics = [
    { topic_name: "t", long, channels, depth: 3 },
    null,
    { channels: null, topic_name: "u" },
    { channels: [], depth: 4, topic_name: "v", long },
    // Told last is what counts.
    `{"topic_name":"w","channels":[{"depth":5}],"channels":[{"depth":6}]}`,
  ].map((topic) => typeof topic === "string" ? topic : JSON.stringify(topic));
  const answer = `{"long":${JSON.stringify(long)},"topics":[${topics}],"health":"OK"}`;
  const readWith = async (slice?: CountedSlice) => {
    const read: unknown[] = [];
    const facts = await statsReader(answer, slice).read(({ name, depth, channels }) => {
      read.push([name, depth, channels.map(({ name, depth }) => [name, depth])]);
      return Promise.resolve();
    });
    return { read, facts };
  };
  const slice = new CountedSlice();

  const told = {
    read: [
      ["t", 3, [["c", 1], ["", 0], ["", 0], ["d", 2]]],
      ["", 0, []],
      ["u", 0, []],
      ["v", 4, []],
      ["w", 0, [["", 6]]],
    ],
    facts: { health: "OK" },
  };
  assertEquals(await readWith(), told);
  assertEquals(await readWith(slice), told);
  assertEquals(slice.turns > 10, true);
});

Deno.test("StatsReader.read() refuses more topics and channels than a node has", async () => {
  const told = (channels: number) => `{"topics":[{"channels":[${Array(channels).fill("{}").join()}]}]}`;

  assertEquals((await read(told(NUMBERS_MAX - 1))).topics[0].channels.length, NUMBERS_MAX - 1);
  await assertRejects(() => read(told(NUMBERS_MAX)), TypeError, "there are more than 250000 topics");
});
