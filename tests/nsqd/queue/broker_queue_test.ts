import { assertEquals, assertNotEquals } from "@std/assert";
import { parseLease } from "../../../src/nsqd/queue/lease.ts";
import type { LeasedMessage } from "../../../src/nsqd/queue/queue.ts";
import { messageIdText } from "../../../src/protocol/message_id.ts";
import { testQueue } from "../../contract/queue.ts";
import { brokerQueue, NODE_ID, type TestQueue } from "../../support/broker_queue.ts";
import { TestConsumer } from "../../support/broker_setup.ts";
import { FAKE_START_MS, FakeClock } from "../../support/fake_clock.ts";

testQueue("BrokerQueue", { make: (limits) => Promise.resolve(brokerQueue({ limits })) });

const PLACE = { topic: "t", channel: "c" };
const CLIENT = {
  remoteAddress: "127.0.0.1:1234",
  userAgent: "curl/8",
  name: undefined,
  signal: new AbortController().signal,
};
const EVERYTHING = { topics: new Set<string>(), channels: new Set<string>(), includeClients: true };

Deno.test("BrokerQueue after a restart knows no lease of the one before", async () => {
  await using before = brokerQueue();
  await publish(before, "a");
  const [{ lease }] = await receive(before);
  await using after = brokerQueue();
  await publish(after, "a");
  await receive(after);

  assertNotEquals(parseLease(lease)?.epoch, after.queue.epoch);
  assertEquals(await after.queue.finish(PLACE, [lease]), {
    done: 0,
    failed: [{ lease, problem: "UNKNOWN" }],
  });
});

Deno.test("BrokerQueue says of a touch the whole time, whatever fractions the clock has", async () => {
  const monotonicMs = 34_497.647546;
  assertEquals(monotonicMs + 60_000 - monotonicMs < 60_000, true);
  await using made = brokerQueue({ clock: new FakeClock(FAKE_START_MS, monotonicMs) });
  await publish(made, "a");
  const [{ lease }] = await receive(made);

  assertEquals(await made.queue.touch(PLACE, [lease]), { done: 1, failed: [], expiresInMs: 60_000 });
});

Deno.test("BrokerQueue has leases of one timeout as one client, which is gone when nobody has asked for a minute", async () => {
  await using made = brokerQueue();
  await publish(made, "a", "b", "c");
  await receive(made);
  await receive(made);
  await receive(made, 5000);
  assertEquals(await clientsOf(made), [["HTTP", 2, 2], ["HTTP", 1, 1]]);

  await made.advance(59_000);
  assertEquals((await clientsOf(made)).length, 2);
  await made.advance(2000);
  assertEquals(await clientsOf(made), []);
});

Deno.test("BrokerQueue has eight timeouts in a channel at a time, and refuses a ninth", async () => {
  await using made = brokerQueue();
  for (let i = 1; i <= 8; i++) await receive(made, i * 1000);

  const refusal = await receive(made, 9000).catch((error) => error);
  assertEquals([refusal.status, refusal.message], [429, "TOO_MANY_TIMEOUTS"]);
  assertEquals((await receive(made, 8000)).length, 0);
});

Deno.test("BrokerQueue shares a channel's messages with TCP clients, and neither answers for the other", async () => {
  await using made = brokerQueue();
  await publish(made, "a", "b");
  const channel = made.broker.topic("t").channel("c");
  const client = new TestConsumer(channel, { readyCount: 1 });
  await made.advance(100);
  const [tcp] = client.deliveries;
  const [mine] = await receive(made);
  const forged = mine.lease.replace(mine.id, messageIdText(tcp.position, NODE_ID));

  assertEquals(tcp.body, "a");
  assertEquals(textOf(mine), "b");
  assertEquals(await made.queue.finish(PLACE, [forged]), {
    done: 0,
    failed: [{ lease: forged, problem: "EXPIRED" }],
  });
  channel.finish(client.consumer, tcp.position, made.clock.monotonicMs());
  assertEquals((await made.queue.finish(PLACE, [mine.lease])).done, 1);
});

Deno.test("BrokerQueue takes the place of a consumer, and there may be no more than --max-channel-consumers", async () => {
  await using made = brokerQueue({ limits: { maxChannelConsumers: 1 } });
  new TestConsumer(made.broker.topic("t").channel("c"));

  const refusal = await receive(made).catch((error) => error);
  assertEquals([refusal.status, refusal.message], [429, "TOO_MANY_CONSUMERS"]);
});

Deno.test("BrokerQueue that is asked for what lies on the disk waits until it is read, though the client does not", async () => {
  await using made = brokerQueue({ limits: { memQueueSize: 0 } });
  await publish(made, "a", "b");
  const topic = made.broker.topic("t");
  await topic.flush();
  topic.channel("c").rest();

  assertEquals((await receive(made)).map(textOf), ["a"]);
});

async function publish({ queue }: TestQueue, ...bodies: readonly string[]): Promise<void> {
  await queue.createTopic("t");
  await queue.createChannel(PLACE);
  for (const body of bodies) await queue.publish("t", new TextEncoder().encode(body), { deferMs: 0 });
}

function receive({ queue }: TestQueue, timeoutMs = 60_000): Promise<readonly LeasedMessage[]> {
  return queue.receive(PLACE, { max: 1, bytesMax: 1024, waitMs: 0, timeoutMs, client: CLIENT });
}

/** How they came, messages that were sent to them, and messages they have in flight. */
async function clientsOf({ queue }: TestQueue): Promise<unknown[]> {
  const { topics } = await queue.stats(EVERYTHING);
  const clients = topics?.[0].channels[0].clients ?? [];
  return clients.map((
    { version, message_count, in_flight_count },
  ) => [version, message_count, in_flight_count]);
}

function textOf({ body }: LeasedMessage): string {
  return new TextDecoder().decode(body);
}
