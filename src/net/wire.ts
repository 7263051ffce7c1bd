/**
 * A connection with its output buffer. Frames are put into the output at any time; `flush()` begins to send them,
 * one write at a time, and whatever comes meanwhile goes out in the next. What is put in while `held` stays until it
 * is let go, or is taken back.
 *
 * @module
 */

import type { Connection } from "./connection.ts";
import { Output } from "./output.ts";

/** What a wire tells its owner. */
export interface WireOwner {
  /** There is room for output again. */
  writable(): void;
  /** All of the output has been sent. */
  sent(): void;
  /** Writing has failed: the connection is of no use any more. */
  writeFailed(error: unknown): void;
  /** Now, in ms by the monotonic clock. */
  monotonicMs(): number;
}

/** One connection, read and written. */
export class Wire {
  readonly output = new Output();
  readonly #owner: WireOwner;
  readonly #pendingMax: number;
  #connection: Connection;
  #closed = false;
  #writing: Promise<void> | undefined;
  #writingBytes = 0;
  /** When the write that is under way began, or something of it was taken. */
  #progressMs = 0;
  /** Another layer is being put on the connection: nothing is sent meanwhile. */
  #upgrading = false;

  /** What is put into the output waits for `flush()` to be called again. */
  held = false;

  /** Above `pendingMax` bytes of output that wait, the wire is not writable. */
  constructor(connection: Connection, owner: WireOwner, pendingMax: number) {
    this.#connection = connection;
    this.#owner = owner;
    this.#pendingMax = pendingMax;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** False while more output waits than should. */
  get writable(): boolean {
    return !this.#closed && this.output.length + this.#writingBytes < this.#pendingMax;
  }

  /** For how long nothing has been taken of the write that is under way; 0 without one. */
  stalledMs(monotonicMs: number): number {
    return this.#writing === undefined ? 0 : monotonicMs - this.#progressMs;
  }

  /** The peer has shown that it takes what it is sent. */
  progressed(): void {
    this.#progressMs = this.#owner.monotonicMs();
  }

  /** Reads into the buffer; the number of bytes, or null at the end. */
  read(buffer: Uint8Array): Promise<number | null> {
    return this.#connection.read(buffer);
  }

  /** Begins to send the output. */
  flush(): void {
    if (this.#writing || this.#closed || this.held || this.#upgrading || this.output.length === 0) return;
    this.#writing = this.#write();
  }

  /** Sends all of the output. */
  async drain(): Promise<void> {
    for (this.flush(); this.#writing; this.flush()) await this.#writing;
  }

  /** Gives memory back that is not in use. */
  shrink(): void {
    if (!this.#writing) this.output.shrink();
  }

  /** Sends all of the output, and puts another layer on the connection. */
  async upgrade(layer: (connection: Connection) => Connection | Promise<Connection>): Promise<void> {
    await this.drain();
    this.#upgrading = true;
    try {
      // A layer says that it has written something when all of it is written.
      this.#connection = await layer(new NotedConnection(this.#connection, () => this.progressed()));
    } finally {
      this.#upgrading = false;
    }
    // Closed meanwhile: the layer has not been.
    if (this.#closed) this.#connection.close();
  }

  /** Ends the connection at once. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  async #write(): Promise<void> {
    try {
      while (this.output.length > 0 && !this.#closed && !this.held && !this.#upgrading) {
        const bytes = this.output.take();
        this.#writingBytes = bytes.length;
        this.progressed();
        for (let sent = 0; sent < bytes.length;) {
          sent += await this.#connection.write(bytes.subarray(sent));
          if (sent < bytes.length) this.progressed();
        }
        // Asked for here, because output may have come, and filled the wire, since the write began.
        const wasWritable = this.writable;
        this.#writingBytes = 0;
        if (!wasWritable) this.#owner.writable();
      }
      if (this.output.length === 0 && !this.#closed) this.#owner.sent();
    } catch (error) {
      if (!this.#closed) this.#owner.writeFailed(error);
    } finally {
      // At once, not a step later: a `flush()` in between would be lost.
      this.#writing = undefined;
    }
  }
}

/** A connection below a layer; each write that it takes something of is noted. */
class NotedConnection implements Connection {
  readonly peer: string;
  readonly putLayer: Connection["putLayer"];
  readonly #inner: Connection;
  readonly #note: () => void;

  constructor(inner: Connection, note: () => void) {
    this.peer = inner.peer;
    this.putLayer = inner.putLayer?.bind(inner);
    this.#inner = inner;
    this.#note = note;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#inner.read(buffer);
  }

  async write(bytes: Uint8Array): Promise<number> {
    const count = await this.#inner.write(bytes);
    this.#note();
    return count;
  }

  close(): void {
    this.#inner.close();
  }
}
