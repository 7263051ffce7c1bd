/**
 * Says in time that the node's own certificate expires: every day, from a month before on.
 *
 * @module
 */

import type { Logger } from "../../base/logger.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** So many days before it begins to be said, and from so many on it is an error. */
export const WARNED_FROM_DAYS = 30;
export const URGENT_FROM_DAYS = 7;
/** How often the date is looked at; it may be another one after a reload. */
export const LOOK_INTERVAL_MS = 60 * 60 * 1000;

/** What is watched. */
export interface WatchedCertificate {
  /** When it expires, by the wall clock; `undefined` without one. */
  readonly expiresMs: number | undefined;
}

/** Watches a certificate. */
export class CertificateWatch {
  readonly #logger: Logger;
  readonly #certificate: WatchedCertificate;
  /** When it was said last, of which certificate, and in which words. */
  #said: { readonly expiresMs: number; readonly days: number } | undefined;

  constructor(logger: Logger, certificate: WatchedCertificate) {
    this.#logger = logger;
    this.#certificate = certificate;
  }

  /** Says what is to be said at this time of day, once for each day that is left. */
  look(nowMs: number): void {
    const { expiresMs } = this.#certificate;
    if (expiresMs === undefined) return;
    const days = Math.floor((expiresMs - nowMs) / DAY_MS);
    if (days > WARNED_FROM_DAYS || this.#said?.expiresMs === expiresMs && this.#said.days === days) return;
    this.#said = { expiresMs, days };
    const date = new Date(expiresMs).toISOString();
    if (days < 0) this.#logger.error(`TLS: the certificate has expired, on ${date}`);
    else if (days <= URGENT_FROM_DAYS) {
      this.#logger.error(`TLS: the certificate expires in ${inDays(days)}, on ${date}`);
    } else this.#logger.warn(`TLS: the certificate expires in ${inDays(days)}, on ${date}`);
  }
}

function inDays(days: number): string {
  if (days === 0) return "less than a day";
  return days === 1 ? "1 day" : `${days} days`;
}
