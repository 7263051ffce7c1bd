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
  /** What is being written, and how much of that has been. */
  #writing: Uint8Array | undefined;
  #written = 0;
  /** Settles when nothing is being written any more. */
  #idle: PromiseWithResolvers<void> | undefined;
  /** When the write that is under way began, or something of it was taken. */
  #progressMs = 0;
  /** Another layer is being put on the connection: nothing is sent meanwhile. */
  #upgrading = false;

  /** What is put into the output waits for `flush()` to be called again. */
  held = false;

  /** Above `pendingMax` bytes of output that wait, here and in the connection, the wire is not writable. */
  constructor(connection: Connection, owner: WireOwner, pendingMax: number) {
    this.#connection = connection;
    this.#owner = owner;
    this.#pendingMax = pendingMax - (connection.writeAhead ?? 0);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** False while more output waits than should. */
  get writable(): boolean {
    return !this.#closed && this.output.length + (this.#writing?.length ?? 0) < this.#pendingMax;
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
    this.#writing = this.output.take();
    this.#written = 0;
    this.#write(this.#writing);
  }

  /** Sends all of the output. */
  async drain(): Promise<void> {
    for (this.flush(); this.#writing; this.flush()) {
      this.#idle ??= Promise.withResolvers();
      await this.#idle.promise;
    }
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

  /** Most writes are done in one step: an asynchronous function for each would cost as much as the publish that it answers. */
  #write(bytes: Uint8Array): void {
    this.progressed();
    this.#connection.write(bytes).then(this.#taken, this.#failed);
  }

  readonly #taken = (count: number): void => {
    const bytes = this.#writing;
    if (bytes === undefined) return;
    this.#written += count;
    if (this.#written < bytes.length) return this.#write(bytes.subarray(this.#written));
    try {
      // Asked for here, because output may have come, and filled the wire, since the write began.
      const wasWritable = this.writable;
      this.#writing = undefined;
      if (!wasWritable) this.#owner.writable();
      this.flush();
      if (!this.#writing && this.output.length === 0 && !this.#closed) this.#owner.sent();
    } catch (error) {
      this.#failed(error);
    }
    this.#noteIdle();
  };

  readonly #failed = (error: unknown): void => {
    this.#writing = undefined;
    if (!this.#closed) this.#owner.writeFailed(error);
    this.#noteIdle();
  };

  #noteIdle(): void {
    if (this.#writing) return;
    this.#idle?.resolve();
    this.#idle = undefined;
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
