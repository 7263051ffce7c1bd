/**
 * An nsqlookupd as a child process, ours or Go's, that can be killed and started again where it was, for the tests of
 * several daemons together.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { PATIENCE_MS } from "./eventually.ts";
import { MissingError } from "./interop.ts";
import { freePort } from "./ports.ts";

/** The command line of our nsqlookupd, without flags. */
export const OUR_LOOKUPD: readonly string[] = [
  ...[Deno.execPath(), "run", "-A", fileURLToPath(new URL("../../main.ts", import.meta.url)), "nsqlookupd"],
];

/**
 * The command line of Go's. The environment variable `NSQ_BIN` names the folder of NSQ's programs.
 *
 * @throws {MissingError} If there is none.
 */
export function goLookupd(): readonly string[] {
  const folder = Deno.env.get("NSQ_BIN");
  if (!folder) throw new MissingError("the environment variable NSQ_BIN, the folder of NSQ's programs");
  return [`${folder}/nsqlookupd`];
}

/** What an nsqlookupd tells; nsqds are named by their TCP ports, which differ on one machine. */
export interface View {
  readonly nodes: readonly number[];
  /** Names of the channels, and the nsqds, of each topic. */
  readonly topics: Readonly<Record<string, readonly [channels: readonly string[], nodes: readonly number[]]>>;
}

/** A running nsqlookupd, on ports of its own. */
export class LookupdProcess implements AsyncDisposable {
  readonly #command: readonly string[];
  /** `host:port` of the TCP protocol; the port is none that others are given before it is started again. */
  readonly tcpAddress = `127.0.0.1:${freePort()}`;
  /** `host:port` of the HTTP API, in the same way. */
  readonly httpAddress = `127.0.0.1:${freePort()}`;
  #child: Deno.ChildProcess | undefined;
  #logRead: Promise<void> | undefined;
  #log = "";

  private constructor(command: readonly string[]) {
    this.#command = command;
  }

  /** Starts one and waits until it listens. */
  static async start(command: readonly string[] = OUR_LOOKUPD): Promise<LookupdProcess> {
    const lookupd = new LookupdProcess(command);
    try {
      await lookupd.startAgain();
      return lookupd;
    } catch (error) {
      await lookupd[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Ends it at once, as a crash would, and waits until it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#child = undefined;
    child.kill("SIGKILL");
    await this.#logRead;
    await child.status;
  }

  /** Starts it again, on the ports that it had. */
  async startAgain(): Promise<void> {
    const [program, ...first] = this.#command;
    const flags = [
      `--tcp-address=${this.tcpAddress}`,
      `--http-address=${this.httpAddress}`,
      "--broadcast-address=127.0.0.1",
    ];
    const stdio = { stdin: "null", stdout: "null", stderr: "piped" } as const;
    this.#log = "";
    const child = new Deno.Command(program, { args: [...first, ...flags], ...stdio }).spawn();
    this.#child = child;
    const listens = Promise.withResolvers<void>();
    this.#logRead = this.#readLog(child, listens);
    const timer = setTimeout(() => listens.reject(new Error("nsqlookupd does not listen")), PATIENCE_MS);
    try {
      await listens.promise;
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}, its log:\n${this.#log}`);
    } finally {
      clearTimeout(timer);
    }
  }

  /** What it tells now, or undefined if it does not answer. */
  async view(): Promise<View | undefined> {
    try {
      const { producers } = await this.#json<Nodes>("/nodes");
      const { topics } = await this.#json<{ readonly topics: readonly string[] }>("/topics");
      const entries = await Promise.all(
        [...topics].sort().map(async (topic) => {
          const { channels, producers } = await this.#json<Nodes & { readonly channels: readonly string[] }>(
            `/lookup?topic=${encodeURIComponent(topic)}`,
          );
          return [topic, [[...channels].sort(), portsOf(producers)]] as const;
        }),
      );
      return { nodes: portsOf(producers), topics: Object.fromEntries(entries) };
    } catch (error) {
      if (error instanceof TypeError) return undefined;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #json<T>(target: string): Promise<T> {
    return await (await fetch(`http://${this.httpAddress}${target}`)).json();
  }

  async #readLog(child: Deno.ChildProcess, listens: PromiseWithResolvers<void>): Promise<void> {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#log += text;
      if (/TCP: listening on/.test(this.#log) && /HTTP: listening on/.test(this.#log)) listens.resolve();
    }
    await child.status;
    if (this.#child === child) this.#child = undefined;
    listens.reject(new Error("nsqlookupd ended before it listened"));
  }
}

interface Nodes {
  readonly producers: readonly { readonly tcp_port: number }[];
}

function portsOf(producers: Nodes["producers"]): number[] {
  return producers.map(({ tcp_port }) => tcp_port).sort((a, b) => a - b);
}
