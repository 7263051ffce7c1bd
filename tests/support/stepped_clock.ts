/**
 * A machine whose clock is set while a program runs on it: by an operator, by ntpd, or because it was suspended. Only
 * the time of day jumps then; how much time has passed is as clear as before.
 *
 * Run as a program it is this project's own, in which `Date.now()` is off by what a file says.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { runCommand } from "../../src/cli/command.ts";

/** The clock of one child process. */
export class SteppedClock implements Disposable {
  readonly #folder = Deno.makeTempDirSync({ prefix: "denosq_clock_" });
  readonly #file = `${this.#folder}/shift`;

  constructor() {
    this.set(0);
  }

  /** The command line of a program that has this clock, without flags. */
  command(program: string): string[] {
    return [Deno.execPath(), "run", "-A", fileURLToPath(import.meta.url), this.#file, program];
  }

  /** Sets the clock to the right time and so many ms more. */
  set(shiftMs: number): void {
    // Whoever reads it sees the one or the other.
    Deno.writeTextFileSync(`${this.#file}.tmp`, String(shiftMs));
    Deno.renameSync(`${this.#file}.tmp`, this.#file);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

if (import.meta.main) {
  const [file, ...args] = Deno.args;
  const systemNow = Date.now;
  Date.now = () => systemNow() + Number(Deno.readTextFileSync(file));
  Deno.exit(await runCommand({ calledAs: "denosq", args }));
}
