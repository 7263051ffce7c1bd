/**
 * Work that many ask for and that is done once for all of them: syncing a file, saving a state.
 *
 * @module
 */

/**
 * Runs asynchronous work, one run at a time. Who asks while one runs shares the next with all others who do: the one
 * that runs may have begun too early for them.
 *
 * @example
 * ```ts
 * const sync = new SharedRun(() => file.syncData());
 * await Promise.all([sync.request(), sync.request(), sync.request()]); // syncs twice
 * ```
 */
export class SharedRun {
  readonly #work: () => Promise<void>;
  readonly #failsAll: boolean;
  readonly #before: () => Promise<void> | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;
  #running: Promise<void> | undefined;

  /**
   * With `failsAll`, a run that fails does so for those who wait for the next one, too. What `before` returns is waited for
   * before a run begins: others may come, to share it. It never rejects.
   */
  constructor(
    work: () => Promise<void>,
    { failsAll = false, before = atOnce }: { failsAll?: boolean; before?: () => Promise<void> | undefined } =
      {},
  ) {
    // Async, so that what throws at once is no special case.
    this.#work = async () => await work();
    this.#failsAll = failsAll;
    this.#before = before;
  }

  /** True while the work is being done, or is about to be. */
  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /**
   * Settles as the first run does that begins after the call. When none is running it begins at once, or when `before` has
   * settled. Who asks needs not wait: a rejection that nobody hears of is for the work to report.
   */
  request(): Promise<void> {
    if (!this.#waiting) {
      this.#waiting = Promise.withResolvers();
      this.#waiting.promise.catch(unheard);
    }
    const { promise } = this.#waiting;
    this.#running ??= this.#run();
    return promise;
  }

  /** Settles when nothing runs, and nobody waits. Never rejects. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting) {
      const before = this.#before();
      if (before) await before;
      const waiting = this.#takeWaiting();
      try {
        await this.#work();
        waiting?.resolve();
      } catch (error) {
        waiting?.reject(error);
        if (this.#failsAll) this.#takeWaiting()?.reject(error);
      }
    }
    this.#running = undefined;
  }

  #takeWaiting(): PromiseWithResolvers<void> | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }
}

function atOnce(): undefined {
  return undefined;
}

function unheard(): void {
  // See request().
}
