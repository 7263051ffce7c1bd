/**
 * To which topic a message of to_nsq goes, and when it is to be delivered: as flags say, or fields of the message itself.
 *
 * @module
 */

import { parseDuration } from "../base/duration.ts";
import { checkTopicName, isValidTopicName } from "../protocol/names.ts";
import type { Sending } from "./batch_sender.ts";
import { jsonIn, type JsonPath, parsePath, valueAt } from "./json_path.ts";
import { parsed, usable } from "./options.ts";
import type { InputRecord } from "./records.ts";
import { ToolError } from "./tool.ts";
import type { ToNsqOptions } from "./to_nsq_options.ts";

/** Finds out where messages go. */
export class Routing {
  readonly #topic: string;
  readonly #topicPath: JsonPath | undefined;
  readonly #deferMs: number;
  readonly #deferPath: JsonPath | undefined;

  /** @throws {ToolError | OptionError} If the flags cannot be. */
  constructor({ topic, topicField, defer, deferField }: ToNsqOptions) {
    if (topic === "" && topicField === "") throw new ToolError("--topic required");
    if (topic !== "") usable(() => checkTopicName(topic));
    if (defer < 0) throw new ToolError("--defer must not be negative");
    this.#topic = topic;
    this.#deferMs = Math.round(defer);
    this.#topicPath = topicField === "" ? undefined : parsed("topic-field", topicField, parsePath);
    this.#deferPath = deferField === "" ? undefined : parsed("defer-field", deferField, parsePath);
  }

  /** @throws {ToolError} If the message has no topic, or a field that says something impossible. */
  of(record: InputRecord): Sending {
    if (!this.#topicPath && !this.#deferPath) return { record, topic: this.#topic, deferMs: this.#deferMs };
    const json = jsonIn(record.body);
    return {
      record,
      topic: this.#topicPath ? this.#topicOf(record, valueAt(json, this.#topicPath)) : this.#topic,
      deferMs: this.#deferPath ? this.#deferOf(record, valueAt(json, this.#deferPath)) : this.#deferMs,
    };
  }

  #topicOf({ number }: InputRecord, value: unknown): string {
    if (value === undefined && this.#topic !== "") return this.#topic;
    if (typeof value === "string" && isValidTopicName(value)) return value;
    const found = value === undefined
      ? "has no topic in its field"
      : `names no topic: ${JSON.stringify(value)}`;
    throw new ToolError(`message ${number} ${found}`);
  }

  #deferOf({ number }: InputRecord, value: unknown): number {
    if (value === undefined || value === null) return this.#deferMs;
    const ms = typeof value === "string" ? durationOf(value) : value;
    if (typeof ms === "number" && ms >= 0 && Number.isFinite(ms)) return Math.round(ms);
    throw new ToolError(
      `message ${number} says for how long it is deferred, but not in ms or as a duration: ${
        JSON.stringify(value)
      }`,
    );
  }
}

function durationOf(text: string): number | undefined {
  try {
    return parseDuration(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
