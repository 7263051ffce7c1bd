/**
 * Says what happens to the connections of a tool's consumer or producer, in lines of go-nsq's form, and decides whether
 * the tool can go on: at start an nsqd that is not there is waited for, and one that refuses the tool ends it.
 *
 * @module
 */

import { formatDuration } from "../base/duration.ts";
import { errorText } from "../base/error_text.ts";
import { NsqdError, type Status } from "../client/mod.ts";
import { explained } from "./explained.ts";
import { ToolError } from "./tool.ts";
import type { ClientLevel, ToolLog } from "./tool_log.ts";

/** What can be followed. */
export interface Followed {
  status(signal?: AbortSignal): AsyncIterableIterator<Status>;
}

/** How it is followed. */
export interface FollowOptions {
  readonly log: ToolLog;
  /** The number of the consumer or producer, from 1 on. */
  readonly id: number;
  /** Its topic and channel as `topic/channel`; none for a producer. */
  readonly scope?: string;
  /** Whether a node that is not there at start is waited for; otherwise it ends the tool. */
  readonly retry: boolean;
  /** Of so many nodes one is enough. @default {1} */
  readonly nodes?: number;
  /** Is told of the first connection. */
  readonly connected?: () => void;
}

/**
 * Follows a consumer or producer until it is closed.
 *
 * @throws {ToolError} If it could not be connected at start, and that is not to be tried again or has no use.
 */
export async function follow(client: Followed, options: FollowOptions): Promise<void> {
  let wasConnected = false;
  const missing = new Set<string>();
  const lines = new StatusLines(options);
  for await (const status of client.status()) {
    if (status.kind === "connected" && !wasConnected) {
      wasConnected = true;
      options.connected?.();
    }
    if (status.kind === "connect-failed" && !wasConnected) {
      const refused = status.error instanceof NsqdError || /demands a secret/.test(status.error.message);
      if (!options.retry || refused) missing.add(status.node);
      if (missing.size >= (options.nodes ?? 1)) throw new ToolError(failure(status.node, status.error));
    }
    lines.tell(status);
  }
}

/** Why there is no connection to a node. */
function failure(node: string, error: Error): string {
  return `cannot connect to nsqd ${node} - ${withoutNode(node, explained(error))}`;
}

function withoutNode(node: string, text: string): string {
  return text.startsWith(`${node}: `) ? text.slice(node.length + 2) : text;
}

/** Makes lines of what happens. */
class StatusLines {
  readonly #log: ToolLog;
  readonly #id: number;
  readonly #scope: string;

  constructor({ log, id, scope }: FollowOptions) {
    this.#log = log;
    this.#id = id;
    this.#scope = scope === undefined ? "" : `[${scope}] `;
  }

  tell(status: Status): void {
    switch (status.kind) {
      case "connecting":
        return this.#say("INF", `(${status.node}) connecting to nsqd`);
      case "connected":
        return this.#say("INF", `(${status.node}) connected to nsqd ${status.version}`);
      case "connect-failed":
        this.#say("ERR", `(${status.node}) ${failure(status.node, status.error)}`);
        return this.#sayAgain(status.node, status.retryMs);
      case "disconnected":
        if (status.error === undefined) return;
        this.#say(
          "ERR",
          `(${status.node}) connection lost - ${withoutNode(status.node, errorText(status.error))}`,
        );
        return this.#sayAgain(status.node, status.retryMs);
      case "discovered":
        return this.#say(
          "INF",
          `querying nsqlookupd ${status.lookupd}: ${status.nodes.join(", ") || "no nsqd has it"}`,
        );
      case "discovery-failed":
        return this.#say("ERR", `error querying nsqlookupd (${status.lookupd}) - ${explained(status.error)}`);
      case "backing-off":
        return this.#say(
          "WRN",
          `backing off for ${
            formatDuration(Math.round(status.durationMs))
          } (backoff level ${status.level}), setting all to RDY 0`,
        );
      case "testing":
        return this.#say("WRN", `(backoff level ${status.level}) a single message is let through`);
      case "backed-on":
        return this.#say("WRN", "exiting backoff, returning all to RDY");
      case "handler-failed":
        return this.#say(
          "ERR",
          `Handler returned error (${errorText(status.error)}) for msg ${status.messageId}`,
        );
      case "settle-refused":
        return this.#say("ERR", `(${status.node}) ${status.error.message}`);
      case "gave-up":
        return this.#say("WRN", `msg ${status.messageId} attempted ${status.attempts} times, giving up`);
      case "give-up-failed":
        return this.#say("ERR", `msg ${status.messageId} cannot be given up - ${errorText(status.error)}`);
      case "publish-retried":
        return this.#say(
          "WRN",
          `(${status.node}) ${status.messages} messages are sent again - ${explained(status.error)}`,
        );
      case "missed":
        return this.#say("WRN", `${status.count} events are not shown`);
    }
  }

  #sayAgain(node: string, retryMs: number | undefined): void {
    if (retryMs === undefined) return;
    this.#say("INF", `(${node}) re-connecting in ${formatDuration(Math.round(retryMs))}`);
  }

  #say(level: ClientLevel, text: string): void {
    this.#log.client(level, this.#id, `${this.#scope}${text}`);
  }
}
