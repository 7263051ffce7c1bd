/**
 * One run of `serf agent`: started with a configuration of its own, its lines put into our log, ended on request.
 * That it is started again when it ends is src/cluster/serf_agent.ts's part.
 *
 * Secrets are never on a command line: they are in a configuration file that only our user can read, in a folder
 * that is removed as soon as the agent has read it. Requests are taken on the loopback interface only, and only with
 * a key that is made anew for each run.
 *
 * An agent that outlives us would tell the cluster that we are there when we are not. So, should we be killed, a
 * watcher kills it, as the shell script below says: it sees the end of our pipe, and an orderly end writes a line to
 * that first.
 *
 * @module
 */

import { TextLineStream } from "@std/streams";
import { errorText } from "../base/error_text.ts";
import type { Logger } from "../base/logger.ts";
import type { SerfEndpoint } from "./serf_client.ts";

/** What an agent is started with. */
export interface SerfAgentOptions {
  /** Path of Serf's executable, or its name to be looked for in PATH. */
  readonly executable: string;
  readonly nodeName: string;
  /** `host:port` to listen on for other agents. */
  readonly bindAddress: string;
  /** `host:port` that others reach it at. */
  readonly advertiseAddress: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Base64 of 16, 24 or 32 bytes; "" for no encryption. */
  readonly encryptKey: string;
}

const LOOPBACK = "127.0.0.1";
const AUTH_KEY_SIZE_BYTES = 32;
const FILE_MODE = 0o600;
/** How long other members try to reach one that has failed. */
const RECONNECT_TIMEOUT = "1h";
/** How long an agent that leaves waits for others to hear of it, where there may be none any more. */
const BROADCAST_TIMEOUT = "1s";
/** What an agent says when it takes requests. */
const RUNNING_LINE = "==> Serf agent running!";
/** The rest of a longer line is left out. */
const LINE_LENGTH_MAX = 1000;

/** The watcher runs beside the agent, which takes the place of the shell and so keeps its process id. */
const WATCHED = 'exec 3<&0 </dev/null; (read -r _ <&3 || kill -9 $$) >/dev/null 2>&1 & exec 3<&- "$0" "$@"';
/** Exit codes of a shell that cannot run a program. */
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

/** A run of the agent. */
export class SerfProcess {
  readonly endpoint: SerfEndpoint;
  /** Settles when it has ended, with why. */
  readonly ended: Promise<string>;
  readonly #options: SerfAgentOptions;
  readonly #logger: Logger;
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;
  readonly #running = Promise.withResolvers<"running">();
  #folderRemoved: Promise<void> | undefined;
  #complaint = "";
  #leaving = false;
  #over = false;

  private constructor(
    options: SerfAgentOptions,
    run: { logger: Logger; endpoint: SerfEndpoint; folder: string; child: Deno.ChildProcess },
  ) {
    this.#options = options;
    this.#logger = run.logger;
    this.endpoint = run.endpoint;
    this.#folder = run.folder;
    this.#child = run.child;
    this.ended = this.#watch();
  }

