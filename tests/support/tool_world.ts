/**
 * What a tool runs in, in a test's own process: streams that the test fills and reads, and signals that it sends.
 *
 * @module
 */

import type { OptionTable } from "../../src/config/option.ts";
import { runTool, type Tool, type ToolWorld } from "../../src/tools/tool.ts";

/** The world of one run of a tool. */
export class FakeToolWorld implements ToolWorld {
  /** What was written to standard output. */
  out = "";
  /** The same, as bytes. */
  readonly outBytes: number[] = [];
  /** What was written to standard error. */
  err = "";
  /** The exit codes of those who have ended the process at once. */
  readonly exits: number[] = [];
  readonly stdin: ToolWorld["stdin"];
  readonly stdout: ToolWorld["stdout"];
  readonly stderr: ToolWorld["stderr"];
  readonly #listeners = new Map<Deno.Signal, Set<() => void>>();

  constructor(options: {
    /** All that can be read. */
    readonly stdin?: string | Uint8Array;
    /** Or where it is read from. */
    readonly read?: (into: Uint8Array) => Promise<number | null>;
    /** Which streams are terminals. */
    readonly terminals?: readonly ("stdin" | "stdout" | "stderr")[];
    /** Takes what is written to standard output, in place of `out`. */
    readonly write?: (bytes: Uint8Array) => Promise<number>;
  } = {}) {
    const { stdin = "", terminals = [] } = options;
    let unread = typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin;
    const isTerminal = (stream: "stdin" | "stdout" | "stderr") => () => terminals.includes(stream);
    this.stdin = {
      isTerminal: isTerminal("stdin"),
      read: options.read ?? ((into) => {
        const piece = unread.subarray(0, into.length);
        unread = unread.subarray(piece.length);
        into.set(piece);
        return Promise.resolve(piece.length === 0 ? null : piece.length);
      }),
    };
    this.stdout = {
      isTerminal: isTerminal("stdout"),
      write: options.write ?? ((bytes) => {
        for (const byte of bytes) this.outBytes.push(byte);
        this.out += new TextDecoder().decode(bytes);
        return Promise.resolve(bytes.length);
      }),
    };
    this.stderr = {
      isTerminal: isTerminal("stderr"),
      write: (bytes) => {
        this.err += new TextDecoder().decode(bytes);
        return Promise.resolve(bytes.length);
      },
    };
  }

  /** Lines on standard error without the time that they begin with. */
  get errLines(): string[] {
    return this.err.split("\n").filter((line) => line !== "").map((line) =>
      line.replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /, "")
    );
  }

  /** True when the tool listens to that signal. */
  listensTo(signal: Deno.Signal): boolean {
    return (this.#listeners.get(signal)?.size ?? 0) > 0;
  }

  /** Sends a signal. */
  send(signal: Deno.Signal): void {
    for (const listener of [...this.#listeners.get(signal) ?? []]) listener();
  }

  /** Runs a tool to its end. */
  run<Table extends OptionTable>(tool: Tool<Table>, ...args: string[]): Promise<number> {
    return runTool(tool, args, this);
  }

  readonly listen = (signal: Deno.Signal, listener: () => void): void => {
    const listeners = this.#listeners.get(signal) ?? new Set();
    this.#listeners.set(signal, listeners.add(listener));
  };

  readonly unlisten = (signal: Deno.Signal, listener: () => void): void => {
    this.#listeners.get(signal)?.delete(listener);
  };

  readonly exit = (code: number): void => {
    this.exits.push(code);
  };
}
