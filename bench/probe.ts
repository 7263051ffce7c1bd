/**
 * The main thread's side of the probing thread, see probe_worker.ts.
 *
 * @module
 */

import type { ProbeOptions, ProbePhase, ProbeRequest } from "./probe_worker.ts";

/** A thread that asks a server for small answers until it is disposed of. */
export class Probe implements Disposable {
  readonly #worker: Worker;

  constructor(options: ProbeOptions) {
    this.#worker = new Worker(new URL("./probe_worker.ts", import.meta.url), { type: "module" });
    this.#send({ start: options });
  }

  /** What was probed since the last call. */
  endPhase(): Promise<ProbePhase> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = (event: MessageEvent<ProbePhase>) => resolve(event.data);
      this.#worker.onerror = (event) => reject(new Error(`Probe failed: ${event.message}`));
      this.#send({ endPhase: true });
    });
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }

  #send(request: ProbeRequest): void {
    this.#worker.postMessage(request);
  }
}