  /**
   * Starts an agent.
   *
   * @throws {Error} If that is not possible.
   */
  static async start(options: SerfAgentOptions, logger: Logger): Promise<SerfProcess> {
    const endpoint = { hostname: LOOPBACK, port: freePort(), authKey: randomKey() };
    const folder = await Deno.makeTempDir({ prefix: "denosq_serf_" });
    try {
      const path = `${folder}/agent.json`;
      const config = JSON.stringify(configOf(options, endpoint, logger.debugs ? "DEBUG" : "INFO"));
      await Deno.writeTextFile(path, config, { mode: FILE_MODE, createNew: true });
      const child = new Deno.Command("sh", {
        args: ["-c", WATCHED, options.executable, "agent", `-config-file=${path}`],
        // In a session of its own, where a terminal's Ctrl-C does not reach it before us.
        detached: true,
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      return new SerfProcess(options, { logger, endpoint, folder, child });
    } catch (error) {
      await Deno.remove(folder, { recursive: true });
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Settles when it takes requests; never if it ends before. */
  get running(): Promise<"running"> {
    return this.#running.promise;
  }

  /** It is made to leave: that others, who may leave as well, do not answer it is no longer a fault. */
  leaving(): void {
    this.#leaving = true;
  }

  /** Makes it leave the cluster and end (`SIGINT`), or just end (`SIGKILL`). */
  signal(signal: "SIGINT" | "SIGKILL"): void {
    if (this.#over) return;
    try {
      this.#child.kill(signal);
    } catch (error) {
      // It ended by itself between two turns of the event loop.
      if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async #watch(): Promise<string> {
    const [status] = await Promise.all([
      this.#child.status,
      this.#readLines(this.#child.stdout, (line) => this.#takeLine(line)),
      this.#readLines(this.#child.stderr, (line) => this.#complain(line)),
    ]);
    this.#over = true;
    await this.#dismissWatcher();
    await this.#removeFolder();
    return this.#reason(status);
  }

  #reason({ code, signal }: Deno.CommandStatus): string {
    const { executable } = this.#options;
    if (code === NOT_FOUND) return `cannot find the executable ${JSON.stringify(executable)} of Serf`;
    if (code === NOT_EXECUTABLE) return `cannot run the executable ${JSON.stringify(executable)} of Serf`;
    const how = signal === null ? `code ${code}` : signal;
    return `agent ended with ${how}${this.#complaint === "" ? "" : ` - ${this.#complaint}`}`;
  }

  async #readLines(
    stream: ReadableStream<Uint8Array<ArrayBuffer>>,
    take: (line: string) => void,
  ): Promise<void> {
    const lines = stream.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
    for await (const line of lines) {
      const text = line.slice(0, LINE_LENGTH_MAX).trim();
      if (text !== "") take(text);
    }
  }

  #takeLine(line: string): void {
    if (line === RUNNING_LINE) {
      this.#running.resolve("running");
      void this.#removeFolder();
    }
    const { level, text } = partsOf(line);
    if (this.#leaving) this.#logger.debug(`SERF: ${text}`);
    else if (level === "ERR") this.#complain(text);
    else if (level === "WARN") this.#logger.warn(`SERF: ${text}`);
    else this.#logger.debug(`SERF: ${text}`);
  }

  #complain(text: string): void {
    this.#complaint = text.replace(/^==> /, "");
    this.#logger.error(`SERF: ${this.#complaint}`);
  }

  /** The line tells the watcher that there is nothing left to kill: the id may belong to another process by now. */
  async #dismissWatcher(): Promise<void> {
    const writer = this.#child.stdin.getWriter();
    try {
      await writer.write(Uint8Array.of(0x0a));
      await writer.close();
    } catch (error) {
      // A service manager may have ended the watcher together with the agent.
      if (error instanceof Deno.errors.BrokenPipe) return;
      this.#logger.warn(`SERF: cannot end the watcher of an agent - ${errorText(error)}`);
    }
  }

  #removeFolder(): Promise<void> {
    return this.#folderRemoved ??= this.#remove();
  }

  async #remove(): Promise<void> {
    try {
      await Deno.remove(this.#folder, { recursive: true });
    } catch (error) {
      this.#logger.error(`SERF: cannot remove the configuration of an agent - ${errorText(error)}`);
    }
  }
}

function configOf(options: SerfAgentOptions, endpoint: SerfEndpoint, logLevel: string): unknown {
  return {
    node_name: options.nodeName,
    bind: options.bindAddress,
    advertise: options.advertiseAddress,
    tags: options.tags,
    ...options.encryptKey !== "" && { encrypt_key: options.encryptKey },
    rpc_addr: `${endpoint.hostname}:${endpoint.port}`,
    rpc_auth: endpoint.authKey,
    log_level: logLevel,
    reconnect_timeout: RECONNECT_TIMEOUT,
    broadcast_timeout: BROADCAST_TIMEOUT,
    leave_on_terminate: true,
  };
}

/** A port that is free now. Serf cannot choose one itself; should another process be faster, it is started again. */
function freePort(): number {
  using listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
  return listener.addr.port;
}

function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(AUTH_KEY_SIZE_BYTES));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A line such as `2024/01/31 23:59:59 [INFO] agent: …`, taken apart; others have no level. */
function partsOf(line: string): { level: string; text: string } {
  const [, level = "", text = line] = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[(\w+)\] (.*)$/s.exec(line) ?? [];
  return { level, text };
}
