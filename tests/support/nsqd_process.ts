/**
 * Starts an nsqd as a child process, on ports of its own and in a data path of its own, for the tests and
 * benchmarks that must meet a real process: third-party clients, crashes, load. It never starts a server in
 * the test's own process and knows nothing of the protocol beyond the two log lines that tell the ports.
 *
 * The server is ours, unless `DENOSQ_TEST_COMMAND` names another one (a compiled binary, the Go nsqd), for
 * example `DENOSQ_TEST_COMMAND="./denosq nsqd"`.
 * `DENOSQ_TEST_IO_THREADS=2` gives it I/O threads, unless a test
 * has a command line of its own.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { PATIENCE_MS } from "./eventually.ts";
import { testIoThreadsFlags } from "./io_threads.ts";

/** What {@linkcode startNsqd} may be told. */
export interface StartNsqdOptions {
  /** Further flags, such as `--mem-queue-size=100`. */
  readonly args?: readonly string[];
  /** The program and its first arguments; {@linkcode nsqdCommand} by default. */
  readonly command?: readonly string[];
  /** An existing folder, kept afterwards; by default a new one, removed at the end. */
  readonly dataPath?: string;
  /** Variables of its environment, besides those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** How long the server may take until it listens. @default {PATIENCE_MS} */
  readonly startTimeoutMs?: number;
}

/**
 * A running nsqd.
 *
 * Guarantees:
 * - disposing stops it, waits for its end and removes a data path that it made itself;
 * - a server that crashed, or that does not stop with exit code 0, makes the disposal fail, with its log;
 * - {@linkcode NsqdProcess.run} shows the log when, and only when, the work in it fails.
 */
export interface NsqdProcess extends AsyncDisposable {
  /** `host:port` of the TCP protocol. */
  readonly tcpAddress: string;
  /** `host:port` of the HTTP API. */
  readonly httpAddress: string;
  readonly dataPath: string;
  readonly pid: number;
  /** Everything that the server has written to its error output so far. */
  readonly log: string;
  /** Asks the server to end (SIGTERM) and waits; one that takes over `timeoutMs` is killed and reported. */
  stop(options?: { readonly timeoutMs?: number }): Promise<void>;
  /** Ends the server at once (SIGKILL), as a crash would, and waits until it is gone. */
  kill(): Promise<void>;
  /** Does `work`; if that fails, the log goes to the error output before the error goes on. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** The command line of the nsqd under test, without flags. */
export function nsqdCommand(): string[] {
  const given = Deno.env.get("DENOSQ_TEST_COMMAND")?.trim();
  if (given) return given.split(/\s+/);
  return [Deno.execPath(), "run", "-A", fileURLToPath(new URL("../../main.ts", import.meta.url)), "nsqd"];
}

/**
 * Starts an nsqd and waits until it listens on both ports.
 *
 * @throws {Error} If it ends or stays silent instead; the message holds its log.
 */
export async function startNsqd(options: StartNsqdOptions = {}): Promise<NsqdProcess> {
  const dataPath = options.dataPath ?? await Deno.makeTempDir({ prefix: "denosq_nsqd_" });
  let nsqd: ChildNsqd | undefined;
  try {
    nsqd = new ChildNsqd(dataPath, options);
    await nsqd.listening(options.startTimeoutMs ?? PATIENCE_MS);
    return nsqd;
  } catch (error) {
    await nsqd?.kill();
    if (options.dataPath === undefined) await Deno.remove(dataPath, { recursive: true });
    throw error;
  }
}

class ChildNsqd implements NsqdProcess {
  readonly dataPath: string;
  readonly #ownsDataPath: boolean;
  readonly #child: Deno.ChildProcess;
  readonly #logRead: Promise<void>;
  readonly #ports = Promise.withResolvers<void>();
  #log = "";
  #tcpAddress: string | undefined;
  #httpAddress: string | undefined;
  #status: Deno.CommandStatus | undefined;
  #askedToEnd = false;

  constructor(dataPath: string, options: StartNsqdOptions) {
    this.dataPath = dataPath;
    this.#ownsDataPath = options.dataPath === undefined;
    const [program, ...first] = options.command ?? nsqdCommand();
    this.#child = new Deno.Command(program, {
      args: [
        ...first,
        "--tcp-address=127.0.0.1:0",
        "--http-address=127.0.0.1:0",
        // Only where there is a certificate; its usual port is one for all.
        "--https-address=127.0.0.1:0",
        `--data-path=${dataPath}`,
        ...options.command ? [] : testIoThreadsFlags,
        ...options.args ?? [],
      ],
      ...options.env && { env: options.env },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      env: { ...options.env },
    }).spawn();
    this.#logRead = this.#readLog();
  }

  get tcpAddress(): string {
    return known(this.#tcpAddress);
  }

  get httpAddress(): string {
    return known(this.#httpAddress);
  }

  get pid(): number {
    return this.#child.pid;
  }

  get log(): string {
    return this.#log;
  }

  /** Waits for the two log lines that tell the ports. */
  async listening(timeoutMs: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(`did not listen within ${timeoutMs} ms`), timeoutMs);
    });
    const ended = this.#logRead.then(() => this.#child.status).then((status) =>
      `ended with exit code ${status.code} before it listened`
    );
    const problem = await Promise.race([this.#ports.promise, timeout, ended]);
    clearTimeout(timer);
    if (problem) throw new Error(`nsqd ${problem}, its log:\n${excerpt(this.#log)}`);
  }

  async stop(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    const timeoutMs = options.timeoutMs ?? PATIENCE_MS;
    let late = false;
    this.#end("SIGTERM");
    const timer = setTimeout(() => {
      late = true;
      this.#end("SIGKILL");
    }, timeoutMs);
    await this.#gone();
    clearTimeout(timer);
    if (late) throw new Error(`nsqd did not stop within ${timeoutMs} ms, its log:\n${excerpt(this.#log)}`);
  }

  async kill(): Promise<void> {
    this.#end("SIGKILL");
    await this.#gone();
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      console.error(`--- log of nsqd ${this.pid} ---\n${excerpt(this.#log)}--- end of log ---`);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#askedToEnd) return;
      await this.stop();
      const { code } = await this.#child.status;
      if (code !== 0) throw new Error(`nsqd ended with exit code ${code}, its log:\n${excerpt(this.#log)}`);
    } finally {
      await this.#gone();
      if (this.#ownsDataPath) await Deno.remove(this.dataPath, { recursive: true });
    }
  }

  #end(signal: Deno.Signal): void {
    if (this.#status) return;
    this.#askedToEnd = true;
    try {
      this.#child.kill(signal);
    } catch (error) {
      // It ended by itself between two turns of the event loop.
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async #gone(): Promise<void> {
    await this.#logRead;
    await this.#child.status;
  }

  async #readLog(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#log += text;
      if (!this.#tcpAddress || !this.#httpAddress) this.#findPorts();
    }
    this.#status = await this.#child.status;
  }

  #findPorts(): void {
    this.#tcpAddress = /TCP: listening on (\S+)\n/.exec(this.#log)?.[1];
    this.#httpAddress = /HTTP: listening on (\S+)\n/.exec(this.#log)?.[1];
    if (this.#tcpAddress && this.#httpAddress) this.#ports.resolve();
  }
}

function known(address: string | undefined): string {
  if (address === undefined) throw new Error("nsqd does not listen yet");
  return address;
}

/** A server under load may have logged a line for every connection; the ends tell the story. */
function excerpt(log: string): string {
  const lines = log.split("\n");
  return lines.length <= 80 ? log : [...lines.slice(0, 20), "…", ...lines.slice(-60)].join("\n");
}
