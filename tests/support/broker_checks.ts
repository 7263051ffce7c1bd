/**
 * What must hold of a broker and its model: after every step, when nothing more can be delivered, and at the end.
 *
 * @module
 */
import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import type { Channel } from "../../src/broker/channel.ts";
import type { ModelChannel } from "./broker_model.ts";
import { finish, pauseChannel, pauseTopic } from "./broker_steps.ts";
import type { BrokerTrial } from "./broker_trial.ts";

/** Longer than any delay or timeout of a trial, in ms. */
const LONG_MS = 100_000;

/** Every number that the broker shows is the model's. */
export function checkCounts(trial: BrokerTrial): void {
  const { broker, model } = trial;
  assertEquals([...broker.topics.keys()].sort(), [...model.keys()].sort(), "topics");
  let outstanding = 0;
  for (const [name, topic] of model) {
    const real = broker.topics.get(name);
    assert(real);
    assertEquals([...real.channels.keys()].sort(), [...topic.channels.keys()].sort(), `channels of ${name}`);
    assertEquals(real.depth, topic.own.length, `depth of topic ${name}`);
    assertEquals(real.messageCount, topic.messageCount, `messageCount of topic ${name}`);
    assertEquals(real.paused, topic.paused, `paused of topic ${name}`);
    if (!topic.ephemeral) {
      assertLessOrEqual(real.depth - real.backendDepth, trial.limits.memQueueSize, `memory of topic ${name}`);
    }
    for (const [channelName, channel] of topic.channels) {
      const realChannel = real.channels.get(channelName);
      assert(realChannel);
      checkChannel(realChannel, channel, `${name}/${channelName}`);
      outstanding += realChannel.inFlightCount + realChannel.deferredCount;
      // A paused topic has a memory queue of its own, and a channel gets both.
      if (!topic.ephemeral) {
        assertLessOrEqual(realChannel.memoryDepth, 2 * trial.limits.memQueueSize, `memory of ${channelName}: ${realChannel.memoryDepth}`);
      }
    }
  }
  assertGreaterOrEqual(broker.outstanding.size, outstanding);
  for (const client of trial.clients) {
    if (client.open) assertEquals(client.consumer.inFlightCount, client.inFlight.length, "in flight to a client");
  }
}

function checkChannel(real: Channel, model: ModelChannel, name: string): void {
  const hidden = model.hiddenCount;
  assertEquals(real.depth + real.deferredCount, model.depth + model.deferredCount, `depth + deferred of ${name}`);
  assertGreaterOrEqual(real.depth, model.depth, `depth of ${name}`);
  assertLessOrEqual(real.depth, model.depth + hidden, `depth of ${name}`);
  assertEquals(real.inFlightCount, model.inFlightCount, `inFlightCount of ${name}`);
  assertEquals(real.messageCount, model.messageCount, `messageCount of ${name}`);
  assertEquals(real.requeueCount, model.requeueCount, `requeueCount of ${name}`);
  assertEquals(real.timeoutCount, model.timeoutCount, `timeoutCount of ${name}`);
  assertEquals(real.paused, model.paused, `paused of ${name}`);
  assertEquals(real.consumers.size, model.clients.length, `consumers of ${name}`);
}

/** Delivers until nothing moves any more: then no message may wait where a consumer waits for it. */
export async function settle(trial: BrokerTrial): Promise<void> {
  let sent = -1;
  let rounds = 0;
  while (sent !== trial.sent || rounds < 4) {
    rounds = sent === trial.sent ? rounds + 1 : 0;
    sent = trial.sent;
    trial.pump();
    await trial.idle();
  }
  for (const client of trial.clients) {
    if (!client.open || !client.consumer.ready || client.model.paused) continue;
    assertEquals(client.model.depth, 0, `${client.topic}/${client.real.name} has stalled`);
  }
}

/** Takes everything out; then nothing is left anywhere. */
export async function drain(trial: BrokerTrial): Promise<void> {
  trial.commit();
  for (const [name, topic] of trial.model) {
    pauseTopic(trial, name, false);
    if (topic.channels.size === 0) trial.channel(name, "last");
    for (const channel of topic.channels.keys()) {
      pauseChannel(trial, name, channel, false);
      trial.addClient(name, channel, { readyCount: 1000, msgTimeoutMs: LONG_MS / 2 });
    }
  }
  for (const client of trial.clients) {
    client.setRoom(true);
    client.setReady(1000);
  }
  while (left(trial) > 0) {
    await settle(trial);
    const before = left(trial);
    for (const client of trial.clients) {
      for (const entry of [...client.inFlight]) finish(client, entry);
    }
    checkCounts(trial);
    if (left(trial) < before) continue;
    trial.clock.advance(LONG_MS);
    trial.scan();
  }
  await settle(trial);
  checkCounts(trial);
  assertEquals(trial.broker.outstanding.size, 0, "slots");
  for (const topic of trial.broker.topics.values()) {
    topic.maintain();
    topic.saveState();
    const kept = topic.log.segments.filter(({ count }) => count > 0)
      .map(({ base, count, committed, stored, sealed, holders }) => ({ base, count, committed, stored, sealed, holders }));
    assertEquals(kept, [], `segments of ${topic.name}`);
  }
  assertEquals(trial.stores.used(["a", "b"]), [], "topics in the store");
}

/** Messages that are not finished. */
function left(trial: BrokerTrial): number {
  let count = 0;
  for (const topic of trial.model.values()) {
    for (const channel of topic.channels.values()) count += channel.entries.length;
  }
  return count;
}
