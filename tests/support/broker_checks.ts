/**
 * What must hold of a broker and its model: after every step, and when nothing more can be delivered.
 *
 * @module
 */
import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import type { Segment } from "../../src/log/segment.ts";
import type { Channel } from "../../src/broker/channel.ts";
import type { Topic } from "../../src/broker/topic.ts";
import { NONE } from "../../src/broker/outstanding.ts";
import { bodyOf, sameBytes } from "./broker_messages.ts";
import type { ModelChannel, ModelEntry } from "./broker_model.ts";
import type { BrokerTrial } from "./broker_trial.ts";

/** Every number that the broker shows is the model's. */
export function checkCounts(trial: BrokerTrial): void {
  const { broker, model } = trial;
  assertEquals([...broker.topics.keys()].sort(), [...model.keys()].sort(), "topics");
  for (const name of model.keys()) trial.follow(name);
  let slots = 0;
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
    checkMemory(real);
    for (const [channelName, channel] of topic.channels) {
      const realChannel = real.channels.get(channelName);
      assert(realChannel);
      checkChannel(realChannel, channel, `${name}/${channelName}`);
      slots += slotsOf(realChannel);
      if (!topic.ephemeral && !channel.ephemeral) {
        // A paused topic has a memory queue of its own, and the channel gets both.
        const most = 2 * trial.limits.memQueueSize;
        assertLessOrEqual(realChannel.memoryDepth, most, `memory of ${name}/${channelName}`);
      }
    }
  }
  // What was deleted or emptied gives its slots back later.
  if (broker.background.size === 0) assertEquals(broker.outstanding.size, slots, "slots");
  else assertGreaterOrEqual(broker.outstanding.size, slots, "slots");
  assertEquals(trial.failures, [], "failures");
  for (const client of trial.clients) {
    if (client.open) {
      assertEquals(client.consumer.inFlightCount, client.inFlight.length, "in flight to a client");
    }
  }
}

/** A segment whose file has it all is in memory only while somebody keeps it there. */
function checkMemory(topic: Topic): void {
  for (const segment of topic.log.segments) {
    if (!segment.stored || !segment.sealed || !segment.resident) continue;
    if (segment.written < segment.used || segment.committed < segment.count) continue;
    assert(topic.log.isPinned(segment), `${segment.base} stays in memory`);
  }
}

/** Slots that the channel's messages have: all of them that are outstanding, and one for the parked ones of a page. */
function slotsOf(channel: Channel): number {
  let slots = 0;
  let parked = 0;
  for (const page of channel.pages) {
    slots += page.slots.size + (page.parkSlot === NONE ? 0 : 1);
    parked += page.parked;
    if (page.parked > 0) assert(page.parkSlot !== NONE || page.waking, "nobody wakes the parked messages");
  }
  assertLessOrEqual(parked, channel.deferredCount, "parked messages");
  return slots;
}

function checkChannel(real: Channel, model: ModelChannel, name: string): void {
  assertEquals(real.depth, model.depth, `depth of ${name}`);
  assertEquals(real.deferredCount, model.deferredCount, `deferred of ${name}`);
  assertEquals(real.memoryDepth + real.backendDepth, model.waitingCount, `waiting in ${name}`);
  assertEquals(real.inFlightCount, model.inFlightCount, `inFlightCount of ${name}`);
  assertEquals(real.leasedCount, model.leasedCount, `leasedCount of ${name}`);
  assertEquals(real.messageCount, model.messageCount, `messageCount of ${name}`);
  assertEquals(real.requeueCount, model.requeueCount, `requeueCount of ${name}`);
  assertEquals(real.timeoutCount, model.timeoutCount, `timeoutCount of ${name}`);
  assertEquals(real.paused, model.paused, `paused of ${name}`);
  assertEquals(real.consumers.size, model.clients.length, `consumers of ${name}`);
}

/** Positions of the channel's parked messages that are not in memory: they cannot become ready at once. */
export function sleepers(
  topic: Topic | undefined,
  channelName: string,
  model: ModelChannel,
): ReadonlySet<number> {
  const positions = new Set<number>();
  for (const page of topic?.channels.get(channelName)?.pages ?? []) {
    if (page.parked === 0 || page.segment.resident) continue;
    const { base } = page.segment;
    for (const { message: { position, dueMs } } of model.entries) {
      if (page.isParkedUntil(dueMs, position - base)) positions.add(position);
    }
  }
  return positions;
}

/** The broker sends what was published. */
export function checkMessage(segment: Segment, index: number, { message }: ModelEntry): void {
  assertEquals(segment.timestampHigh(index), message.timestamp.high, "timestamp");
  assertEquals(segment.timestampLow(index), message.timestamp.low, "timestamp");
  assert(sameBytes(bodyOf(segment, index), message.body), `body of ${message.position}`);
  const at = segment.foreignId(index);
  const { id } = message.origin ?? {};
  assertEquals(at > 0 ? segment.bytes.slice(at, at + 16) : undefined, id, `id of ${message.position}`);
}

/** Changes with every message that is sent, or becomes ready. */
function progress({ sent, broker }: BrokerTrial): string {
  const counts = [...broker.topics.values()].flatMap((topic) =>
    [...topic.channels.values()].map(({ depth, deferredCount }) => [depth, deferredCount])
  );
  return [sent, ...counts].join();
}

/**
 * Delivers until nothing moves any more: then no message may wait where a consumer waits for it, and none be deferred that
 * is due. What a pump does it does for channels that were woken only.
 */
export async function settle(trial: BrokerTrial): Promise<void> {
  const { stores } = trial;
  const { faultless } = stores;
  stores.faultless = true;
  // What could not be read is read now.
  await trial.idle();
  for (const topic of trial.broker.topics.values()) topic.log.retry();
  let before = "";
  let rounds = 0;
  while (rounds < 4) {
    const now = progress(trial);
    rounds = now === before ? rounds + 1 : 0;
    before = now;
    trial.scan();
    trial.pump();
    await trial.idle();
  }
  for (const [name, topic] of trial.model) {
    trial.follow(name);
    if (!topic.isHeld) assertEquals(topic.own.length, 0, `${name} does not pass its messages on`);
    for (const [channelName, channel] of topic.channels) {
      const late = channel.entries.filter(({ state, dueMs }) =>
        state === "deferred" && dueMs <= trial.clock.nowMs()
      );
      assertEquals(late.map(({ message }) => message.position), [], `asleep in ${name}/${channelName}`);
    }
  }
  for (const client of trial.clients) {
    if (!client.open || !client.consumer.ready || client.model.paused) continue;
    assertEquals(client.model.depth, 0, `${client.topic}/${client.real.name} has stalled`);
  }
  stores.faultless = faultless;
}
