/**
 * Faults in I/O threads of the test's own process.
 *
 * @module
 */

/** The workers that are started in `use`, in that order. */
export async function withWorkers(use: (workers: readonly Worker[]) => Promise<void>): Promise<void> {
  const { Worker } = globalThis;
  const workers: Worker[] = [];
  globalThis.Worker = class extends Worker {
    constructor(...given: ConstructorParameters<typeof Worker>) {
      super(...given);
      workers.push(this);
    }
  };
  try {
    await use(workers);
  } finally {
    globalThis.Worker = Worker;
  }
}

/** A fault as any other: it is told of a certificate that is none. */
export function breakDown(worker: Worker): void {
  worker.postMessage({ server: 1, options: null });
}
