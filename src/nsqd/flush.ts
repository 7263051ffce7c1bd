/**
 * The sync loop's work: every `--sync-timeout` each topic is maintained and synced, many at a time, and at the end all
 * are closed, which saves them.
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import { othersFirst } from "../base/every.ts";
import type { Logger } from "../base/logger.ts";
import type { Broker } from "../broker/broker.ts";
import type { Topic } from "../broker/topic.ts";
import type { Health } from "./health.ts";
import type { MetadataKeeper } from "./metadata_keeper.ts";
import type { Turn } from "./turn.ts";

/** Topics that are saved and synced at the same time: with one after the other a slow disk would never be done. */
const SYNC_TOPICS_MAX = 16;
/** Topics that are looked at before clients have their turn: most need nothing, so that is well below a millisecond. */
const SYNC_TOPICS_AT_ONCE = 100;

/** What is flushed, and who is told. */
export interface FlushContext {
  readonly logger: Logger;
  readonly broker: Broker;
  readonly turn: Pick<Turn, "run">;
  readonly metadata: Pick<MetadataKeeper, "retry" | "keepingFailure">;
  readonly health: Pick<Health, "stored" | "storeFails" | "probe">;
}

/** Brings topics to the disk. */
export class Flush {
  readonly #context: FlushContext;
  /** What was last said about topics that could not be saved. */
  readonly #saveErrors = new Map<Topic, string>();
  /** Settles when the topics are not being saved. */
  #saving: Promise<void> | undefined;
  /** The topics are being closed, which saves them. */
  #closing = false;

  constructor(context: FlushContext) {
    this.#context = context;
  }

  /** Maintains and syncs all topics. Logs what cannot be saved. */
  async syncTopics(): Promise<void> {
    if (this.#closing) return;
    const { broker, metadata, health } = this.#context;
    const metadataTried = metadata.retry();
    for (const topic of this.#saveErrors.keys()) {
      if (broker.topics.get(topic.name) !== topic) this.#saveErrors.delete(topic);
    }
    const next = [...broker.topics.values()].values();
    let count = 0;
    const some = async () => {
      for (const topic of next) {
        await this.#syncTopic(topic);
        if (++count % SYNC_TOPICS_AT_ONCE === 0) await othersFirst();
      }
    };
    this.#saving = Promise.all(Array.from({ length: SYNC_TOPICS_MAX }, some)).then(() => {});
    await this.#saving;
    this.#saving = undefined;
    await metadataTried;
    const refused = this.#saveErrors.size > 0 || metadata.keepingFailure !== undefined;
    if (health.storeFails && !refused) await health.probe();
  }

  /** Closes all topics, which saves what they have. They are not synced any more. */
  async closeTopics(): Promise<void> {
    const { broker, turn, logger } = this.#context;
    turn.run();
    this.#closing = true;
    await this.#saving;
    for (const topic of broker.topics.values()) {
      try {
        await topic.close();
      } catch (error) {
        logger.error(`TOPIC(${topic.name}): failed to save messages - ${errorText(error)}`);
      }
    }
  }

  async #syncTopic(topic: Topic): Promise<void> {
    try {
      await topic.maintain();
      await topic.sync();
      this.#saveErrors.delete(topic);
    } catch (error) {
      const { health, logger } = this.#context;
      health.stored(error);
      const text = errorText(error);
      // A full disk is to be said once, not every few seconds.
      if (this.#saveErrors.get(topic) === text) return;
      this.#saveErrors.set(topic, text);
      logger.error(`TOPIC(${topic.name}): failed to save - ${text}`);
    }
  }
}
