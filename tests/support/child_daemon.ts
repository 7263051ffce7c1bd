/**
 * Runs a daemon, ours or another's, as a child process whose log is read as it comes. Knows nothing of what it does.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { AssertionError } from "@std/assert";
import { eventually } from "./eventually.ts";
import { testIoThreadsFlags } from "./io_threads.ts";

/** The command line of one of this project's programs, without flags. */
export function programCommand(program: string): string[] {
  const main = fileURLToPath(new URL("../../main.ts", import.meta.url));
  return [Deno.execPath(), "run", "-A", main, program, ...program === "nsqd" ? testIoThreadsFlags : []];
}

/** A daemon that is driven hard writes more than a string can hold. */
const LOG_LENGTH_MAX = 2 ** 26;

/** A daemon as a child process; disposing kills it. */
export class ChildDaemon implements AsyncDisposable {
  /** What it has written to its error output so far, the last of it if that is very much. */
  log = "";
  readonly pid: number;
  readonly #child: Deno.ChildProcess;
  readonly #logRead: Promise<void>;

  constructor(
    [program, ...args]: readonly string[],
    { env, cwd }: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
  ) {
    const given = { ...env && { env }, ...cwd && { cwd } };
    const options = { ...given, args, stdin: "null", stdout: "null", stderr: "piped" } as const;
    this.#child = new Deno.Command(program, options).spawn();
    this.pid = this.#child.pid;
    this.#logRead = this.#readLog();
  }

  /** Sends it a signal, if it has not ended. */
  kill(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Waits for whole lines of the log to match; the first group of the match is the result. */
  async logged(pattern: RegExp): Promise<string> {
    try {
      return await eventually(`log line ${pattern}`, () => {
        // It comes in pieces, which may end within a number.
        return pattern.exec(this.log.slice(0, this.log.lastIndexOf("\n") + 1))?.[1];
      });
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error;
      throw new AssertionError(`${error.message}\n${this.log}`);
    }
  }

  /** Waits for its end; the exit code is the result. */
  async ended(): Promise<number> {
    await this.#logRead;
    return (await this.#child.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.ended();
  }

  async #readLog(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.log += text;
      if (this.log.length > LOG_LENGTH_MAX) this.log = lastLines(this.log, LOG_LENGTH_MAX / 2);
    }
  }
}

function lastLines(text: string, length: number): string {
  return text.slice(text.indexOf("\n", text.length - length) + 1);
}
