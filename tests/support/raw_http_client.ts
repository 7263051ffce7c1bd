/**
 * A client that speaks HTTP by hand, for tests of what no tidy client would send, and of connections.
 *
 * @module
 */

import { EndedError } from "./frames_client.ts";

/** A connection, and what has been received on it. */
export class RawHttpClient implements Disposable {
  readonly #connection: Deno.Conn;
  #text = "";
  #closed = false;

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /** Connects in plain. */
  static async to(server: { readonly port: number | undefined }): Promise<RawHttpClient> {
    return new RawHttpClient(await Deno.connect({ hostname: "127.0.0.1", port: server.port ?? 0 }));
  }

  /** Sends text as it is. */
  async send(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let sent = 0; sent < bytes.length;) sent += await this.#connection.write(bytes.subarray(sent));
  }

  /** Sends no more. */
  endWriting(): Promise<void> {
    return this.#connection.closeWrite();
  }

  /** Ends the connection with a reset where something that came has not been read, and in order otherwise. */
  close(): void {
    this.#closed = true;
    this.#connection.close();
  }

  /** All that comes until the server ends the connection. */
  async rest(): Promise<string> {
    const buffer = new Uint8Array(65_536);
    for (;;) {
      const count = await this.#connection.read(buffer);
      if (count === null) return this.#text;
      this.#text += new TextDecoder().decode(buffer.subarray(0, count));
    }
  }

  /** The next head, with its empty line. */
  head(): Promise<string> {
    return this.#until((text) => {
      const end = text.indexOf("\r\n\r\n");
      return end < 0 ? undefined : end + 4;
    });
  }

  /** The next response: status line and body. */
  async response(): Promise<string> {
    const head = await this.head();
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    const body = await this.#until((text) => text.length >= length ? length : undefined);
    return `${head.split("\r\n")[0]} ${body}`;
  }

  /** True when the server has ended the connection, in order or not. */
  async ended(): Promise<boolean> {
    try {
      return await this.#connection.read(new Uint8Array(1)) === null;
    } catch (error) {
      if (error instanceof Deno.errors.UnexpectedEof) return true;
      if (error instanceof Deno.errors.ConnectionReset) return true;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    if (!this.#closed) this.#connection.close();
  }

  async #until(endIn: (text: string) => number | undefined): Promise<string> {
    const buffer = new Uint8Array(4096);
    for (;;) {
      const end = endIn(this.#text);
      if (end !== undefined) {
        const taken = this.#text.slice(0, end);
        this.#text = this.#text.slice(end);
        return taken;
      }
      const count = await this.#connection.read(buffer);
      if (count === null) throw new EndedError(`ended after ${JSON.stringify(this.#text)}`);
      this.#text += new TextDecoder().decode(buffer.subarray(0, count));
    }
  }
}
