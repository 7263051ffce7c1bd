/**
 * The options of topics and channels: where they are kept, how much of them in memory, and how safely.
 *
 * @module
 */
import { errorText } from "../base/error_text.ts";
import { memoryLimitBytes } from "../base/memory_limit.ts";
import { DURABILITIES, type Durability, DurabilityRules } from "../broker/durability.ts";
import { choice, duration, int, string, stringList } from "../config/kind.ts";
import { option, type OptionsOf } from "../config/option.ts";
import { type Store, store } from "./kv/options.ts";

const SECOND_MS = 1000;
const MIB = 1024 * 1024;

/** Of a limit that the process is killed at, so much is for what no program is told of. */
const RESERVE = 0.1;

/** The table. */
export const TOPIC_OPTIONS = {
  dataPath: option({
    flag: "data-path",
    kind: string,
    default: "",
    description: "Directory for metadata and messages on disk; empty is the working directory.",
  }),
  store: option<Store>({
    flag: "store",
    kind: store,
    default: "auto",
    description:
      "Where messages, topics and channels are kept: files in the data path; memory, where they end with the process; or kv:<path or URL>, a Deno KV database that several instances may share, over HTTP only (docs/kv.md). Without --data-path auto is kv on Deno Deploy if a database is attached, which is what kv alone means, and memory if not, as it is where nothing may be written; else files.",
  }),
  memQueueSize: option({
    flag: "mem-queue-size",
    kind: int,
    default: 10_000,
    description: "Number of messages kept in memory, for each topic and channel.",
  }),
  maxMemoryBytes: option({
    flag: "max-memory",
    kind: int,
    default: defaultMaxMemoryBytes,
    defaultNote: "nine tenths of what its control group, such as a container, may use",
    description:
      "Bytes of memory of the process. Near them messages go to the disk, and then are refused until there is room; 0 is any number. With --store=memory messages may take half of them, and 0 is nine tenths of the machine's, or of 512 MB where that is not known.",
  }),
  maxBytesPerFile: option({
    flag: "max-bytes-per-file",
    kind: int,
    default: 100 * MIB,
    description: "Size in bytes at which a data file is closed and the next one begun.",
  }),
  durability: option<Durability>({
    flag: "durability",
    kind: choice(DURABILITIES),
    default: "memory",
    description:
      "What the OK to a publisher means: taken (memory, as in NSQ), written to the disk (disk: survives kill -9), or synced (fsync: survives a loss of power).",
  }),
  durabilityTopics: option({
    flag: "durability-topic",
    key: "durability_topics",
    kind: stringList,
    default: [],
    description:
      "<pattern>=<durability> for the topics whose names fit, with * for any characters and ? for one; the first that fits counts; may be repeated.",
  }),
  syncEvery: option({
    flag: "sync-every",
    kind: int,
    default: 2500,
    description: "Number of messages after which data files are synced to disk.",
  }),
  syncTimeoutMs: option({
    flag: "sync-timeout",
    kind: duration,
    default: 2 * SECOND_MS,
    description: "Time after which data files are synced to disk.",
  }),
  queueScanWorkerPoolMax: option({
    flag: "queue-scan-worker-pool-max",
    kind: int,
    default: 4,
    description: "Most workers looking for messages that timed out or are due.",
  }),
  queueScanSelectionCount: option({
    flag: "queue-scan-selection-count",
    kind: int,
    default: 20,
    description:
      "Number of channels looked at in each scan (every 100 ms) for messages that timed out or are due.",
  }),
  maxChannelConsumers: option({
    flag: "max-channel-consumers",
    kind: int,
    default: 0,
    description: "Most consumers of one channel on this node; 0 is no limit.",
  }),
};

/** What topics and channels are configured with. */
export type TopicOptions = OptionsOf<typeof TOPIC_OPTIONS>;

/** Why these options cannot be run with, or `undefined` if they can. Touches no file. */
export function topicRefusal(options: TopicOptions): string | undefined {
  if (options.maxMemoryBytes < 0) return "--max-memory must not be negative";
  if (options.store === "memory") {
    if (options.dataPath !== "") return "--store=memory keeps nothing in a --data-path";
    const [pattern] = options.durabilityTopics;
    if (options.durability !== "memory" || pattern !== undefined) {
      return "--store=memory keeps nothing on a disk, and so no --durability but memory";
    }
  }
  try {
    new DurabilityRules(options.durability, options.durabilityTopics);
    return undefined;
  } catch (error) {
    return `--durability-topic ${errorText(error)}`;
  }
}

/** What a process can use of the memory that it is killed for exceeding. */
export function usableMemoryBytes(limitBytes: number): number {
  return Math.floor(limitBytes * (1 - RESERVE));
}

function defaultMaxMemoryBytes(): number {
  return usableMemoryBytes(memoryLimitBytes() ?? 0);
}
