/**
 * Runs a command for each file that is complete, one after the other.
 *
 * @module
 */

import type { Logger } from "../../base/logger.ts";

/** Files that are complete. */
export class CompletedFiles {
  readonly #command: string;
  readonly #log: Logger;
  #last: Promise<void> = Promise.resolve();

  /** @param command One of the shell, which finds the path in `$1`; empty for none. */
  constructor(command: string, log: Logger) {
    this.#command = command;
    this.#log = log;
  }

  /** A file is complete. */
  add(path: string): void {
    if (this.#command === "") return;
    this.#last = this.#last.then(() => this.#run(path));
  }

  /** Settles when the commands have ended that were begun. */
  async idle(): Promise<void> {
    await this.#last;
  }

  async #run(path: string): Promise<void> {
    try {
      const command = new Deno.Command("sh", {
        args: ["-c", this.#command, "nsq_to_file", path],
        stdin: "null",
        stdout: "inherit",
        stderr: "inherit",
      });
      const { code } = await command.spawn().status;
      if (code !== 0) this.#log.error(`--on-complete ended with exit code ${code} for ${path}`);
    } catch (error) {
      this.#log.error(`--on-complete cannot be run for ${path}: ${(error as Error).message}`);
    }
  }
}
