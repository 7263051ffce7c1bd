/**
 * What of nsqd matters to messages that are to survive: a broker on files, the metadata file, and the order in which
 * they are loaded and saved (src/nsqd/nsqd.ts). No sockets; the time, and what the disk does, are the caller's.
 *
 * @module
 */
import type { Clock } from "../../src/base/clock.ts";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { Broker, type BrokerOptions } from "../../src/broker/broker.ts";
import type { Durability } from "../../src/broker/durability.ts";
import { Flush } from "../../src/nsqd/flush.ts";
import { loadTopics } from "../../src/nsqd/load_topics.ts";
import { MetadataFile } from "../../src/nsqd/metadata.ts";
import { MetadataKeeper } from "../../src/nsqd/metadata_keeper.ts";
import { DataPath } from "../../src/storage/data_path.ts";
import { FileStores, topicFolder } from "../../src/storage/file_stores.ts";
import { FakeTimers } from "../support/fake_timers.ts";
import { SimulatedDisk } from "../support/simulated_disk.ts";
import { SimulatedFileSystem } from "../support/simulated_file_system.ts";
import { MixedRandom } from "../support/mixed_random.ts";

/** Where the node keeps everything. */
export const DATA_PATH = "/data";

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
  readonly metadata: MetadataKeeper;
  readonly flush: Flush;
  /** For what is written some time after it has changed. */
  readonly timers = new FakeTimers();
  /** What was logged as an error. */
  readonly errors: string[] = [];
  /** What was logged as a warning. */
  readonly warnings: string[] = [];
  /** Told of every topology that is in the metadata file now, and may be from the start of the call on. */
  onPersist: (topology: Topology, when: "begins" | "is there") => void = () => {};
  readonly #dataPath: DataPath;
  readonly #stores: FileStores;
  readonly #metadataFile: MetadataFile;
  readonly #logger: Logger;
  readonly #ending = new AbortController();

  constructor(options: NodeOptions) {
    const { files, clock, limits, syncEvery } = options;
    this.files = files;
    const logger = this.#logger = new Logger({
      prefix: "",
      level: LOG_LEVELS.warn,
      write: (line) => this.#log(line),
    });
    const dataPath = this.#dataPath = new DataPath(DATA_PATH, files);
    const stores = this.#stores = new FileStores(DATA_PATH, files);
    const metadata: { keeper?: MetadataKeeper } = {};
    const broker = this.broker = new Broker({
      clock,
      logger,
      limits,
      stores,
      wasStopped: () => dataPath.wasStopped,
      newLatency: () => undefined,
      durabilityOf,
      syncEvery,
      keeping: () => metadata.keeper?.keeping(),
      keepingFailure: () => metadata.keeper?.keepingFailure,
      onWork: () => {},
      othersFirst: () => files.othersFirst(),
      onFault: (error) => this.#fault(error),
      onChange: ({ kept }) => {
        if (kept) metadata.keeper?.changed();
      },
      onStored: () => {},
    });
    this.#metadataFile = new ToldMetadataFile(logger, files, (topology, when) => {
      this.onPersist(topology, when);
    });
    const health = { stored: () => {}, storeFails: false, probe: () => Promise.resolve() };
    this.metadata = metadata.keeper = new MetadataKeeper({
      logger,
      timers: this.timers,
      file: this.#metadataFile,
      broker,
      health,
      tasks: { spawn: (_, run) => this.#spawn(run) },
    });
    const turn = { run: () => broker.commit() };
    this.flush = new Flush({
      logger,
      clock,
      broker,
      turn,
      metadata: this.metadata,
      health,
      dataPath,
      stores,
    });
  }

  /** The last node here has ended in order. */
  get wasStopped(): boolean {
    return this.#dataPath.wasStopped;
  }

  /** Messages that are lost, as it says. */
  get lostCount(): number {
    let count = 0;
    for (const topic of this.broker.topics.values()) count += topic.lostCount;
    return count;
  }

  /** Loads what was kept. */
  async load(): Promise<void> {
    this.#dataPath.look();
    await loadTopics(this.broker, {
      metadata: this.#metadataFile,
      stores: this.#stores,
      logger: this.#logger,
      // What happens is not to depend on how fast the machine is.
      slice: { isOver: false, next: () => Promise.resolve() },
    });
    await this.flush.useDataPath();
    await this.metadata.follow();
  }

  /** Saves everything, and says so in the data path; false when it could not. */
  async stop(): Promise<boolean> {
    await this.metadata.persist();
    return await this.#end({ isInOrder: true });
  }

  /** Ends it after it could not start. */
  async release(): Promise<void> {
    await this.#end({ isInOrder: this.wasStopped });
  }

  async #end({ isInOrder }: { isInOrder: boolean }): Promise<boolean> {
    const isSaved = await this.flush.closeTopics();
    this.#ending.abort();
    await this.metadata.finish();
    if (!isSaved || !isInOrder) return false;
    try {
      await this.#dataPath.stop();
      return true;
    } catch (error) {
      this.#logger.error(`failed to note the end in the data path - ${error}`);
      return false;
    }
  }

  /** A task that must not fail, unless the node has died. */
  #spawn(run: (signal: AbortSignal) => Promise<unknown> | void): void {
    (async () => await run(this.#ending.signal))().catch((error) => this.#fault(error));
  }

  #fault(error: unknown): void {
    this.errors.push(`fault - ${error instanceof Error ? error.stack : error}`);
  }

  #log(line: string): void {
    const [, level = "", text = line] = /^\S+ \S+ (\w+): (.*)$/.exec(line) ?? [];
    (level === "WARNING" ? this.warnings : this.errors).push(text);
  }
}

/** The metadata file, which tells what it has. */
class ToldMetadataFile extends MetadataFile {
  readonly #tell: (topology: Topology, when: "begins" | "is there") => void;

  constructor(
    logger: Logger,
    files: SimulatedFileSystem,
    tell: (topology: Topology, when: "begins" | "is there") => void,
  ) {
    super(DATA_PATH, logger, files);
    this.#tell = tell;
  }

  override async persist(broker: Broker): Promise<void> {
    const topology: Topology = [...broker.topics.values()].map(({ name, paused, channels }) => ({
      name,
      paused,
      channels: [...channels.values()].filter(({ ephemeral }) => !ephemeral)
        .map(({ name, paused }) => ({ name, paused })),
    }));
    this.#tell(topology, "begins");
    await super.persist(broker);
    this.#tell(topology, "is there");
  }
}
