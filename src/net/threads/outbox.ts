/**
 * What one thread has for another: records go into the ring, and the other is woken once for all that a step of the event loop
 * brings. What has no room waits here, in order; whoever could bring without end asks first whether something does.
 *
 * @module
 */

import type { Bell } from "./bell.ts";
import type { RingWriter } from "./ring.ts";

const NOTHING = new Uint8Array();

interface Waiting {
  readonly kind: number;
  readonly id: number;
  readonly payload: Readonly<Uint8Array>;
}

/** Records for one other thread. */
export class Outbox {
  readonly #ring: RingWriter;
  readonly #bell: Bell;
  #waiting: Waiting[] = [];
  #room: PromiseWithResolvers<void> | undefined;
  #rings = false;
  #dropped = false;

  /** `bell` is the other thread's. */
  constructor(ring: RingWriter, bell: Bell) {
    this.#ring = ring;
    this.#bell = bell;
  }

  /** Sends a record; of a payload that has to wait a copy is kept. */
  post(kind: number, id: number, payload: Readonly<Uint8Array> = NOTHING): void {
    if (this.#dropped) return;
    if (this.#waiting.length > 0 || !this.#ring.put(kind, id, payload)) {
      this.#waiting.push({ kind, id, payload: payload.slice() });
    }
    this.#wake();
  }

  /** True while records wait for room in the ring. */
  get isFull(): boolean {
    return this.#waiting.length > 0;
  }

  /** Settles when no record waits. */
  async room(): Promise<void> {
    while (this.isFull) {
      this.#room ??= Promise.withResolvers();
      await this.#room.promise;
    }
  }

  /** Puts what waits into the ring; true if some of it has found room. */
  flush(): boolean {
    let count = 0;
    while (count < this.#waiting.length) {
      const { kind, id, payload } = this.#waiting[count];
      if (!this.#ring.put(kind, id, payload)) break;
      count++;
    }
    if (count === 0) return false;
    this.#waiting = this.#waiting.slice(count);
    this.#wake();
    if (this.#waiting.length === 0) {
      this.#room?.resolve();
      this.#room = undefined;
    }
    return true;
  }

  /** Forgets what waits, and whatever is still to come: the other thread is not there any more. */
  drop(): void {
    this.#dropped = true;
    this.#waiting = [];
    this.#room?.resolve();
    this.#room = undefined;
  }

  /** Once, after all that the same step sends. */
  #wake(): void {
    if (this.#rings) return;
    this.#rings = true;
    queueMicrotask(() => {
      this.#rings = false;
      this.#bell.ring();
    });
  }
}
