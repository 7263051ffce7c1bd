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
  readonly #output: Output;
  #isEnded = false;

  private constructor(child: Deno.ChildProcess, url: string, output: Output) {
    this.#child = child;
    this.url = url;
    this.#output = output;
  }

  /** Its log so far. */
  get log(): string {
    return this.#output.log;
  }

  /** Starts one on the database that `store` names. @throws {Error} With its log, if it ends instead. */
  static async start(
    store: string,
    args: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<KvInstance> {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", MAIN, "nsqd", `--store=${store}`, "--http-address=127.0.0.1:0", ...args],
      env: { DENO_KV_ACCESS_TOKEN: DENOKV_TOKEN, NO_COLOR: "1", ...env },
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const output = new Output(child.stderr);
    try {
      return new KvInstance(child, await output.listening.promise, output);
    } catch (error) {
      await Promise.all([output.read, child.status]);
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
    await Promise.all([this.#child.status, this.#output.read]);
  }
}

/** What an instance writes, and the address that it tells. */
class Output {
  readonly listening = Promise.withResolvers<string>();
  /** Settles at the end. */
  readonly read: Promise<void>;
  log = "";

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.read = this.#read(stream);
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.log += text;
      const address = /HTTP: listening on (\S+)\n/.exec(this.log)?.[1];
      if (address !== undefined) this.listening.resolve(`http://${address}`);
    }
    this.listening.reject(new Error(`nsqd has ended: ${this.log}`));
  }
}
