/**
 * A lease: what a delivered message is answered by. It says which message, which of its deliveries, and who gave it; so
 * nothing is remembered for it, and it is of no use once the message has been delivered again, or the program was started
 * anew:
 *
 * ```
 *  0d3c8f2a1b4e5f60 . 2 . k3f9x2qa
 *  ── message ─────   │   ─ epoch ─
 *                  attempt
 * ```
 *
 * The counter of attempts stops at 65535: the leases of later deliveries of one message are the same.
 *
 * @module
 */

/** Why a lease cannot be answered. */
export type LeaseProblem = "EXPIRED" | "FINISHED" | "UNKNOWN";

/** The longest lease, in characters. */
export const LEASE_LENGTH_MAX = 64;

const LEASE = /^([\w-]{16})\.([1-9]\d{0,4})\.([a-z0-9]{1,32})$/;
const EPOCH_BYTES = 5;
/** Enough digits of base 36 for 40 bits. */
const EPOCH_LENGTH = 8;

/** The parts of a lease. */
export interface Lease {
  /** 16 characters. */
  readonly id: string;
  readonly attempt: number;
  readonly epoch: string;
}

/** The lease of a delivery. */
export function leaseOf({ id, attempt, epoch }: Lease): string {
  return `${id}.${attempt}.${epoch}`;
}

/** The parts of a lease, or `undefined` if the text is none. */
export function parseLease(text: string): Lease | undefined {
  if (text.length > LEASE_LENGTH_MAX) return undefined;
  const [, id, attempt, epoch] = LEASE.exec(text) ?? [];
  return id === undefined ? undefined : { id, attempt: Number(attempt), epoch };
}

/** Why a lease whose message has come to that cannot be answered. */
export function problemOf(fate: "returned" | "superseded" | "finished" | "unknown"): LeaseProblem {
  if (fate === "finished") return "FINISHED";
  return fate === "unknown" ? "UNKNOWN" : "EXPIRED";
}

/** An epoch that no other has: 40 random bits. */
export function newEpoch(): string {
  let value = 0;
  for (const byte of crypto.getRandomValues(new Uint8Array(EPOCH_BYTES))) value = value * 256 + byte;
  return value.toString(36).padStart(EPOCH_LENGTH, "0");
}
