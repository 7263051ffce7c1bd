/**
 * The sync loop's work: every `--sync-timeout` each topic is synced and saved, many at a time; apart from that, what is
 * little in its files is compacted. At the end all topics are closed, which saves them.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { errorText } from "../base/error_text.ts";
import { othersFirst } from "../base/every.ts";
import type { Logger } from "../base/logger.ts";
import type { Broker } from "../broker/broker.ts";
import type { Topic } from "../broker/topic.ts";
import type { DataPath } from "../storage/data_path.ts";
import type { FileStores } from "../storage/file_stores.ts";
import type { Health } from "./health.ts";
import type { MetadataKeeper } from "./metadata_keeper.ts";
import type { Turn } from "./turn.ts";

/** Topics that are saved and synced at the same time: with one after the other a slow disk would never be done. */
const SYNC_TOPICS_MAX = 16;
/** The same at the end, when nobody is served any more who could have to wait. */
const CLOSE_TOPICS_MAX = 64;
/** How long one round of compaction goes on: what is left is done in the next, by other topics first. */
const COMPACTION_ROUND_MS = 500;
/** Topics that are looked at before clients have their turn: most need nothing, so that is well below a millisecond. */
const SYNC_TOPICS_AT_ONCE = 100;

/** What is flushed, and who is told. */
export interface FlushContext {
  readonly logger: Logger;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly broker: Broker;
  readonly turn: Pick<Turn, "run">;
  readonly metadata: Pick<MetadataKeeper, "retry" | "keepingFailure">;
  readonly health: Pick<Health, "stored" | "storeFails" | "probe">;
  readonly dataPath: Pick<DataPath, "use">;
  readonly stores: Pick<FileStores, "removeDeleted">;
}

/** Brings topics to the disk. */
export class Flush {
  readonly #context: FlushContext;
  /** What was last said about topics that could not be saved. */
  readonly #saveErrors = new Map<Topic, string>();
  /** The same of topics that could not be compacted. */
  readonly #compactionErrors = new Map<Topic, string>();
  /** Topics that have something to compact; those that have waited longest come first. */
  readonly #thinned = new Set<Topic>();
  /** Settles when the topics are not being saved. */
  #saving: Promise<void> | undefined;
  /** The topics are being closed, which saves them. */
  #closing = false;

  constructor(context: FlushContext) {
    this.#context = context;
  }

  /** Notes in the data path that it is in use, unless that is there; a disk that refuses is asked again with every sync. */
  async useDataPath(): Promise<void> {
    try {
      await this.#context.dataPath.use();
    } catch (error) {
      this.#context.health.stored(error);
    }
  }

  /** Removes what is left of topics that were deleted before the last program ended. Logs what cannot be. */
  async removeDeleted(): Promise<void> {
    try {
      await this.#context.stores.removeDeleted();
    } catch (error) {
      this.#context.logger.error(`failed to remove the files of deleted topics - ${errorText(error)}`);
    }
  }

  /** Syncs and saves all topics. Logs what cannot be saved. */
  async syncTopics(): Promise<void> {
    if (this.#closing) return;
    const { broker, metadata, health } = this.#context;
    const metadataTried = metadata.retry();
    await this.useDataPath();
    this.#forgetDeleted();
    broker.shrink();
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
    const refused = this.#saveErrors.size + this.#compactionErrors.size > 0 ||
      metadata.keepingFailure !== undefined;
    if (health.storeFails && !refused) await health.probe();
  }

  /** Compacts topics for a while. Logs what cannot be. */
  async compactTopics(): Promise<void> {
    const { clock, broker } = this.#context;
    const endMs = clock.monotonicMs() + COMPACTION_ROUND_MS;
    const isOver = () => this.#closing || clock.monotonicMs() >= endMs;
    for (const topic of broker.topics.values()) {
      if (topic.isThinned) this.#thinned.add(topic);
    }
    for (const topic of this.#thinned) {
      if (isOver()) return;
      this.#thinned.delete(topic);
      await this.#compactTopic(topic, isOver);
    }
  }

  /**
   * Closes all topics, which saves what they have. They are not synced any more.
   *
   * @returns false when something could not be saved, which is in the log.
   */
  async closeTopics(): Promise<boolean> {
    const { broker, turn, logger } = this.#context;
    turn.run();
    this.#closing = true;
    await this.#saving;
    let isSaved = true;
    const next = broker.topics.values();
    const some = async () => {
      for (const topic of next) {
        try {
          await topic.close();
        } catch (error) {
          isSaved = false;
          logger.error(`TOPIC(${topic.name}): failed to save messages - ${errorText(error)}`);
        }
      }
    };
    await Promise.all(Array.from({ length: CLOSE_TOPICS_MAX }, some));
    return isSaved;
  }

  async #syncTopic(topic: Topic): Promise<void> {
    try {
      await topic.flush();
      this.#saveErrors.delete(topic);
    } catch (error) {
      this.#failed(topic, this.#saveErrors, error, "save");
    }
  }

  async #compactTopic(topic: Topic, isOver: () => boolean): Promise<void> {
    try {
      await topic.compact(isOver);
      this.#compactionErrors.delete(topic);
    } catch (error) {
      this.#failed(topic, this.#compactionErrors, error, "compact");
    }
  }

  /** A full disk is to be said once, not every few seconds. */
  #failed(topic: Topic, said: Map<Topic, string>, error: unknown, doing: string): void {
    const { health, logger } = this.#context;
    health.stored(error);
    const text = errorText(error);
    if (said.get(topic) === text) return;
    said.set(topic, text);
    logger.error(`TOPIC(${topic.name}): failed to ${doing} - ${text}`);
  }

  #forgetDeleted(): void {
    const { topics } = this.#context.broker;
    for (const errors of [this.#saveErrors, this.#compactionErrors]) {
      for (const topic of errors.keys()) {
        if (topics.get(topic.name) !== topic) errors.delete(topic);
      }
    }
  }
}
