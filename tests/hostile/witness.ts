/**
 * Those who work with a daemon while others attack it, and who say at the end whether they could. They have a thread of their
 * own: those that attack must not be what they wait for.
 *
 * @module
 */

import type { HostileScenario, Target } from "./scenario.ts";

/** What they have seen. */
export interface Testimony {
  /** How often they have asked for something. */
  readonly asked: number;
  /** The longest that they have waited for an answer, in ms. */
  readonly worstMs: number;
}

/** What the thread is told first; whatever it is told next is the end of the attack. */
export interface WitnessTask {
  readonly program: HostileScenario["program"];
  readonly target: Target;
}

/** What the thread says: that it is there, and at the end what it has seen. */
export type WitnessReport = "ready" | Testimony;

/** Somebody who works with the daemon, on another thread. */
export class BusyWitness implements AsyncDisposable {
  readonly #worker: Worker;
  #next = Promise.withResolvers<WitnessReport>();

  private constructor() {
    this.#worker = new Worker(new URL("./witness_worker.ts", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<WitnessReport>) => this.#next.resolve(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#next.reject(new Error(event.message));
    };
  }

  /** Settles when somebody has begun to work with the daemon. */
  static async begin(program: WitnessTask["program"], target: Target): Promise<BusyWitness> {
    const witness = new BusyWitness();
    witness.#worker.postMessage({ program, target } satisfies WitnessTask);
    await witness.#report();
    return witness;
  }

  /** Lets the witness go on until the attack has ended. Rejects when one of the two has failed. */
  async watch(attack: Promise<void>): Promise<Testimony> {
    const ended = attack.then(() => this.#worker.postMessage("ended"));
    const [testimony] = await Promise.all([this.#report(), ended]);
    if (testimony === "ready") throw new TypeError("A witness that has begun twice");
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
