/**
 * Topics as clients ask for them, by name: one that is not there is made, if its store can be opened. That cannot be when
 * file descriptors have run out, or something else is where its files should be: the client is told so, and others are
 * not concerned.
 *
 * @module
 */

import { errorText } from "../../base/error_text.ts";
import type { Logger } from "../../base/logger.ts";
import type { Broker, TopicStores } from "../../broker/broker.ts";
import type { Topic } from "../../broker/topic.ts";
import { isEphemeral } from "../../protocol/names.ts";

/** A topic cannot be used: the message says why. */
export class TopicError extends Error {
  override readonly name = "TopicError";
}

/** What is needed to open topics. */
export interface TopicOpenerContext {
  readonly broker: Pick<Broker, "topic" | "topics">;
  readonly stores: TopicStores;
  readonly logger: Logger;
  readonly health: {
    /** A store cannot be opened; `tryAgain` throws as long as it cannot. */
    unopened(error: unknown, tryAgain: () => void): void;
  };
}

/** Opens topics. */
export class TopicOpener {
  readonly #context: TopicOpenerContext;

  constructor(context: TopicOpenerContext) {
    this.#context = context;
  }

  /**
   * The topic of that name, which is to be a valid one.
   *
   * @throws {TopicError} When its store cannot be opened.
   */
  open(name: string): Topic {
    const { broker, logger, health } = this.#context;
    const existing = broker.topics.get(name);
    if (existing) return existing;
    try {
      // First, because a topic whose files cannot be read takes them for damaged.
      this.#look(name);
      return broker.topic(name);
    } catch (cause) {
      if (!isOfTheSystem(cause)) throw cause;
      const reason = errorText(cause);
      logger.error(`TOPIC(${name}): failed to open - ${reason}`);
      health.unopened(cause, () => this.#look(name));
      throw new TopicError(reason, { cause });
    }
  }

  /** Throws what the system says, if there is no such topic and its store cannot be opened. */
  #look(name: string): void {
    const { broker, stores } = this.#context;
    if (!broker.topics.has(name) && !isEphemeral(name)) stores.open(name)?.list();
  }
}

/** True for what the operating system says, which has a code; anything else is a fault of ours. */
function isOfTheSystem(error: unknown): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}
