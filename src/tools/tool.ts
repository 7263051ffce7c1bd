/**
 * The frame that every tool runs in: its command line is read, signals stop it in order, what goes wrong becomes a line
 * for a person and an exit code. A tool itself never ends the process and knows no other way out than its streams.
 *
 * | exit code | |
 * | --- | --- |
 * | 0 | it has done what it was to do, or was stopped by SIGINT or SIGTERM |
 * | 1 | it has failed, or flags contradict each other |
 * | 2 | a flag is unknown, or its value is none |
 * | 124 | the time of `--timeout` was over, as with timeout(1) |
 *
 * @module
 */

import type { ByteTarget } from "../base/line_writer.ts";
import { errorText } from "../base/error_text.ts";
import { type Loaded, loadOptions } from "../config/load.ts";
import { OptionError, type OptionsOf, type OptionTable } from "../config/option.ts";
import { ToolLog } from "./tool_log.ts";

/** How a tool has ended. */
export type ExitCode = 0 | 1 | 2 | 124;

/** Why a tool cannot do what it was to do, in words for whoever runs it. */
export class ToolError extends Error {
  override readonly name = "ToolError";
  /** The exit code. */
  readonly code: ExitCode;

  constructor(message: string, options: ErrorOptions & { readonly code?: ExitCode } = {}) {
    super(message, options);
    this.code = options.code ?? 1;
  }
}

/** What bytes are read from; null when there are no more. */
export interface ByteSource {
  read(into: Uint8Array): Promise<number | null>;
}

/** What a tool runs in; tests stand in for it. */
export interface ToolWorld {
  readonly stdin: ByteSource & { isTerminal(): boolean };
  readonly stdout: ByteTarget & { isTerminal(): boolean };
  readonly stderr: ByteTarget & { isTerminal(): boolean };
  readonly listen: (signal: Deno.Signal, listener: () => void) => void;
  readonly unlisten: (signal: Deno.Signal, listener: () => void) => void;
  /** Ends the process at once. */
  readonly exit: (code: number) => void;
}

/** What a tool is given. */
export interface ToolContext {
  readonly world: ToolWorld;
  readonly log: ToolLog;
  /** Aborts when the tool is to stop in order. */
  readonly stop: AbortSignal;
  /** Listens to another signal until the tool has ended. */
  readonly onSignal: (signal: Deno.Signal, listener: () => void) => void;
  /** Arguments behind the flags, of which the tools of NSQ take none. */
  readonly rest: Loaded<unknown>["rest"];
}

/** A tool. */
export interface Tool<Table extends OptionTable> {
  readonly name: string;
  readonly table: Table;
  /**
   * Does what it does; the result is the exit code.
   *
   * @throws {ToolError} Why it cannot.
   */
  run(options: OptionsOf<Table>, context: ToolContext): Promise<ExitCode>;
}

const WORLD: ToolWorld = {
  stdin: Deno.stdin,
  stdout: Deno.stdout,
  stderr: Deno.stderr,
  listen: Deno.addSignalListener,
  unlisten: Deno.removeSignalListener,
  exit: Deno.exit,
};

/** Runs a tool to its end; the result is the exit code. */
export async function runTool<Table extends OptionTable>(
  tool: Tool<Table>,
  args: readonly string[],
  world: ToolWorld = WORLD,
): Promise<number> {
  const log = new ToolLog({ target: world.stderr, isTerminal: world.stderr.isTerminal(), quiet: false });
  using signals = new ToolSignals(world);
  try {
    return await runArgs(tool, args, { world, log, signals });
  } catch (error) {
    if (error instanceof OptionError) {
      log.plain(`${tool.name}: ${error.message}`);
      log.plain(`${tool.name} --help lists the flags.`);
      return 2;
    }
    if (error instanceof ToolError) {
      log.error(error.message);
      return error.code;
    }
    // A fault of the tool's own: where it is helps whoever mends it.
    log.error(errorText(error));
    if (error instanceof Error && error.stack) {
      for (const line of error.stack.split("\n")) log.plain(line);
    }
    return 1;
  } finally {
    await log.flush();
  }
}

async function runArgs<Table extends OptionTable>(
  { name, table, run }: Tool<Table>,
  args: readonly string[],
  { world, log, signals }: { world: ToolWorld; log: ToolLog; signals: ToolSignals },
): Promise<number> {
  const start = loadOptions(name, table, args);
  if (start.kind === "exit") {
    await writeAll(world.stdout, new TextEncoder().encode(`${start.text}\n`));
    return start.code;
  }
  log.quiet = start.options.quiet === true;
  for (const warning of start.warnings) log.info(warning);
  const onSignal = (signal: Deno.Signal, listener: () => void) => signals.on(signal, listener);
  return await run(start.options, { world, log, stop: signals.stop, onSignal, rest: start.rest });
}

/** Writes all the bytes. */
export async function writeAll(target: ByteTarget, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await target.write(bytes.subarray(at));
}

/** Settles when the signal aborts. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** What signals mean: INT and TERM stop in order, INT once more ends at once. Others do what they always do. */
class ToolSignals implements Disposable {
  readonly #world: ToolWorld;
  readonly #stop = new AbortController();
  readonly #listeners: [Deno.Signal, () => void][] = [];

  constructor(world: ToolWorld) {
    this.#world = world;
    this.on("SIGTERM", () => this.#stop.abort());
    this.on("SIGINT", () => {
      if (this.stop.aborted) this.#world.exit(130);
      this.#stop.abort();
    });
  }

  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  on(signal: Deno.Signal, listener: () => void): void {
    this.#world.listen(signal, listener);
    this.#listeners.push([signal, listener]);
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) this.#world.unlisten(signal, listener);
  }
}
