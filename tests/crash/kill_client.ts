/**
 * A connection of protocol V2 to a server that may be killed at any moment: what ends it is an end, never an error.
 *
 * @module
 */

import { type Frame, FrameReader, identify, join, MAGIC } from "../support/frames.ts";

const READ_SIZE = 64 * 1024;

/** A connected client. */
export class KillClient {
  readonly #connection: Deno.Conn;
  readonly #reader = new FrameReader();
  readonly #buffer = new Uint8Array(READ_SIZE);
  /** Writes go out one after the other. */
  #written: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /** Connects to `host:port` and identifies; undefined when the server has gone. */
  static async connect(
    address: string,
    options: { msgTimeoutMs?: number } = {},
  ): Promise<KillClient | undefined> {
    const [hostname, port] = address.split(":");
    let client: KillClient;
    try {
      client = new KillClient(await Deno.connect({ hostname, port: Number(port) }));
    } catch (error) {
      if (isEnd(error)) return undefined;
      throw error;
    }
    // The tests are shorter than any heartbeat.
    client.send(
      MAGIC,
      identify({ heartbeat_interval: 60_000, msg_timeout: options.msgTimeoutMs || undefined }),
    );
    const [answer] = await client.frames() ?? [];
    if (answer?.type === "response") return client;
    client.close();
    if (answer !== undefined) throw new Error(`IDENTIFY was answered by ${JSON.stringify(answer)}`);
    return undefined;
  }

  /** Sends the parts, after what was sent before. */
  send(...parts: readonly (string | Uint8Array)[]): void {
    const bytes = join(...parts);
    this.#written = this.#written.then(() => this.#write(bytes));
  }

  /** The frames that come next, at least one; undefined when the connection has ended. */
  async frames(): Promise<Frame[] | undefined> {
    for (;;) {
      const count = await this.#read();
      if (count === null) return undefined;
      const frames = this.#reader.push(this.#buffer.slice(0, count));
      if (frames.length > 0) return frames;
    }
  }

  /** Ends the connection, at once. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  async #read(): Promise<number | null> {
    try {
      return await this.#connection.read(this.#buffer);
    } catch (error) {
      if (this.#closed || isEnd(error)) return null;
      throw error;
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      for (let sent = 0; sent < bytes.length && !this.#closed;) {
        sent += await this.#connection.write(bytes.subarray(sent));
      }
    } catch (error) {
      // Reading tells that it has ended.
      if (!this.#closed && !isEnd(error)) throw error;
    }
  }
}

/** True for what a client sees of a server that was killed. */
export function isEnd(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionRefused || error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.NotConnected;
}
