/**
 * `nsqd.dat`: which topics and channels there are and which are paused, in NSQ's form (nsqd/nsqd.go), so that
 * either program takes over from the other.
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import { othersFirst } from "../base/every.ts";
import { NSQ_VERSION } from "../base/version.ts";
import type { Logger } from "../base/logger.ts";
import { type Slice, TimeSlice } from "../base/time_slice.ts";
import type { Broker } from "../broker/broker.ts";
import { isValidChannelName, isValidTopicName } from "../protocol/names.ts";
import { DENO_FILES, type FileSystem, removeIfThere, replaceFile } from "../storage/file_system.ts";

const FILE_NAME = "nsqd.dat";
/** Files that a write has left which was interrupted. */
const LEFTOVER = /^nsqd\.dat(\.\d+)?\.tmp$/;
/** Pieces of the text that are made before others have their turn: about a millisecond of work. */
const PIECES_AT_ONCE = 2000;

/** A topic, as the file has it. */
interface TopicMetadata {
  readonly name: string;
  readonly paused: boolean;
  readonly channels: readonly { readonly name: string; readonly paused: boolean }[];
}

/** The metadata file of a data path. */
export class MetadataFile {
  readonly path: string;
  readonly #folder: string;
  readonly #logger: Logger;
  readonly #files: FileSystem;
  /** The last attempt to write it has failed. */
  #failing = false;

  constructor(dataPath: string, logger: Logger, files: FileSystem = DENO_FILES) {
    this.path = `${dataPath}/${FILE_NAME}`;
    this.#folder = dataPath;
    this.#logger = logger;
    this.#files = files;
  }

  /**
   * Makes the topics and channels that the file names, with the messages that their stores have; others have their turn
   * when the slice is over.
   *
   * @throws {Error} When the file cannot be used.
   */
  async load(broker: Broker, slice: Slice = new TimeSlice()): Promise<void> {
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
        if (slice.isOver) await slice.next();
      }
      if (slice.isOver) await slice.next();
    }
  }

  /**
   * Writes the file, at once or not at all; others have their turns meanwhile, so what comes or goes while this runs may be
   * in the file or not. Rejects when it cannot be written.
   */
  async persist(broker: Broker): Promise<void> {
    this.#announce();
    this.#failing = true;
    const pieces: string[] = [];
    for (const piece of piecesOf(broker)) {
      if (pieces.push(piece) % PIECES_AT_ONCE === 0) await othersFirst();
    }
    await replaceFile(this.#files, this.path, new TextEncoder().encode(pieces.join("")));
    this.#failing = false;
  }

  /** Removes what interrupted writes have left. */
  removeLeftovers(): void {
    try {
      for (const { name } of this.#files.list(this.#folder)) {
        if (LEFTOVER.test(name)) removeIfThere(this.#files, `${this.#folder}/${name}`);
      }
    } catch (error) {
      // They do no harm.
      this.#logger.warn(`failed to remove what was left of ${this.path} - ${errorText(error)}`);
    }
  }

  /** Said once, however often it is tried on a disk that is full. */
  #announce(): void {
    if (!this.#failing) this.#logger.info(`NSQ: persisting topic/channel metadata to ${this.path}`);
  }

  #read(): TopicMetadata[] {
    let text: string;
    try {
      text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.#files.readSync(this.path));
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

/** The file's text, in pieces of a topic or channel each. NSQ compat: a list without members is null. */
function* piecesOf(broker: Broker): Generator<string> {
  let topicCount = 0;
  for (const topic of broker.topics.values()) {
    if (topic.ephemeral) continue;
    yield `${topicCount++ === 0 ? '{"topics":[' : ","}${fieldsOf(topic)},"channels":`;
    let channelCount = 0;
    for (const channel of topic.channels.values()) {
      if (!channel.ephemeral) yield `${channelCount++ === 0 ? "[" : ","}${fieldsOf(channel)}}`;
    }
    yield channelCount === 0 ? "null}" : "]}";
  }
  yield `${topicCount === 0 ? '{"topics":null' : "]"},"version":${JSON.stringify(NSQ_VERSION)}}`;
}

/** The fields that topics and channels have, of an object that is still open. */
function fieldsOf({ name, paused }: { readonly name: string; readonly paused: boolean }): string {
  return JSON.stringify({ name, paused }).slice(0, -1);
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
