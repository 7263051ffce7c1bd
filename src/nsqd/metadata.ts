/**
 * `nsqd.dat`: which topics and channels there are and which are paused, in NSQ's form (nsqd/nsqd.go), so that
 * either program takes over from the other.
 *
 * @module
 */

import { NSQ_VERSION } from "../base/version.ts";
import type { Logger } from "../base/logger.ts";
import type { Broker } from "../broker/broker.ts";
import { isValidChannelName, isValidTopicName } from "../protocol/names.ts";
import { DENO_FILES, replaceFileSync } from "../storage/file_system.ts";

const FILE_NAME = "nsqd.dat";

/** A topic, as the file has it. */
interface TopicMetadata {
  readonly name: string;
  readonly paused: boolean;
  readonly channels: readonly { readonly name: string; readonly paused: boolean }[];
}

/** The metadata file of a data path. */
export class MetadataFile {
  readonly path: string;
  readonly #logger: Logger;
  /** The last attempt to write it has failed. */
  #failing = false;

  constructor(dataPath: string, logger: Logger) {
    this.path = `${dataPath}/${FILE_NAME}`;
    this.#logger = logger;
  }

  /**
   * Makes the topics and channels that the file names, with the messages that their stores have.
   *
   * @throws {Error} When the file cannot be used.
   */
  load(broker: Broker): void {
    for (const { name, paused, channels } of this.#read()) {
      if (!isValidTopicName(name)) {
        this.#logger.warn(`skipping creation of invalid topic ${name}`);
        continue;
      }
      const topic = broker.recoverTopic(name);
      if (paused) topic.pause();
      for (const channel of channels) {
        if (!isValidChannelName(channel.name)) {
          this.#logger.warn(`skipping creation of invalid channel ${channel.name}`);
          continue;
        }
        const made = topic.channel(channel.name);
        if (channel.paused) made.pause();
      }
    }
  }

  /** Writes the file, at once or not at all. Throws when it cannot. */
  persist(broker: Broker): void {
    // Once, however often it is tried on a disk that is full.
    if (!this.#failing) this.#logger.info(`NSQ: persisting topic/channel metadata to ${this.path}`);
    this.#failing = true;
    replaceFileSync(DENO_FILES, this.path, new TextEncoder().encode(JSON.stringify(metadataOf(broker))));
    this.#failing = false;
  }

  #read(): TopicMetadata[] {
    let text: string;
    try {
      text = Deno.readTextFileSync(this.path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw new Error(`failed to read metadata from ${this.path} - ${(error as Error).message}`, {
        cause: error,
      });
    }
    if (text.trim() === "") {
      // NSQ does not start then (an interrupted write leaves such a file); there is nothing in it to lose.
      this.#logger.warn(`${this.path} is empty: taken for none`);
      return [];
    }
    try {
      return topicsOf(JSON.parse(text));
    } catch (error) {
      throw new Error(`failed to parse metadata in ${this.path} - ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}

/** What is kept; NSQ compat: a list without members is null. */
function metadataOf(broker: Broker) {
  const topics = [...broker.topics.values()].filter((topic) => !topic.ephemeral).map((topic) => {
    const channels = [...topic.channels.values()]
      .filter((channel) => !channel.ephemeral)
      .map(({ name, paused }) => ({ name, paused }));
    return { name: topic.name, paused: topic.paused, channels: channels.length > 0 ? channels : null };
  });
  return { topics: topics.length > 0 ? topics : null, version: NSQ_VERSION };
}

function topicsOf(value: unknown): TopicMetadata[] {
  if (!isRecord(value)) throw new SyntaxError("not a JSON object");
  return list(value.topics).map((topic) => ({ ...named(topic), channels: list(topic.channels).map(named) }));
}

function named(value: Record<string, unknown>): { name: string; paused: boolean } {
  const { name = "", paused = false } = value;
  if (typeof name !== "string" || typeof paused !== "boolean") {
    throw new SyntaxError("a field of the wrong type");
  }
  return { name, paused };
}

function list(value: unknown): Record<string, unknown>[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every(isRecord)) throw new SyntaxError("a list of the wrong type");
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
