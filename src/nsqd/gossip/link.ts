/**
 * The connection to a Serf agent, made anew whenever it is lost. What goes over it is not known here.
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { formatDuration } from "../../base/duration.ts";
import { Latch } from "../../base/latch.ts";
import type { Logger } from "../../base/logger.ts";
import type { Timers } from "../../base/timers.ts";
import type { SerfClient, SerfEndpoint } from "../../cluster/serf_client.ts";
import { SerfError, type SerfEvent } from "../../cluster/serf_records.ts";

/** Where there is an agent to connect to. */
export interface AgentSource {
  /** Where it takes requests, as soon as it does; `undefined` when there will be none any more. */
  endpoint(): Promise<SerfEndpoint | undefined>;
}

/** What the link uses of the world; tests stand in for it. */
export interface SerfWorld {
  readonly timers: Timers;
  connect(endpoint: SerfEndpoint): Promise<SerfClient>;
}

/** What is done over the connection. */
export interface SerfUser {
  /** It is there: asks for events. */
  introduce(client: SerfClient): Promise<AsyncIterable<SerfEvent>>;
  /** An event has come. */
  handle(event: SerfEvent): void;
}

/** A connection, as long as it is good. */
export interface SerfLink {
  readonly client: SerfClient;
  readonly endpoint: SerfEndpoint;
  /** Aborts when it is lost, or no longer needed. */
  readonly signal: AbortSignal;
}

/** Waits before a lost agent is connected to again. */
const RECONNECT_DELAY_MIN_MS = 1000;
const RECONNECT_DELAY_MAX_MS = 15_000;

/** Keeps a connection to an agent. */
export class SerfLinks {
  /** The connection, while there is one, after the user has introduced itself. */
  readonly current = new Latch<SerfLink>();
  readonly #source: AgentSource;
  readonly #world: SerfWorld;
  readonly #logger: Logger;
  readonly #backoff = new Backoff({ minMs: RECONNECT_DELAY_MIN_MS, maxMs: RECONNECT_DELAY_MAX_MS });
  #problem: string | undefined;

  constructor(source: AgentSource, context: { readonly world: SerfWorld; readonly logger: Logger }) {
    this.#source = source;
    this.#world = context.world;
    this.#logger = context.logger;
  }

  /** Why there is no connection; `undefined` while there is one, and before the first was tried. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Connects again and again until the signal aborts. */
  async run(user: SerfUser, signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        const endpoint = await this.#source.endpoint();
        if (endpoint === undefined || signal.aborted) break;
        const problem = await this.#use(endpoint, { user, signal });
        if (signal.aborted) break;
        this.#problem = problem;
        const delayMs = this.#backoff.next();
        this.#logger.error(`SERF: ${problem}; trying again in ${formatDuration(delayMs)}`);
        await this.#world.timers.sleep(delayMs, signal);
      }
    } finally {
      this.current.end();
      this.#logger.info("SERF: exiting");
    }
  }

  /** Uses a connection to its end; why it has ended. */
  async #use(
    endpoint: SerfEndpoint,
    { user, signal }: { user: SerfUser; signal: AbortSignal },
  ): Promise<string> {
    const over = new AbortController();
    let client: SerfClient | undefined;
    const close = () => void client?.close();
    signal.addEventListener("abort", close);
    try {
      client = await this.#world.connect(endpoint);
      if (signal.aborted) return "stopped";
      const events = await user.introduce(client);
      this.#problem = undefined;
      this.#backoff.reset();
      this.current.set({ client, endpoint, signal: over.signal });
      for await (const event of events) user.handle(event);
      return client.failure?.message ?? "there are no more events";
    } catch (error) {
      if (!(error instanceof SerfError)) throw error;
      return error.message;
    } finally {
      signal.removeEventListener("abort", close);
      this.current.clear();
      over.abort();
      await client?.close();
    }
  }
}
