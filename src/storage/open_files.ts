/**
 * Files that are open for writing: as many as are written at the same time, not as many as there are topics.
 *
 * @module
 */

/** Segment files that are open for writing at the same time, in all topics: each takes up to two descriptors. */
export const OPEN_FILES_MAX = 128;

/** Has a file open. */
export interface FileHolder {
  /** Ends the writing to it, until the next. */
  closeFile(): void;
}

/** Who has a file open: when there are too many, the one that has had its longest closes it. */
export class OpenFiles {
  readonly #max: number;
  readonly #holders = new Set<FileHolder>();

  constructor(max: number) {
    this.#max = max;
  }

  /** For one more. */
  makeRoom(): void {
    const [first] = this.#holders;
    if (this.#holders.size >= this.#max && first) first.closeFile();
  }

  opened(holder: FileHolder): void {
    this.#holders.add(holder);
  }

  closed(holder: FileHolder): void {
    this.#holders.delete(holder);
  }
}
