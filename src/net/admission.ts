/**
 * How many connections a listener serves at a time, in all and from one address. What is beyond is refused before
 * anything is kept of it, and counted.
 *
 * @module
 */

/** The limits of one listener; 0 is none. */
export interface ConnectionLimits {
  /** Connections at a time. */
  readonly max: number;
  /** Of them, from one IP address; clients on a unix socket have none. */
  readonly perAddressMax: number;
}

/** A connection is refused: because of which limit, and why in words. */
export interface AdmissionRefusal {
  readonly limit: keyof ConnectionLimits;
  readonly reason: string;
}

/** Counts the connections of one listener. */
export class Admission {
  readonly #limits: ConnectionLimits;
  readonly #byHost = new Map<string, number>();
  #count = 0;
  #refused = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** Connections that are there. */
  get count(): number {
    return this.#count;
  }

  /** Connections that have been refused since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** Counts a connection in, or says why it is refused. `host` is "" on a unix socket. */
  enter(host: string): AdmissionRefusal | undefined {
    const { max, perAddressMax } = this.#limits;
    const ofHost = this.#byHost.get(host) ?? 0;
    const isFull = max > 0 && this.#count >= max;
    const isHostFull = perAddressMax > 0 && host !== "" && ofHost >= perAddressMax;
    if (isFull || isHostFull) {
      this.#refused++;
      return isFull
        ? { limit: "max", reason: `there are ${this.#count} connections` }
        : { limit: "perAddressMax", reason: `${host} has ${ofHost} connections` };
    }
    this.#count++;
    this.#byHost.set(host, ofHost + 1);
    return undefined;
  }

  /** Counts one out that `enter()` has let in. */
  leave(host: string): void {
    this.#count--;
    const ofHost = (this.#byHost.get(host) ?? 0) - 1;
    if (ofHost > 0) this.#byHost.set(host, ofHost);
    else this.#byHost.delete(host);
  }
}
