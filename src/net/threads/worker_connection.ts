/**
 * A connection as the thread has it that reads and writes it: bytes come from the socket as far as the session has room for them, and
 * go to it one write at a time, a few of them ahead. Whatever layers the connection has are here.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { ReadSize } from "../../base/read_size.ts";
import { SYSTEM_TIMERS, within } from "../../base/timers.ts";
import { type Connection, UnreadConnection, writeAll } from "../connection.ts";
import { type Layer, type Layered, putLayer } from "../layer.ts";
import type { Outbox } from "./outbox.ts";
import { encodeCount, encodeRecord, errorRecord, FROM_THREAD, READ_WINDOW } from "./records.ts";

/** Bytes that are read at once at most: a window has room for two of them, so that one is read while the other is worked on. */
const READ_SIZE_MAX = READ_WINDOW / 2;

const NOTHING = new Uint8Array();

/** How long a peer may take for what the session takes for sent when it closes, in ms. */
const LINGER_MS = 1000;

/** A read of the socket, and what it comes to. */
interface Reading {
  readonly buffer: Uint8Array;
  readonly count: Promise<number | null>;
}

/** What a connection is given. */
export interface WorkerConnectionOptions {
  readonly id: number;
  readonly connection: Connection;
  readonly outbox: Outbox;
  /** What may be on the way to the socket, in bytes. */
  readonly writeWindow: number;
}

/** The thread's side of a connection. */
export class WorkerConnection {
  readonly #id: number;
  readonly #outbox: Outbox;
  readonly #closed = Promise.withResolvers<void>();
  readonly #readSize = new ReadSize(READ_SIZE_MAX);
  /** The topmost layer. */
  #connection: Connection;
  /** Bytes that may be read. */
  #credit = 0;
  #credited: PromiseWithResolvers<void> | undefined;
  /** The read that is under way, and what it brings on its way to the session. */
  #reading: Reading | undefined;
  #sending: Promise<void> | undefined;
  /** A layer is being put on: what has been read for the plain connection comes back, and belongs to it. */
  #layer: { readonly layer: Promise<Layer>; readonly below: Connection; unread: Uint8Array[] } | undefined;
  /** What is to be written, and bytes that have been since the session was last told so. */
  #output: Uint8Array[] = [];
  #writing: Promise<void> | undefined;
  #written = 0;
  /** So much is written before the session is told that as much more may come. */
  readonly #writtenStep: number;
  #isClosed = false;

  constructor({ id, connection, outbox, writeWindow }: WorkerConnectionOptions) {
    this.#id = id;
    this.#connection = connection;
    this.#outbox = outbox;
    this.#writtenStep = Math.ceil(writeWindow / 2);
    outbox.post(FROM_THREAD.opened, id, encodeRecord(connection.peer));
    void this.#read(connection);
  }

  /** Settles when the connection is closed. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** So many bytes more may come. */
  credit(count: number): void {
    this.#credit += count;
    this.#credited?.resolve();
    this.#credited = undefined;
  }

  /** Writes bytes, which are the connection's from now on, after those that it has been given before. */
  write(bytes: Uint8Array): void {
    this.#output.push(bytes);
    this.#writing ??= this.#write();
  }

  /** Begins to put a layer on. */
  async switch(layer: Promise<Layer>): Promise<void> {
    await this.#writing;
    this.#layer = { layer, below: this.#connection, unread: [] };
    // Nothing more is read but by the layer. Who waits for credit does not have to any more.
    this.#connection = NO_CONNECTION;
    this.#credit = 0;
    this.credit(0);
    await this.#sending;
    this.#post(FROM_THREAD.switched);
  }

  /** Bytes that have been read of the plain connection and belong to the layer. */
  unread(bytes: Uint8Array): void {
    this.#layer?.unread.push(bytes);
  }

