/**
 * A WebSocket of the runtime as a stream of bytes, where the runtime serves HTTP (deno_serve.ts). It has no word for "there
 * is room again": while too much waits to be sent, it is looked at every few ms.
 *
 * @module
 */
import type { Connection } from "../net/connection.ts";

/** Above so many bytes that wait to be sent, whoever writes waits. */
const BUFFERED_MAX = 256 * 1024;
const LOOK_INTERVAL_MS = 5;
/** Bytes that have come and have not been read, above which the client is told to go: the runtime cannot be told to wait. */
export const UNREAD_MAX = 16 * 1024 * 1024;
/** Why a WebSocket is closed (RFC 6455, 7.4.1). */
const CLOSE = { normal: 1000, unsupported: 1003, tooBig: 1009 } as const;

/** A WebSocket of the runtime. */
export class RuntimeSocket implements Connection {
  readonly peer: string;
  readonly #socket: WebSocket;
  readonly #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #ended = false;
  readonly #opened = Promise.withResolvers<void>();
  /** Settles when something has come, or the end. */
  #arrival = Promise.withResolvers<void>();

  constructor(socket: WebSocket, peer: string) {
    this.peer = peer;
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened.resolve();
    socket.onmessage = ({ data }) => this.#received(data);
    // Every error is followed by the end.
    socket.onerror = () => {};
    socket.onclose = () => this.#end();
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#unread.length === 0) {
      if (this.#ended) return null;
      await this.#arrival.promise;
      this.#arrival = Promise.withResolvers();
    }
    const [first] = this.#unread;
    const part = first.subarray(0, buffer.length);
    buffer.set(part);
    this.#unreadBytes -= part.length;
    if (part.length === first.length) this.#unread.shift();
    else this.#unread[0] = first.subarray(part.length);
    return part.length;
  }

  async write(bytes: Uint8Array): Promise<number> {
    await this.#opened.promise;
    while (!this.#ended && this.#socket.bufferedAmount >= BUFFERED_MAX) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS));
    }
    if (this.#ended) throw new Deno.errors.BrokenPipe("The WebSocket is closed");
    // It is not copied before it is sent, and the buffer is used again.
    this.#socket.send(bytes.slice());
    return bytes.length;
  }

  close(): void {
    if (!this.#ended) this.#socket.close(CLOSE.normal);
    this.#end();
  }

  #received(data: unknown): void {
    if (!(data instanceof ArrayBuffer)) return this.#refuse(CLOSE.unsupported);
    this.#unreadBytes += data.byteLength;
    if (this.#unreadBytes > UNREAD_MAX) return this.#refuse(CLOSE.tooBig);
    if (data.byteLength > 0) this.#unread.push(new Uint8Array(data));
    this.#arrival.resolve();
  }

  #refuse(code: number): void {
    this.#socket.close(code);
    this.#end();
  }

  #end(): void {
    this.#ended = true;
    this.#opened.resolve();
    this.#arrival.resolve();
  }
}
