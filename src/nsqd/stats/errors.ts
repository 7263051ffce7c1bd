/**
 * What clients have done wrong, and what they were refused: how often each kind, and the last of them in full. Kinds are
 * the codes of protocol V2 (`E_INVALID`), `HTTP_` with the status of an answer, and others that docs/observability.md lists;
 * there are some dozens, whatever strangers do.
 *
 * @module
 */

import type { ErrorSink } from "../../base/error_sink.ts";
import { oneLine } from "../../base/one_line.ts";

/** So many of the last errors are kept. */
export const ERRORS_KEPT_MAX = 64;
/** Of the text of each so much, in characters. */
export const ERROR_TEXT_LENGTH_MAX = 200;

/** One of the last errors, as `/stats` shows it. */
export interface NotedError {
  /** By the wall clock. */
  readonly time: string;
  /** `host:port` of the client. */
  readonly address: string;
  readonly code: string;
  /** Cut and escaped: it may be a stranger's. */
  readonly text: string;
}

interface Entry {
  readonly timeMs: number;
  readonly address: string;
  readonly code: string;
  readonly text: string;
}

/** Counts errors, and keeps the last. */
export class ErrorCounts {
  readonly #counts = new Map<string, number>();
  readonly #kept: Entry[] = [];
  /** Where the next one goes once there are as many as are kept. */
  #next = 0;
  readonly #nowMs: () => number;

  /** `nowMs` tells the time by the wall clock. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** How often each kind has been. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** Counts one. */
  readonly note: ErrorSink = (code, address, text) => {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
    const entry = { timeMs: this.#nowMs(), address, code, text: text.slice(0, ERROR_TEXT_LENGTH_MAX) };
    if (this.#kept.length < ERRORS_KEPT_MAX) this.#kept.push(entry);
    else {
      this.#kept[this.#next] = entry;
      this.#next = (this.#next + 1) % ERRORS_KEPT_MAX;
    }
  };

  /** The last errors, the newest first. */
  last(): NotedError[] {
    const ordered = [...this.#kept.slice(this.#next), ...this.#kept.slice(0, this.#next)].reverse();
    return ordered.map(({ timeMs, address, code, text }) => ({
      time: new Date(timeMs).toISOString(),
      address,
      code,
      text: oneLine(text),
    }));
  }
}

/** What `/stats` shows of them; undefined while there are none. Not in NSQ. */
export function errorStats(errors: ErrorCounts) {
  if (errors.counts.size === 0) return undefined;
  return { counts: Object.fromEntries(errors.counts), last: errors.last() };
}
