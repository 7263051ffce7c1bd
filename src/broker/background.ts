/**
 * Work that is long and can wait, in steps that are short: what an operator has deleted or emptied is taken apart this way,
 * while everybody else has their turns.
 *
 * @module
 */

/** Does pieces of work, each in steps, in turn. */
export class Background {
  readonly #othersFirst: () => Promise<void>;
  readonly #onFault: (error: unknown) => void;
  readonly #work: Generator<void>[] = [];
  /** What others do that is part of it. */
  readonly #others = new Set<Promise<void>>();
  #running: Promise<void> | undefined;

  /** `othersFirst` settles when others have had their turn; `onFault` is told of what a step throws. */
  constructor(options: { othersFirst: () => Promise<void>; onFault: (error: unknown) => void }) {
    this.#othersFirst = options.othersFirst;
    this.#onFault = options.onFault;
  }

  /** Pieces of work that are not done. */
  get size(): number {
    return this.#work.length + this.#others.size;
  }

  /** Does the first step at once, and the others later. */
  add(work: Generator<void>): void {
    if (work.next().done) return;
    this.#work.push(work);
    this.#running ??= this.#run();
  }

  /** Counts something in that goes on by itself; it must not reject. */
  include(other: Promise<void>): void {
    this.#others.add(other);
    void other.finally(() => this.#others.delete(other));
  }

  /** Settles when all is done. */
  async idle(): Promise<void> {
    while (this.size > 0) await Promise.all([this.#running, ...this.#others]);
  }

  async #run(): Promise<void> {
    for (let work = this.#work[0]; work; work = this.#work[0]) {
      await this.#othersFirst();
      let isDone = true;
      try {
        isDone = work.next().done ?? false;
      } catch (error) {
        this.#onFault(error);
      }
      this.#work.shift();
      if (!isDone) this.#work.push(work);
    }
    this.#running = undefined;
  }
}
