/**
 * Errors and rejections that nobody has handled, of a process or of a worker: whoever is told of them decides what becomes of it,
 * and nothing is written to the error output besides.
 *
 * @module
 */

/** Reports them, until it is disposed of. */
export class UncaughtFaults implements Disposable {
  readonly #report: (error: unknown) => void;

  constructor(report: (error: unknown) => void) {
    this.#report = report;
    globalThis.addEventListener("error", this.#onError);
    globalThis.addEventListener("unhandledrejection", this.#onRejection);
  }

  [Symbol.dispose](): void {
    globalThis.removeEventListener("error", this.#onError);
    globalThis.removeEventListener("unhandledrejection", this.#onRejection);
  }

  readonly #onError = (event: ErrorEvent): void => {
    event.preventDefault();
    this.#report(event.error);
  };

  readonly #onRejection = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    this.#report(event.reason);
  };
}
