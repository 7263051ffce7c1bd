/**
 * Topics and channels of a database: making, deleting, emptying and pausing them. Each is a change of the topic's record, and
 * what is to be removed goes behind the answer.
 *
 * @module
 */
import { HttpError } from "../../http/http_error.ts";
import { isEphemeral } from "../../protocol/names.ts";
import type { Place } from "../queue/queue.ts";
import { tooMany } from "../queue/refusals.ts";
import { decodeEntry } from "./chunk.ts";
import type { Database } from "./database.ts";
import {
  channelCountKey,
  chunksPrefix,
  deferredPrefix,
  partPrefix,
  removalKey,
  topicCountKey,
  versionstampOf,
} from "./keys.ts";
import { countOf, type Topics } from "./topics.ts";
import {
  channelIn,
  CHANNELS_MAX,
  withChannel,
  withEmptyChannel,
  withoutBacklog,
  withoutChannel,
  withoutKeptBack,
  withPause,
  withPausedChannel,
} from "./topic_record.ts";

/** Administers them. */
export class KvAdmin {
  readonly #database: Database;
  readonly #topics: Topics;
  readonly #onRemoval: () => void;

  /** `onRemoval` is told that there is something to remove. */
  constructor(database: Database, topics: Topics, onRemoval: () => void) {
    this.#database = database;
    this.#topics = topics;
    this.#onRemoval = onRemoval;
  }

  async createTopic(topic: string): Promise<void> {
    refuseEphemeral({ topic });
    await this.#topics.make(topic);
  }

  async deleteTopic(topic: string): Promise<void> {
    await this.#topics.update(topic, {
      change: () => undefined,
      also: (operation, { channels }) => {
        operation.set(removalKey(topic), true);
        for (const what of ["messages", "bytes"] as const) operation.delete(topicCountKey(topic, what));
        for (const channel of Object.keys(channels)) deleteCounts(operation, { topic, channel });
      },
    });
    this.#onRemoval();
  }

  async emptyTopic(topic: string): Promise<void> {
    const known = await this.#topics.read(topic);
    const pausedAt = known?.record.pausedAt;
    const hasChannels = Object.keys(known?.record.channels ?? {}).length > 0;
    if (pausedAt !== undefined && hasChannels) {
      return await this.#removeKeptBack(topic, pausedAt.versionstamp);
    }
    await this.#topics.update(topic, { change: (record, { now }) => withoutBacklog(record, now) });
    this.#onRemoval();
  }

  async pauseTopic(topic: string, paused: boolean): Promise<void> {
    await this.#topics.update(topic, { change: (record, { now }) => withPause(record, paused, now) });
  }

  async createChannel({ topic, channel }: Place): Promise<void> {
    refuseEphemeral({ channel });
    await this.#topics.update(topic, {
      change: (record, { now }) => {
        if (channelIn(record, channel) !== undefined) return record;
        if (Object.keys(record.channels).length >= CHANNELS_MAX) throw tooMany("CHANNELS");
        return withChannel(record, channel, now);
      },
    });
  }

  async deleteChannel(place: Place): Promise<void> {
    const { topic, channel } = place;
    await this.#topics.find(place);
    await this.#topics.update(topic, {
      change: (record, { now }) => withoutChannel(record, channel, now),
      also: (operation) => {
        operation.set(removalKey(topic, channel), true);
        deleteCounts(operation, place);
      },
    });
    this.#onRemoval();
  }

  async emptyChannel(place: Place): Promise<void> {
    const { topic, channel } = place;
    await this.#topics.find(place);
    await this.#topics.update(topic, {
      keys: [channelCountKey(place, "finished")],
      change: (record, { now, entries: [finished] }) =>
        withEmptyChannel(record, channel, { now, finished: countOf(finished) }),
      also: (operation) => operation.set(removalKey(topic, channel), true),
    });
    this.#onRemoval();
  }

  async pauseChannel(place: Place, paused: boolean): Promise<void> {
    const { topic, channel } = place;
    await this.#topics.find(place);
    await this.#topics.update(topic, { change: (record) => withPausedChannel(record, channel, paused) });
  }

  /** Removes what a paused topic keeps back from its channels. */
  async #removeKeptBack(topic: string, from: string): Promise<void> {
    let count = 0;
    for (const prefix of [chunksPrefix(topic), deferredPrefix(topic)]) {
      for await (const chunks of this.#database.all(prefix)) {
        for (const { key, value } of chunks) {
          const versionstamp = versionstampOf(key);
          if (versionstamp <= from) continue;
          const entry = decodeEntry(value);
          const committed = await this.#database.commit((operation) => {
            operation.check({ key, versionstamp }).delete(key);
            for (let i = 0; i < entry.parts; i++) operation.delete([...partPrefix(topic, i), versionstamp]);
          });
          if (committed !== undefined) count += entry.count;
        }
      }
    }
    await this.#topics.update(topic, { change: (record) => withoutKeptBack(record, count) });
  }
}

/** Nothing would know when the last one who uses it has gone, in any instance. @throws {HttpError} */
export function refuseEphemeral({ topic, channel }: Partial<Place>): void {
  if (topic !== undefined && isEphemeral(topic)) throw new HttpError(400, "EPHEMERAL_TOPIC");
  if (channel !== undefined && isEphemeral(channel)) throw new HttpError(400, "EPHEMERAL_CHANNEL");
}

function deleteCounts(operation: Deno.AtomicOperation, place: Place): void {
  for (const what of ["finished", "requeued", "timedOut"] as const) {
    operation.delete(channelCountKey(place, what));
  }
}
