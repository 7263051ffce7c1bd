/**
 * Those who work with a daemon while others attack it, and who say at the end whether they could. They have a thread of their
 * own: those that attack must not be what they wait for.
 *
 * @module
 */

import type { Bystanders, HostileScenario, Target } from "./scenario.ts";

/** What they have seen. */
export interface Testimony {
  /** How often they have asked for something. */
  readonly asked: number;
  /** The longest that they have waited for an answer, in ms. */
  readonly worstMs: number;
  /** How often they have been refused, where that is allowed. */
  readonly refusedCount: number;
}

/** What the thread is told first; whatever it is told next is the end of the attack. */
export interface WitnessTask {
  readonly program: HostileScenario["program"];
  readonly target: Target;
  /** Publishes may be refused until the attack has ended. */
  readonly mayRefuse: boolean;
  /** Between two heartbeats of who consumes, in ms. */
  readonly heartbeatMs: number;
}

/** What the thread says: that it is there, how it fares each time that it asks, and at the end what it has seen. */
export type WitnessReport = "ready" | "served" | "refused" | Testimony;

/** Somebody who works with the daemon, on another thread. */
export class BusyWitness implements Bystanders, AsyncDisposable {
  readonly #worker: Worker;
  #next = Promise.withResolvers<WitnessReport>();
  #servedCount = 0;
  #refusedCount = 0;

  private constructor() {
    this.#worker = new Worker(new URL("./witness_worker.ts", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<WitnessReport>) => {
      if (data === "served") this.#servedCount++;
      else if (data === "refused") this.#refusedCount++;
      else this.#next.resolve(data);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#next.reject(new Error(event.message));
    };
  }

  /** Settles when somebody has begun to work with the daemon. */
  static async begin(task: WitnessTask): Promise<BusyWitness> {
    const witness = new BusyWitness();
    witness.#worker.postMessage(task);
    await witness.#report();
    return witness;
  }

  get servedCount(): number {
    return this.#servedCount;
  }

  get refusedCount(): number {
    return this.#refusedCount;
  }

  /** Lets the witness go on until the attack has ended. Rejects when one of the two has failed. */
  async watch(attack: Promise<void>): Promise<Testimony> {
    const ended = attack.then(() => this.#worker.postMessage("ended"));
    const [testimony] = await Promise.all([this.#report(), ended]);
    if (typeof testimony === "string") throw new TypeError("A witness that has begun twice");
    return testimony;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#worker.terminate();
    return Promise.resolve();
  }

  async #report(): Promise<WitnessReport> {
    try {
      return await this.#next.promise;
    } finally {
      this.#next = Promise.withResolvers();
    }
  }
}
