/**
 * The model test's kill -9: what is started on the bytes that were written so far must deliver every message that
 * is in them and not finished, and none that was never published.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Broker } from "../../src/broker/broker.ts";
import type { Channel } from "../../src/broker/channel.ts";
import { Consumer } from "../../src/broker/consumer.ts";
import type { Topic } from "../../src/broker/topic.ts";
import type { TestStores } from "./broker_stores.ts";
import { bodyOf, sameBytes } from "./broker_messages.ts";
import type { BrokerTrial } from "./broker_trial.ts";
import type { Random } from "./random.ts";

/** Longer than any delay of a trial, in ms. */
const LONG_MS = 100_000;

/**
 * Kills the trial's broker and takes everything out of the one that is started after it. With `random`, the disk
 * has suffered meanwhile: of one segment everything may be missing, but of no other.
 */
export async function crash(trial: BrokerTrial, random?: Random): Promise<void> {
  const stores = trial.stores.snapshot();
  const damaged = random ? damage(stores, random) : undefined;
  const expected = unfinishedInStore(trial, damaged);
  trial.clock.advance(2);
  const broker = trial.recover(stores);
  for (const topic of broker.topics.values()) {
    topic.unpause();
    if (topic.channels.size === 0) topic.channel("last");
    const published = publishedTo(trial, topic.name);
    for (const channel of topic.channels.values()) {
      channel.unpause();
      const delivered = await takeAll(broker, topic, channel, { trial, published });
      const missing = expected.get(`${topic.name}/${channel.name}`)?.difference(delivered) ?? new Set();
      assertEquals([...missing], [], `${topic.name}/${channel.name} has lost messages`);
    }
    topic.maintain();
    topic.saveState();
  }
  assertEquals(broker.outstanding.size, 0, "slots");
  assertEquals(stores.used(["a", "b"]), [], "topics in the store");
}

/** Flips a bit of a segment or cuts it off somewhere, and now and then spoils the state; returns the segment's base. */
function damage(stores: TestStores, random: Random): number | undefined {
  const names = stores.names();
  if (names.length === 0) return undefined;
  const store = stores.open(random.pick(names));
  const state = store.readState();
  if (state && random.oneIn(4)) {
    state[random.below(state.length)] ^= 1 << random.below(8);
    store.writeState(state);
  }
  const { base } = random.pick(store.list());
  const image = store.readSync(base);
  if (random.oneIn(2)) image[random.below(image.length)] ^= 1 << random.below(8);
  store.replace(base, random.oneIn(2) ? image : image.subarray(0, random.below(image.length)));
  return base;
}

/** Positions of the messages in stored segments, but for the damaged one, that each channel has not finished. */
function unfinishedInStore(trial: BrokerTrial, damaged: number | undefined): Map<string, Set<number>> {
  const unfinished = new Map<string, Set<number>>();
  for (const [name, topic] of trial.model) {
    if (topic.ephemeral) continue;
    const stored = trial.broker.topics.get(name)?.log.segments.filter((segment) =>
      segment.stored && segment.base !== damaged
    ) ?? [];
    const isStored = (position: number) =>
      stored.some((segment) =>
        segment.base <= position && position < segment.end
      );
    const own = topic.own.map(({ position }) => position).filter(isStored);
    const kept = [...topic.channels].filter(([, channel]) => !channel.ephemeral);
    for (const [channelName, channel] of kept) {
      const positions = channel.entries.map(({ message }) => message.position).filter(isStored);
      unfinished.set(`${name}/${channelName}`, new Set([...positions, ...own]));
    }
    if (kept.length === 0) unfinished.set(`${name}/last`, new Set(own));
  }
  return unfinished;
}

/** Every body that was committed, by position. */
function publishedTo(trial: BrokerTrial, topic: string): Map<number, Uint8Array> {
  const published = new Map(trial.published.get(topic));
  for (const { position } of trial.model.get(topic)?.pending ?? []) published.delete(position);
  return published;
}

/** Consumes everything; returns the positions of what came. */
async function takeAll(
  broker: Broker,
  topic: Topic,
  channel: Channel,
  options: { trial: BrokerTrial; published: ReadonlyMap<number, Uint8Array> },
): Promise<Set<number>> {
  const { trial: { clock }, published } = options;
  const delivered = new Set<number>();
  const inFlight: number[] = [];
  const consumer = new Consumer({
    sink: {
      hasRoom: true,
      close: () => {},
      send: (segment, index) => {
        const position = segment.base + index;
        const expected = published.get(position);
        assert(
          expected && sameBytes(bodyOf(segment, index), expected),
          `message ${position} of ${topic.name} was not published`,
        );
        assert(!delivered.has(position), `message ${position} of ${channel.name} came again after FIN`);
        delivered.add(position);
        inFlight.push(position);
      },
    },
    msgTimeoutMs: LONG_MS,
    sampleRate: 0,
  });
  consumer.readyCount = 100;
  channel.addConsumer(consumer);
  for (let idle = 0; idle < 3;) {
    channel.awake(consumer);
    broker.pump(clock.nowMs());
    await topic.log.idle();
    for (const position of inFlight) channel.finish(consumer, position, clock.nowMs());
    idle = inFlight.length === 0 ? idle + 1 : 0;
    inFlight.length = 0;
    clock.advance(LONG_MS / 2);
    broker.scan(clock.nowMs());
  }
  assertEquals(
    channel.depth + channel.inFlightCount + channel.deferredCount,
    0,
    `what is left in ${channel.name}`,
  );
  return delivered;
}
