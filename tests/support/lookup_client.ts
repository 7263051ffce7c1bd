/**
 * A client of nsqlookupd's TCP protocol on a real socket, with nothing between it and the bytes.
 *
 * @module
 */

import { AssertionError } from "@std/assert";
import { PATIENCE_MS } from "./eventually.ts";
import { bytesOf, join } from "./frames.ts";
import { EndedError } from "./frames_client.ts";
import { LOOKUP_MAGIC, LookupAnswerReader } from "./lookup_frames.ts";

const READ_SIZE = 64 * 1024;

/** A connected client. */
export class LookupClient implements Disposable {
  readonly #connection: Deno.Conn;
  readonly #reader = new LookupAnswerReader();
  readonly #answers: string[] = [];
  readonly #buffer = new Uint8Array(READ_SIZE);
  #closed = false;

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /** Connects to `host:port`, and sends the magic. */
  static async connect(address: string, options: { readonly magic?: string } = {}): Promise<LookupClient> {
    const [hostname, port] = address.split(":");
    const client = new LookupClient(await Deno.connect({ hostname, port: Number(port) }));
    await client.send(options.magic ?? LOOKUP_MAGIC);
    return client;
  }

  /** Sends all of the parts. */
  async send(...parts: readonly (string | Uint8Array)[]): Promise<void> {
    const bytes = join(...parts.map(bytesOf));
    for (let sent = 0; sent < bytes.length;) sent += await this.#connection.write(bytes.subarray(sent));
  }

  /** Sends the parts and returns the next answer. */
  async ask(...parts: readonly (string | Uint8Array)[]): Promise<string> {
    await this.send(...parts);
    const [answer] = await this.answers(1);
    return answer;
  }

  /** The next answers. */
  async answers(count: number): Promise<string[]> {
    while (this.#answers.length < count) {
      if (!await this.#read()) {
        throw new EndedError(`The connection has ended, ${count} answers were expected`);
      }
    }
    return this.#answers.splice(0, count);
  }

  /** All answers up to the end of the connection, which is to come. */
  async rest(): Promise<string[]> {
    while (await this.#read());
    return this.#answers.splice(0);
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  /** False at the end. */
  async #read(): Promise<boolean> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this[Symbol.dispose]();
    }, PATIENCE_MS);
    try {
      const count = await this.#connection.read(this.#buffer);
      if (count === null) return false;
      this.#answers.push(...this.#reader.push(this.#buffer.subarray(0, count)));
      return true;
    } catch (error) {
      if (late) throw new AssertionError(`Nothing came within ${PATIENCE_MS} ms`);
      // Whoever closes a connection of which not all has been read resets it.
      if (error instanceof Deno.errors.ConnectionReset) return false;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}
