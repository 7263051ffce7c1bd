/**
 * What a node says of itself in `/stats`, besides its topics: NSQ's nsqd and ours, and what only ours tells (`include_node`).
 *
 * @module
 */

import { shortened } from "../base/shortened.ts";
import { type Fields, fieldsOf, numberField, textField } from "./answer_fields.ts";

/** The fields of an answer that are read; see {@linkcode nodeFacts}. */
export const FACT_NAMES = ["health", "start_time", "memory", "node", "gossip"] as const;

/** The longest text that is kept, in characters. */
const TEXT_LENGTH_MAX = 300;
/** The last second that a date can be. */
const TIME_MAX_S = 8_640_000_000_000;

/** Use of memory, by the names of Go's runtime; what is not told is 0. */
export interface NodeMemory {
  readonly inUseBytes: number;
  readonly idleBytes: number;
  readonly objects: number;
  readonly nextGcBytes: number;
  readonly gcRuns: number;
  /** Of the collector's pauses, in µs. */
  readonly gcPause99Us: number;
  readonly gcPauseMaxUs: number;
}

/** How far a node is that is drained. */
export interface NodeDrain {
  readonly messagesLeft: number;
  /** Undefined without a limit. */
  readonly secondsLeft: number | undefined;
}

/** What only denosq's nsqd tells. */
export interface OwnFacts {
  /** `running`, `draining` and the like. */
  readonly state: string;
  /** Where messages are kept: `files`, `memory` or `kv`. */
  readonly store: string;
  readonly residentBytes: number;
  /** Of the disk; undefined where that is not known. */
  readonly freeBytes: number | undefined;
  readonly sizeBytes: number | undefined;
  readonly drain: NodeDrain | undefined;
}

/** What an nsqd with gossip says of it. */
export interface GossipFacts {
  /** "OK", or what is wrong. */
  readonly health: string;
  /** How many nodes it knows, with itself. */
  readonly nodes: string;
  /** Agents of Serf that it knows, and those of them that have failed; empty where the agent does not say. */
  readonly members: string;
  readonly failed: string;
}

/** What a node says of itself. */
export interface NodeFacts {
  /** "OK", or what is wrong. */
  readonly health: string;
  /** In s since 1970; 0 if it does not say. */
  readonly startTimeS: number;
  readonly memory: NodeMemory;
  /** Undefined of NSQ's nsqd. */
  readonly own: OwnFacts | undefined;
  /** Undefined without gossip. */
  readonly gossip: GossipFacts | undefined;
}

/** The facts in an answer of `/stats`. @throws {TypeError} */
export function nodeFacts(answer: unknown): NodeFacts {
  const fields = fieldsOf(answer, "the answer");
  const memory = fieldsOf(fields.memory, "memory");
  return {
    health: shortened(textField(fields, "health"), TEXT_LENGTH_MAX),
    startTimeS: Math.min(countField(fields, "start_time"), TIME_MAX_S),
    memory: {
      inUseBytes: countField(memory, "heap_in_use_bytes"),
      idleBytes: countField(memory, "heap_idle_bytes"),
      objects: countField(memory, "heap_objects"),
      nextGcBytes: countField(memory, "next_gc_bytes"),
      gcRuns: countField(memory, "gc_total_runs"),
      gcPause99Us: countField(memory, "gc_pause_usec_99"),
      gcPauseMaxUs: countField(memory, "gc_pause_usec_100"),
    },
    own: isThere(fields.node) ? ownFacts(fields.node) : undefined,
    gossip: isThere(fields.gossip) ? gossipFacts(fields.gossip) : undefined,
  };
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function gossipFacts(gossip: unknown): GossipFacts {
  const fields = fieldsOf(gossip, "gossip");
  const wordOf = (name: string) => shortened(textField(fields, name), TEXT_LENGTH_MAX);
  return {
    health: wordOf("health"),
    nodes: wordOf("nodes"),
    members: wordOf("members"),
    failed: wordOf("failed"),
  };
}

function ownFacts(node: unknown): OwnFacts {
  const fields = fieldsOf(node, "node");
  const optional = (name: string) => fields[name] === undefined ? undefined : countField(fields, name);
  const drain = fields.drain === undefined ? undefined : fieldsOf(fields.drain, "drain");
  return {
    state: shortened(textField(fields, "state"), TEXT_LENGTH_MAX),
    store: shortened(textField(fields, "store"), TEXT_LENGTH_MAX),
    residentBytes: countField(fields, "resident_memory_bytes"),
    freeBytes: optional("data_path_free_bytes"),
    sizeBytes: optional("data_path_size_bytes"),
    drain: drain && {
      messagesLeft: countField(drain, "messages_left"),
      secondsLeft: drain.seconds_left === undefined ? undefined : countField(drain, "seconds_left"),
    },
  };
}

/** A number that cannot be less than nothing, nor more than can be reckoned with. @throws {TypeError} */
function countField(fields: Fields, name: string): number {
  return Math.min(Math.max(numberField(fields, name), 0), Number.MAX_SAFE_INTEGER);
}
