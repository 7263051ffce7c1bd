/**
 * What a thread sleeps on that has nothing to do, and others wake it by. Ringing costs a system call only while it sleeps: who
 * brings many things rings once.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { othersFirst } from "../../base/every.ts";

const AWAKE = 0;
const ASLEEP = 1;
/**
 * A thread that is woken again and again without ever having slept looks at its sockets every 61st time only
 * (see {@linkcode othersFirst}): after so long it sleeps in any case.
 */
const BUSY_MAX_MS = 10;
/** Whoever was away for longer has slept. */
const SLEPT_MS = 0.05;

/** The bell of one thread; every thread that holds its memory may ring it. */
export class Bell {
  readonly #word: Int32Array;
  /** When the thread has last slept, as far as can be told. */
  #sleptMs = performance.now();

  /** Over memory of {@linkcode bellMemory}. */
  constructor(memory: SharedArrayBuffer) {
    this.#word = new Int32Array(memory);
  }

  /** Wakes the thread, if it sleeps. */
  ring(): void {
    if (Atomics.load(this.#word, 0) === AWAKE) return;
    if (Atomics.exchange(this.#word, 0, AWAKE) === ASLEEP) Atomics.notify(this.#word, 0);
  }

  /**
   * Lets others have their turn, and sleeps until somebody rings, if there is nothing to do. That is asked after it is said that
   * the thread sleeps: whoever brings something later rings.
   */
  async rest(isBusy: () => boolean): Promise<void> {
    const beganMs = performance.now();
    Atomics.store(this.#word, 0, ASLEEP);
    if (isBusy()) {
      Atomics.store(this.#word, 0, AWAKE);
      await immediate();
    } else {
      const wait = Atomics.waitAsync(this.#word, 0, ASLEEP);
      if (wait.async) await wait.value;
    }
    const nowMs = performance.now();
    if (nowMs - beganMs > SLEPT_MS) this.#sleptMs = nowMs;
    else if (nowMs - this.#sleptMs > BUSY_MAX_MS) {
      await othersFirst();
      this.#sleptMs = performance.now();
    }
  }
}

function immediate(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** What a bell is made of. */
export function bellMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
}
