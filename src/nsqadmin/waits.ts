/**
 * How long a page waits for what it could do without: whoever looks at it is not to wait for one node that hangs, or for what
 * takes long.
 *
 * @module
 */

/** In ms. */
export interface Waits {
  /** For a node, by a round of the poller and by pages. */
  readonly lateMs: number;
  /** The same for one that did not answer the time before. */
  readonly doubtfulMs: number;
  /** For many changes that were asked for at once: they go on behind the page. */
  readonly bulkMs: number;
}

/** As they are unless a test has others; there are no flags for them. */
export const WAITS: Waits = { lateMs: 1000, doubtfulMs: 100, bulkMs: 1000 };
