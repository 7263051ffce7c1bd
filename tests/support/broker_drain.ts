/**
 * The end of the model test: when everything is finished, nothing is left anywhere.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { checkCounts, settle } from "./broker_checks.ts";
import { finish, pauseChannel, pauseTopic } from "./broker_steps.ts";
import type { BrokerTrial } from "./broker_trial.ts";

/** Longer than any delay or timeout of a trial, in ms. */
const LONG_MS = 1_000_000;

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
    await topic.maintain();
    await topic.log.idle();
    await topic.maintain();
    const kept = topic.log.segments.filter(({ count }) => count > 0)
      .map(({ base, count, committed, stored, sealed, ahead, open }) => ({
        base,
        count,
        committed,
        stored,
        sealed,
        ahead,
        open,
      }));
    assertEquals(kept, [], `segments of ${topic.name}`);
  }
  assertEquals(trial.stores.used(["a", "b"]), [], "topics in the store");
}

/** Messages that are not finished. */
function left(trial: BrokerTrial): number {
  let count = 0;
  for (const topic of trial.model.values()) {
    count += topic.own.length;
    for (const channel of topic.channels.values()) count += channel.entries.length;
  }
  return count;
}
