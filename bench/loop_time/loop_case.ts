/**
 * A request that is played against a daemon to see for how long it takes the daemon's loop, and how that is measured.
 *
 * @module
 */

import type { PingerRequest } from "./pinger_worker.ts";

/** A kind of request, at the worst size that the limits admit. */
export interface LoopCase {
  readonly name: string;
  /** Sends it and waits for what comes of it. */
  play(): Promise<void>;
  /** What must be there before each play; its time does not count. */
  prepare?(): Promise<void>;
}

/**
 * How long a case has taken the loop, in ms: the least of the plays, because whatever else the machine does can only add to it,
 * and the middle one, which says how much that was.
 */
export interface LoopTime {
  readonly name: string;
  readonly leastMs: number;
  readonly middleMs: number;
}

/** Whether anything else that the play has begun is at its end cannot be seen from outside: pings go on for so long. */
const AFTER_MS = 30;

/** The pings of a daemon, by another thread. */
export class Pinger implements Disposable {
  readonly #worker = new Worker(new URL("./pinger_worker.ts", import.meta.url), { type: "module" });

  /** `address` is the daemon's HTTP address. */
  constructor(address: string) {
    this.#send({ address });
  }

  /** The longest answer since it was asked last, in ms. */
  take(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }: MessageEvent<number>) => resolve(data);
      this.#worker.onerror = ({ message }) => reject(new Error(`Pings failed: ${message}`));
      this.#send({ take: true });
    });
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }

  #send(request: PingerRequest): void {
    this.#worker.postMessage(request);
  }
}

/** Plays a case so many times. */
export async function measure(pinger: Pinger, each: LoopCase, plays: number): Promise<LoopTime> {
  const found: number[] = [];
  for (let play = 0; play < plays; play++) {
    await each.prepare?.();
    await pause(AFTER_MS);
    await pinger.take();
    await each.play();
    await pause(AFTER_MS);
    found.push(await pinger.take());
  }
  found.sort((a, b) => a - b);
  return { name: each.name, leastMs: found[0], middleMs: found[Math.floor(plays / 2)] };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
