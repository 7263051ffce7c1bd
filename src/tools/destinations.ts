/**
 * The nsqds that nsq_to_nsq publishes to: one producer for each, so that what one does not take goes to another at once.
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import { Producer, type ProducerOptions } from "../client/mod.ts";
import { HostPool, type PoolMode } from "./host_pool.ts";
import { usable } from "./options.ts";

/** Where they are, and how they are chosen. */
export interface DestinationOptions {
  readonly nsqd: readonly string[];
  readonly lookupd: readonly string[];
  readonly mode: PoolMode;
  readonly producer: ProducerOptions;
  /** Is told how long a message took. */
  readonly took: (destination: string, ms: number) => void;
  /** Is told of a destination that did not take a message. */
  readonly failed: (text: string) => void;
}

/** How long a message may wait for a destination's answer; nsqd must not give it to somebody else meanwhile. */
const PUBLISH_TIMEOUT_MS = 15_000;

/** Destinations. */
export class Destinations {
  /** By their addresses; all that nsqlookupds tell of are one. */
  readonly producers: ReadonlyMap<string, Producer>;
  readonly #pool: HostPool;
  readonly #options: DestinationOptions;

  /** @throws {ToolError} If an address is none. */
  constructor(options: DestinationOptions) {
    const { nsqd, lookupd } = options;
    // Another try is another destination's, or nsqd's: a producer that tries again by itself would hold messages back.
    const producer = {
      ...options.producer,
      attempts: 1,
      retryAmbiguous: false,
      timeoutMs: PUBLISH_TIMEOUT_MS,
    };
    this.producers = new Map(
      lookupd.length > 0
        ? [[lookupd.join(","), usable(() => new Producer({ ...producer, lookupd, attempts: 3 }))]]
        : nsqd.map((address) => [address, usable(() => new Producer({ ...producer, nsqd: [address] }))]),
    );
    this.#pool = new HostPool([...this.producers.keys()], options.mode);
    this.#options = options;
  }

  /** Connects, as soon as that is possible. */
  connect(stop: AbortSignal): void {
    for (const producer of this.producers.values()) {
      // What keeps it from being connected is told by its status.
      producer.ready(stop).then(() => {}, (error) => {
        if (!stop.aborted) this.#options.failed(errorText(error));
      });
    }
  }

  /** Publishes a message to one of them. Rejects when none takes it. */
  async publish(topic: string, body: Uint8Array): Promise<void> {
    const tried = new Set<string>();
    for (;;) {
      const name = this.#choose(tried);
      tried.add(name);
      const startMs = performance.now();
      try {
        await this.producers.get(name)?.publish(topic, body);
        this.#mark(name, startMs, false);
        this.#options.took(name, performance.now() - startMs);
        return;
      } catch (error) {
        this.#mark(name, startMs, true);
        if (tried.size === this.producers.size) throw error;
        this.#options.failed(`${name} did not take a message - ${errorText(error)}`);
      }
    }
  }

  /** Publishes what is under way, and closes the connections. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.producers.values(), (producer) => producer.close()));
  }

  /** One that was not tried, and is connected if any is. */
  #choose(tried: ReadonlySet<string>): string {
    const count = this.producers.size;
    const fresh = [...this.producers.keys()].filter((name) => !tried.has(name));
    if (count === 1) return fresh[0];
    const connected = fresh.filter((name) => (this.producers.get(name)?.stats.nodes.length ?? 0) > 0);
    const allowed = new Set(connected.length > 0 ? connected : fresh);
    for (let i = 0; i < count; i++) {
      const name = this.#pool.pick(performance.now());
      if (allowed.has(name)) return name;
    }
    return [...allowed][0];
  }

  #mark(name: string, startMs: number, failed: boolean): void {
    const nowMs = performance.now();
    this.#pool.mark(name, { failed, tookMs: nowMs - startMs, nowMs });
  }
}
