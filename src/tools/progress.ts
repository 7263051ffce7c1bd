/**
 * Shows how far a tool is: on a terminal in a line that changes, elsewhere, if that is asked for, in the log.
 *
 * @module
 */

import { every } from "../base/every.ts";
import type { ToolLog } from "./tool_log.ts";

/** How often, in ms. */
const SHOWN_MS = 500;
const LOGGED_MS = 5000;

/** What is shown. */
export interface ProgressOptions {
  readonly log: ToolLog;
  /** Whether it is said in the log where it cannot be shown. */
  readonly logged: boolean;
  /** How many so far, of which a rate is made. */
  readonly count: () => number;
  /** The rest, in words. */
  readonly text: (count: number) => string;
}

/** Shows progress until it is disposed of. */
export class Progress implements Disposable {
  readonly #end = new AbortController();

  constructor({ log, logged, count, text }: ProgressOptions) {
    const isShown = log.showsProgress;
    if (!isShown && !logged) return;
    let last = { ms: performance.now(), count: count() };
    void every(isShown ? SHOWN_MS : LOGGED_MS, this.#end.signal, () => {
      const now = { ms: performance.now(), count: count() };
      const rate = Math.round((now.count - last.count) / (now.ms - last.ms) * 1000);
      last = now;
      const line = `${text(now.count)}, ${rate} messages/s`;
      if (isShown) log.progress(line);
      else log.info(line);
    });
  }

  [Symbol.dispose](): void {
    this.#end.abort();
  }
}
