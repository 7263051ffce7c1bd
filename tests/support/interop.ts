/**
 * Tests with programs that are not part of this project: which of them a machine has differs, so each test names
 * what it needs and is ignored, with the reason in its output, where that is missing. With
 * `DENOSQ_REQUIRE_INTEROP=1` in the environment a missing one fails the test instead.
 *
 * @module
 */

import { AssertionError } from "@std/assert";

/** Something that a test needs is not on this machine; the message says what. */
export class MissingError extends Error {
  override readonly name = "MissingError";

  /** It could not be had because of `cause`, of which the line that says why becomes part of the message. */
  static because(what: string, cause: unknown): MissingError {
    const lines = (cause instanceof Error ? cause.message : String(cause)).split("\n");
    const reason = lines.find((line) => /\berror\b|dial tcp|no such host/i.test(line)) ?? lines[0];
    return new MissingError(`${what}: ${reason}`, { cause });
  }
}

/** Flags of npm. Without a network it would try for minutes: that is done where what it gets is required, and is no use elsewhere. */
export function npmNetwork(): string[] {
  return ["--prefer-offline", ...isRequired() ? [] : ["--fetch-retries=0", "--fetch-timeout=10000"]];
}

/**
 * A test that first prepares what it needs.
 *
 * `prepare` throws {@linkcode MissingError} for what isn't there, and so may `test`; what `prepare` returns is
 * disposed of in the end.
 */
export function interopTest<T extends AsyncDisposable>(
  name: string,
  prepare: () => Promise<T>,
  test: (prepared: T) => Promise<void>,
): void {
  Deno.test(name, async (context) => {
    try {
      await using prepared = await prepare();
      await test(prepared);
    } catch (error) {
      if (!(error instanceof MissingError) || isRequired()) throw error;
      // A step is what a running test can still report as ignored.
      await context.step({ name: `needs ${error.message}`, ignore: true, fn: () => {} });
    }
  });
}

/** A program that has not ended by then hangs, also a compiler on a machine that runs much else. */
const TIMEOUT_MS = 600_000;

/** What a finished program has written. */
export interface ProgramOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/** How {@linkcode runProgram} starts a program. */
export interface ProgramOptions {
  readonly args?: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What the program reads from its standard input. */
  readonly stdin?: string;
  /** Ends the program and fails after this. @default {TIMEOUT_MS} */
  readonly timeoutMs?: number;
}

/**
 * Runs a program to its end.
 *
 * @throws {MissingError} If there is no such program.
 * @throws {AssertionError} If it fails or takes too long.
 */
export async function runProgram(program: string, options: ProgramOptions = {}): Promise<ProgramOutput> {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), timeoutMs);
  try {
    const child = new Deno.Command(program, {
      args: [...options.args ?? []],
      signal: timeout.signal,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      ...options.cwd && { cwd: options.cwd },
      ...options.env && { env: options.env },
    }).spawn();
    const [{ code, stdout, stderr }] = await Promise.all([child.output(), write(child.stdin, options.stdin)]);
    const output = { stdout: decode(stdout), stderr: decode(stderr) };
    if (timeout.signal.aborted) {
      throw new AssertionError(`${program} took over ${timeoutMs} ms\n${output.stderr}`);
    }
    if (code !== 0) throw new AssertionError(`${program} ended with code ${code}\n${output.stderr}`);
    return output;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new MissingError(program, { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** A temporary folder that is removed when disposed of. */
export class TempFolder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes a new, empty one. */
  static async make(): Promise<TempFolder> {
    return new TempFolder(await Deno.makeTempDir({ prefix: "denosq_interop_" }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

async function write(stdin: WritableStream<Uint8Array>, text = ""): Promise<void> {
  const writer = stdin.getWriter();
  if (text !== "") await writer.write(new TextEncoder().encode(text));
  await writer.close();
}

function isRequired(): boolean {
  return Deno.env.get("DENOSQ_REQUIRE_INTEROP") === "1";
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
