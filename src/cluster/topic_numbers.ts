/**
 * What is counted of topics and channels, and no more: for whoever goes through all of a cluster, and keeps sums. It is read
 * from the bytes of an answer (base/json_cursor.ts), for there may be 100 MB of them every few seconds.
 *
 * @module
 */

import { FieldNames } from "../base/field_names.ts";
import { type JsonCursor, NO_FIELD } from "../base/json_cursor.ts";
import type { Slice } from "../base/time_slice.ts";
import type { Fields } from "./answer_fields.ts";
import { FACT_NAMES } from "./node_facts.ts";

/** A channel of a node. */
export interface ChannelNumbers {
  readonly name: string;
  readonly depth: number;
  /** Of these, those that are on a disk. */
  readonly backendDepth: number;
  readonly inFlight: number;
  readonly deferred: number;
  readonly requeued: number;
  readonly timedOut: number;
  readonly messages: number;
  readonly consumers: number;
  /** Age of the oldest message that is first in line, in s; NSQ's nsqd does not tell it, and it is 0 then. */
  readonly oldestS: number;
  /** Messages that consumers have finished; NSQ's nsqd does not tell it, and it is 0 then. */
  readonly finished: number;
  readonly paused: boolean;
}

/** A topic of a node. */
export interface TopicNumbers {
  readonly name: string;
  readonly depth: number;
  /** Of these, those that are on a disk. */
  readonly backendDepth: number;
  readonly messages: number;
  readonly paused: boolean;
  readonly channels: readonly ChannelNumbers[];
}

const ANSWER = ["topics", ...FACT_NAMES] as const;
const TOPIC = ["topic_name", "channels", "depth", "backend_depth", "message_count", "paused"] as const;
const CHANNEL = [
  "channel_name",
  "depth",
  "backend_depth",
  "in_flight_count",
  "deferred_count",
  "message_count",
  "requeue_count",
  "timeout_count",
  "client_count",
  "oldest_message_age_seconds",
  "paused",
  "finish_count",
] as const;

/** Topics and channels that a node may tell of, the same one twice or not: of empty ones an answer holds millions. */
export const NUMBERS_MAX = 250_000;
/** Topics and channels that are read before the time is looked at: some 50 µs. */
const STEPS_IN_TURN = 64;
/** Bytes of one of them that are. */
const STEP_SIZE = 64 * 1024;

/** What it is in the midst of. */
type Within = "topics" | "topic" | "channels" | "channel";
/** Why no more of an object's fields are read: there are none, this one is a list of channels, or others are to have their turn. */
type Stop = "end" | "channels" | "turn";

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };
type WritableTopic = Writable<Omit<TopicNumbers, "channels">> & { channels: ChannelNumbers[] };

/** Reads an answer of `/stats`. */
export class StatsReader {
  readonly #cursor: JsonCursor;
  readonly #slice: Slice;
  // For each answer anew: what one node says of its topics slows nobody else down.
  readonly #answer = new FieldNames(ANSWER);
  readonly #topic = new FieldNames(TOPIC);
  readonly #channel = new FieldNames(CHANNEL);
  #within: Within = "topics";
  #topicNow = emptyTopic();
  #channelNow = emptyChannel();
  /** In the midst of whose value it is that is passed over. */
  #passing: FieldNames | undefined;
  #steps = 0;

  constructor(cursor: JsonCursor, slice: Slice) {
    this.#cursor = cursor;
    this.#slice = slice;
  }