  /** Puts the layer on. */
  async layer(): Promise<void> {
    const { layer, below, unread } = this.#layer ?? {};
    if (layer === undefined || below === undefined || unread === undefined) return;
    const reading = this.#reading;
    this.#reading = undefined;
    const resumed = reading === undefined ? below : new ReadingConnection(below, reading);
    let layered: Layered;
    try {
      layered = await putLayer(resumed, await layer, concat(unread));
    } catch (error) {
      this.#post(FROM_THREAD.layerFailed, encodeRecord(errorRecord(error)));
      return;
    }
    this.#layer = undefined;
    this.#connection = layered.connection;
    // Closed meanwhile: the layer has not been.
    if (this.#isClosed) return layered.connection.close();
    this.#post(FROM_THREAD.layered, encodeRecord(layered.tls ?? null));
    void this.#read(layered.connection);
  }

  /** Closes it; first it writes what it has been given, but it does not wait for that for long. */
  async close(): Promise<void> {
    if (this.#writing) await within(SYSTEM_TIMERS, LINGER_MS, this.#writing);
    if (this.#isClosed) return;
    this.#isClosed = true;
    // Before the peer can see it and come again: whoever counts hears of the end first.
    this.#outbox.post(FROM_THREAD.closed, this.#id);
    this.#connection.close();
    this.#layer?.below.close();
    this.#credited?.resolve();
    this.#closed.resolve();
  }

  async #write(): Promise<void> {
    try {
      while (this.#output.length > 0) {
        const bytes = this.#output.length === 1 ? this.#output[0] : concat(this.#output);
        this.#output = [];
        await writeAll(this.#connection, bytes);
        this.#written += bytes.length;
        if (this.#written < this.#writtenStep) continue;
        this.#post(FROM_THREAD.written, encodeCount(this.#written));
        this.#written = 0;
      }
    } catch (error) {
      this.#post(FROM_THREAD.writeFailed, encodeRecord(errorRecord(error)));
    } finally {
      // At once, not a step later: what comes in between would be left.
      this.#writing = undefined;
    }
  }

  /** Reads on until the end, or until there is a layer above. */
  async #read(connection: Connection): Promise<void> {
    let buffer: Uint8Array = NOTHING;
    try {
      for (;;) {
        while (this.#credit === 0 && this.#reads(connection)) {
          // It may be for long, and what was read is in the ring.
          buffer = NOTHING;
          this.#credited = Promise.withResolvers();
          await this.#credited.promise;
        }
        if (!this.#reads(connection)) return;
        const size = Math.min(this.#readSize.bytes, this.#credit);
        if (buffer.length !== size) buffer = new Uint8Array(size);
        const reading = { buffer, count: connection.read(buffer) };
        this.#reading = reading;
        const count = await reading.count;
        // The layer begins with what this has brought.
        if (!this.#reads(connection)) return;
        if (count === null) return this.#post(FROM_THREAD.ended);
        this.#reading = undefined;
        this.#readSize.received(count);
        this.#credit -= count;
        if (this.#outbox.isFull) {
          this.#sending = this.#outbox.room();
          await this.#sending;
        }
        this.#post(FROM_THREAD.data, buffer.subarray(0, count));
      }
    } catch (error) {
      if (this.#reads(connection)) this.#post(FROM_THREAD.failed, encodeRecord(errorRecord(error)));
    }
  }

  #reads(connection: Connection): boolean {
    return !this.#isClosed && this.#connection === connection;
  }

  /** Of a connection that is closed nobody wants to hear. */
  #post(kind: number, payload?: Uint8Array): void {
    if (!this.#isClosed) this.#outbox.post(kind, this.#id, payload);
  }
}

/** Takes the place of a connection that is about to have a layer. */
const NO_CONNECTION: Connection = {
  peer: "",
  read: () => Promise.reject(new Error("The connection has no layer yet")),
  write: () => Promise.reject(new Error("The connection has no layer yet")),
  close: () => {},
};

/** A connection of which a read is under way: it is the first one. */
class ReadingConnection implements Connection {
  readonly peer: string;
  readonly #inner: Connection;
  #reading: Reading | undefined;
  #unread: UnreadConnection | undefined;

  constructor(inner: Connection, reading: Reading) {
    this.peer = inner.peer;
    this.#inner = inner;
    this.#reading = reading;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    if (this.#reading) {
      const { buffer: bytes, count: counting } = this.#reading;
      const count = await counting;
      this.#reading = undefined;
      if (count === null) return null;
      this.#unread = new UnreadConnection(this.#inner, bytes.subarray(0, count));
    }
    return await (this.#unread ?? this.#inner).read(buffer);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#inner.write(bytes);
  }

  close(): void {
    this.#inner.close();
  }
}
