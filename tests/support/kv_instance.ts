/**
 * An nsqd on a database, as a process of its own.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { DENOKV_TOKEN } from "./denokv.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));

/** A running instance. */
export class KvInstance implements AsyncDisposable {
  readonly url: string;
  readonly #child: Deno.ChildProcess;
  readonly #logRead: Promise<void>;
  #isEnded = false;

  private constructor(child: Deno.ChildProcess, url: string, logRead: Promise<void>) {
    this.#child = child;
    this.url = url;
    this.#logRead = logRead;
  }

  /** Starts one on the database that `store` names. @throws {Error} With its log, if it ends instead. */
  static async start(store: string, args: readonly string[] = []): Promise<KvInstance> {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", MAIN, "nsqd", `--store=${store}`, "--http-address=127.0.0.1:0", ...args],
      env: { DENO_KV_ACCESS_TOKEN: DENOKV_TOKEN, NO_COLOR: "1" },
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const listening = Promise.withResolvers<string>();
    let log = "";
    const read = async () => {
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
        log += text;
        const address = /HTTP: listening on (\S+)/.exec(log)?.[1];
        if (address !== undefined) listening.resolve(`http://${address}`);
      }
      listening.reject(new Error(`nsqd has ended: ${log}`));
    };
    const logRead = read();
    try {
      return new KvInstance(child, await listening.promise, logRead);
    } catch (error) {
      await Promise.all([logRead, child.status]);
      throw error;
    }
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end("SIGTERM");
  }

  async #end(signal: Deno.Signal): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#child.kill(signal);
    await Promise.all([this.#child.status, this.#logRead]);
  }
}