  /**
   * Has `use` look at every topic, one after the other; the rest of the answer is what a node says of itself.
   *
   * @throws {TypeError | SyntaxError} If it is no such answer; some topics may have been looked at then.
   */
  async read(use: (topic: TopicNumbers) => void | Promise<void>): Promise<Fields> {
    const cursor = this.#cursor;
    const facts: Record<string, unknown> = {};
    if (cursor.beginObject("the answer")) {
      let hasTopics = false;
      for (
        let field = cursor.nextField(this.#answer);
        field !== NO_FIELD;
        field = cursor.nextField(this.#answer)
      ) {
        const name = ANSWER[field];
        if (name === undefined) await this.#passAll(this.#answer);
        else if (name !== "topics") facts[name] = cursor.value(name);
        else if (hasTopics) throw new TypeError("topics are told twice");
        else {
          hasTopics = true;
          await this.#readTopics(use);
        }
      }
    }
    cursor.end();
    return facts;
  }

  async #readTopics(use: (topic: TopicNumbers) => void | Promise<void>): Promise<void> {
    if (!this.#cursor.beginList("topics")) return;
    for (;;) {
      const stop = this.#readOn();
      if (stop === "end") return;
      const used = stop === "topic" ? use(this.#topicNow) : undefined;
      if (used !== undefined) await used;
      if (stop === "topic" ? this.#isTurnOver() : this.#slice.isOver) await this.#slice.next();
    }
  }

  /**
   * Reads on where it is: to the end of a topic, that of all topics, or until others are to have their turn. Nothing is awaited
   * in between: of hundreds of thousands of topics and channels each would cost a promise.
   */
  #readOn(): "topic" | "end" | "turn" {
    if (this.#passing !== undefined && !this.#pass(this.#passing)) return "turn";
    for (;;) {
      switch (this.#within) {
        case "topics":
          if (!this.#cursor.nextItem()) return "end";
          this.#topicNow = emptyTopic();
          if (!this.#cursor.beginObject("a topic")) return "topic";
          this.#within = "topic";
          break;
        case "topic": {
          const stop = this.#readTopicFields(this.#topicNow);
          if (stop === "turn") return "turn";
          this.#within = stop === "end" ? "topics" : this.#beginChannels();
          if (stop === "end") return "topic";
          break;
        }
        case "channels":
          this.#within = this.#beginChannel();
          if (this.#within === "channels" && this.#isTurnOver()) return "turn";
          break;
        case "channel":
          if (this.#readChannelFields(this.#channelNow) === "turn") return "turn";
          this.#within = "channels";
          if (this.#isTurnOver()) return "turn";
      }
    }
  }

  #beginChannels(): Within {
    this.#topicNow.channels = [];
    return this.#cursor.beginList("channels") ? "channels" : "topic";
  }

  #beginChannel(): Within {
    if (!this.#cursor.nextItem()) return "topic";
    this.#channelNow = emptyChannel();
    this.#topicNow.channels.push(this.#channelNow);
    return this.#cursor.beginObject("a channel") ? "channel" : "channels";
  }

  /** Reads fields, by their places in TOPIC. */
  #readTopicFields(topic: WritableTopic): Stop {
    const cursor = this.#cursor;
    for (const start = cursor.at; cursor.at - start < STEP_SIZE;) {
      const field = cursor.nextField(this.#topic);
      if (field === NO_FIELD) return "end";
      switch (field) {
        case 0:
          topic.name = cursor.text("topic_name");
          break;
        case 1:
          return "channels";
        case 2:
          topic.depth = cursor.whole("depth");
          break;
        case 3:
          topic.backendDepth = cursor.whole("backend_depth");
          break;
        case 4:
          topic.messages = cursor.whole("message_count");
          break;
        case 5:
          topic.paused = cursor.flag("paused");
          break;
        default:
          if (!this.#pass(this.#topic)) return "turn";
      }
    }
    return "turn";
  }

  /** Reads fields, by their places in CHANNEL. */
  #readChannelFields(channel: Writable<ChannelNumbers>): Stop {
    const cursor = this.#cursor;
    for (const start = cursor.at; cursor.at - start < STEP_SIZE;) {
      const field = cursor.nextField(this.#channel);
      if (field === NO_FIELD) return "end";
      switch (field) {
        case 0:
          channel.name = cursor.text("channel_name");
          break;
        case 1:
          channel.depth = cursor.whole("depth");
          break;
        case 2:
          channel.backendDepth = cursor.whole("backend_depth");
          break;
        case 3:
          channel.inFlight = cursor.whole("in_flight_count");
          break;
        case 4:
          channel.deferred = cursor.whole("deferred_count");
          break;
        case 5:
          channel.messages = cursor.whole("message_count");
          break;
        case 6:
          channel.requeued = cursor.whole("requeue_count");
          break;
        case 7:
          channel.timedOut = cursor.whole("timeout_count");
          break;
        case 8:
          channel.consumers = cursor.whole("client_count");
          break;
        case 9:
          channel.oldestS = cursor.whole("oldest_message_age_seconds");
          break;
        case 10:
          channel.paused = cursor.flag("paused");
          break;
        case 11:
          channel.finished = cursor.whole("finish_count");
          break;
        default:
          if (!this.#pass(this.#channel)) return "turn";
      }
    }
    return "turn";
  }

  /** One more has been read: whether others are to have their turn. @throws {TypeError} If it is one too many. */
  #isTurnOver(): boolean {
    if (++this.#steps > NUMBERS_MAX) {
      throw new TypeError(`there are more than ${NUMBERS_MAX} topics and channels`);
    }
    return this.#steps % STEPS_IN_TURN === 0 && this.#slice.isOver;
  }

  /** Passes over a value, or a part of it: false if there is more. */
  #pass(names: FieldNames): boolean {
    const isOver = this.#cursor.passField(names);
    this.#passing = isOver ? undefined : names;
    return isOver;
  }

  async #passAll(names: FieldNames): Promise<void> {
    while (!this.#pass(names)) if (this.#slice.isOver) await this.#slice.next();
  }
}

function emptyTopic(): WritableTopic {
  return { name: "", depth: 0, backendDepth: 0, messages: 0, paused: false, channels: [] };
}

function emptyChannel(): Writable<ChannelNumbers> {
  return {
    name: "",
    depth: 0,
    backendDepth: 0,
    inFlight: 0,
    deferred: 0,
    requeued: 0,
    timedOut: 0,
    messages: 0,
    consumers: 0,
    oldestS: 0,
    finished: 0,
    paused: false,
  };
}
