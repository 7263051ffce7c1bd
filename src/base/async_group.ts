/**
 * A group of named, tracked tasks: every listener and loop of a program runs in one, so no promise floats
 * and none is lost. The TypeScript relative of NSQ's `WaitGroupWrapper` (internal/util/wait_group_wrapper.go).
 *
 * Guarantees:
 * - a task that fails aborts the group's signal at once and is reported, by name, by {@linkcode AsyncGroup.failed}
 *   and {@linkcode AsyncGroup.wait};
 * - `wait()` settles only when every task has settled, tasks spawned meanwhile included;
 * - a task's rejection is never an unhandled one.
 *
 * @module
 */

import { errorText } from "./error_text.ts";

/** A task of a group failed; `cause` is what it threw. */
export class TaskError extends Error {
  override readonly name = "TaskError";
  /** The name that the task was spawned with. */
  readonly task: string;

  constructor(task: string, cause: unknown) {
    super(`Task "${task}" failed: ${errorText(cause)}`, { cause });
    this.task = task;
  }
}

/** `wait()` ran out of time; `running` names the tasks that had not settled. */
export class TasksStillRunningError extends Error {
  override readonly name = "TasksStillRunningError";
  readonly running: readonly string[];

  constructor(timeoutMs: number, running: readonly string[]) {
    super(`Tasks still running after ${timeoutMs} ms: ${running.join(", ")}`);
    this.running = running;
  }
}

/**
 * Named tasks with one shared abort signal.
 *
 * @example Run two loops and stop them
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { AsyncGroup } from "./async_group.ts";
 *
 * await using group = new AsyncGroup();
 * group.spawn("loop", (signal) => new Promise<void>((done) => signal.addEventListener("abort", () => done())));
 * assertEquals(group.running, ["loop"]);
 * ```
 */
export class AsyncGroup implements AsyncDisposable {
  readonly #controller = new AbortController();
  readonly #tasks = new Map<symbol, { name: string; done: Promise<void> }>();
  readonly #failed = Promise.withResolvers<TaskError>();
  #failure: TaskError | undefined;

  /** Aborted when the group is asked to stop, or when a task fails. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Names of the tasks that have not settled yet, in the order they were spawned. */
  get running(): string[] {
    return [...this.#tasks.values()].map((task) => task.name);
  }

  /** Settles with the first failure of a task, and never without one. */
  get failed(): Promise<TaskError> {
    return this.#failed.promise;
  }

  /** Starts a task. It should end soon after `signal` aborts. */
  spawn(name: string, run: (signal: AbortSignal) => Promise<unknown> | void): void {
    const key = Symbol(name);
    // The async wrapper turns a synchronous throw into a rejection of the tracked promise.
    const done = (async () => await run(this.signal))().then(
      () => {},
      (cause) => this.#fail(new TaskError(name, cause)),
    ).finally(() => this.#tasks.delete(key));
    this.#tasks.set(key, { name, done });
  }

  /** Asks every task to end. */
  abort(reason?: unknown): void {
    this.#controller.abort(reason);
  }

  /**
   * Waits until every task has settled.
   *
   * @throws {TaskError} The first failure, after all tasks have settled.
   * @throws {TasksStillRunningError} If `timeoutMs` pass first.
   */
  async wait(options: { timeoutMs?: number } = {}): Promise<void> {
    const { timeoutMs } = options;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<"timeout">((resolve) => {
      if (timeoutMs !== undefined) timer = setTimeout(() => resolve("timeout"), timeoutMs);
    });
    try {
      while (this.#tasks.size > 0) {
        const all = Promise.all([...this.#tasks.values()].map((task) => task.done));
        if (await Promise.race([all, timeout]) === "timeout") {
          throw new TasksStillRunningError(timeoutMs ?? 0, this.running);
        }
      }
    } finally {
      clearTimeout(timer);
    }
    if (this.#failure) throw this.#failure;
  }

  /** Asks every task to end and waits for that. */
  async stop(options: { timeoutMs?: number } = {}): Promise<void> {
    this.abort();
    await this.wait(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #fail(error: TaskError): void {
    if (!this.#failure) {
      this.#failure = error;
      this.#failed.resolve(error);
    }
    this.abort(error);
  }
}
