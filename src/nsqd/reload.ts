/**
 * What can be read again while nsqd runs, on SIGHUP or `PUT /config/reload`: all of it or, if anything is wrong, none.
 *
 * @module
 */

import type { Logger } from "../base/logger.ts";

/** Something that was read from files. */
export interface Reloadable {
  /** What it is, for the log and for who has asked. */
  readonly name: string;
  /** Reads it; what is returned puts it in the place of what was there. @throws {Error} Why it cannot be used. */
  readonly prepare: () => () => void;
}

/** Reads it all again. */
export class Reload {
  readonly #logger: Logger;
  readonly #list: readonly Reloadable[];

  constructor(logger: Logger, list: readonly Reloadable[]) {
    this.#logger = logger;
    this.#list = list;
  }

  /**
   * Reads everything again; returns what that was.
   *
   * @throws {Error} Why something cannot be used; nothing has changed then.
   */
  run(): string[] {
    const prepared = this.#list.map(({ name, prepare }) => ({ name, apply: prepare() }));
    for (const { apply } of prepared) apply();
    const names = prepared.map(({ name }) => name);
    this.#logger.info(
      `NSQ: reloaded ${names.length === 0 ? "nothing: there are no such files" : names.join(", ")}`,
    );
    return names;
  }
}
