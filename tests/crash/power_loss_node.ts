/**
 * What of nsqd matters to messages that are to survive: a broker on files, the metadata file, and the order in which
 * they are loaded and saved (src/nsqd/load_topics.ts, src/nsqd/flush.ts). No sockets; the time, and what the disk does,
 * are the caller's.
 *
 * @module
 */
import type { Clock } from "../../src/base/clock.ts";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { Broker, type BrokerOptions } from "../../src/broker/broker.ts";
import type { Durability } from "../../src/broker/durability.ts";
import { replaceFileSync } from "../../src/storage/file_system.ts";
import { FileStores, topicFolder } from "../../src/storage/file_segments.ts";
import { SimulatedDisk } from "../support/simulated_disk.ts";
import { SimulatedFileSystem } from "../support/simulated_file_system.ts";
import { MixedRandom } from "../support/mixed_random.ts";

/** Where the node keeps everything. */
const DATA_PATH = "/data";
const METADATA_PATH = `${DATA_PATH}/nsqd.dat`;

/** What a node is started with. */
export interface NodeOptions {
  readonly files: SimulatedFileSystem;
  readonly clock: Clock;
  readonly limits: BrokerOptions["limits"];
  readonly syncEvery: number;
}

/** Topics and channels as the metadata file has them. */
export type Topology = readonly {
  readonly name: string;
  readonly paused: boolean;
  readonly channels: readonly { readonly name: string; readonly paused: boolean }[];
}[];

/** The folder of a topic. */
export function folderOf(topic: string): string {
  return `${DATA_PATH}/${topicFolder(topic)}`;
}

/** An empty disk with a data path. */
export function newDisk(options: { byFolder: boolean }): SimulatedDisk {
  const disk = new SimulatedDisk(options);
  const files = new SimulatedFileSystem(disk, { random: new MixedRandom(0) });
  files.makeFolder(DATA_PATH);
  files.syncSync("/");
  return disk;
}

/** A topic's durability is its name's first word. */
export function durabilityOf(topic: string): Durability {
  return topic.startsWith("fsync") ? "fsync" : topic.startsWith("disk") ? "disk" : "memory";
}

/** A running nsqd, as far as that. */
export class CrashNode {
  readonly broker: Broker;
  readonly files: SimulatedFileSystem;
  /** What was logged as an error. */
  readonly errors: string[] = [];
  /** What was logged as a warning. */
  readonly warnings: string[] = [];
  /** Told of every topology that is in the metadata file now, and may be from the start of the call on. */
  onPersist: (topology: Topology, when: "begins" | "is there") => void = () => {};
  /** The metadata file is not as it should be. */
  metadataChanged = false;
  readonly #stores: FileStores;
  #loading = true;

  constructor(options: NodeOptions) {
    const { files, clock, limits, syncEvery } = options;
    this.files = files;
    this.#stores = new FileStores(DATA_PATH, files);
    this.broker = new Broker({
      clock,
      logger: new Logger({ prefix: "", level: LOG_LEVELS.warn, write: (line) => this.#log(line) }),
      limits,
      stores: this.#stores,
      newLatency: () => undefined,
      durabilityOf,
      syncEvery,
      onKeeping: () => {
        if (this.metadataChanged) this.#persist();
      },
      onWork: () => {},
      onChange: ({ kept }) => {
        if (kept && !this.#loading) this.metadataChanged = true;
      },
      onStored: () => {},
    });
  }

  /** Loads what was kept. */
  load(): void {
    const { broker } = this;
    for (const { name, paused, channels } of this.#readMetadata()) {
      const topic = broker.recoverTopic(name);
      if (paused) topic.pause();
      for (const channel of channels) {
        const made = topic.channel(channel.name);
        if (channel.paused) made.pause();
      }
    }
    for (const name of this.#stores.names()) {
      if (!broker.topics.has(name)) broker.recoverTopic(name).restoreChannels();
    }
    for (const topic of broker.topics.values()) topic.start();
    this.#loading = false;
    this.#writeMetadata();
  }

  /** Writes the metadata file; what goes wrong is logged. */
  persistMetadata(): void {
    try {
      this.#persist();
    } catch (error) {
      this.errors.push(`failed to persist metadata - ${error}`);
    }
  }

  /** Saves everything. */
  async close(): Promise<void> {
    for (const topic of this.broker.topics.values()) {
      try {
        await topic.close();
      } catch (error) {
        this.errors.push(`TOPIC(${topic.name}): failed to save messages - ${error}`);
      }
    }
  }

  #persist(): void {
    this.metadataChanged = false;
    try {
      this.#writeMetadata();
    } catch (error) {
      this.metadataChanged = true;
      throw error;
    }
  }

  #writeMetadata(): void {
    const topology: Topology = [...this.broker.topics.values()].map(({ name, paused, channels }) => ({
      name,
      paused,
      channels: [...channels.values()].filter(({ ephemeral }) => !ephemeral)
        .map(({ name, paused }) => ({ name, paused })),
    }));
    this.onPersist(topology, "begins");
    replaceFileSync(this.files, METADATA_PATH, new TextEncoder().encode(JSON.stringify(topology)));
    this.onPersist(topology, "is there");
  }

  #readMetadata(): Topology {
    let bytes: Uint8Array;
    try {
      bytes = this.files.readSync(METADATA_PATH);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
    return JSON.parse(new TextDecoder().decode(bytes));
  }

  #log(line: string): void {
    const [, level = "", text = line] = /^\S+ \S+ (\w+): (.*)$/.exec(line) ?? [];
    (level === "WARNING" ? this.warnings : this.errors).push(text);
  }
}
