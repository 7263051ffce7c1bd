/**
 * A client of protocol V2 over a WebSocket.
 *
 * @module
 */

import { type Frame, FrameReader, join, MAGIC } from "./frames.ts";

/** One WebSocket. */
export class SocketClient implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #reader = new FrameReader();
  readonly #frames: Frame[] = [];
  #arrival = Promise.withResolvers<void>();
  /** Settles with the code when it is closed. */
  readonly closed: Promise<number>;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.closed = promise;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
      this.#frames.push(...this.#reader.push(new Uint8Array(data)));
      this.#arrival.resolve();
    };
    socket.onclose = ({ code }) => {
      resolve(code);
      this.#arrival.resolve();
    };
  }

  /** Opens one at the URL of an HTTP API, and says the magic. Rejects when it does not open. */
  static async open(
    url: string,
    options: { readonly protocols?: string[]; readonly headers?: Record<string, string> } = {},
  ): Promise<SocketClient> {
    const { protocols = ["nsq.v2"], headers = {} } = options;
    const socket = new WebSocket(`${url.replace("http", "ws")}/v2`, { protocols, headers });
    const client = new SocketClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = () => reject(new Error("The WebSocket does not open"));
    });
    client.send(MAGIC);
    return client;
  }

  /** Sends bytes, as one message. */
  send(...parts: readonly (string | Uint8Array)[]): void {
    this.#socket.send(join(...parts));
  }

  /** The next frame; rejects at the end. */
  async next(): Promise<Frame> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) return frame;
      if (this.#socket.readyState === WebSocket.CLOSED) throw new Error("The WebSocket is closed");
      this.#arrival = Promise.withResolvers();
      await this.#arrival.promise;
    }
  }

  /** Sends, and waits for one frame. */
  ask(...parts: readonly (string | Uint8Array)[]): Promise<Frame> {
    this.send(...parts);
    return this.next();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.closed;
  }
}
