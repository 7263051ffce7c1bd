/**
 * A connection that another thread reads and writes, as its session has it. Closing it lets whoever waits for it go at once; its
 * descriptor is free when the thread says so.
 *
 * @module
 */

import type { Connection } from "../connection.ts";
import type { Layer, Layered } from "../layer.ts";
import type { TlsUpgrade } from "../tls_server.ts";
import type { Outbox } from "./outbox.ts";
import {
  encodeCount,
  encodeRecord,
  type LayerRecord,
  PIECE_SIZE_MAX,
  READ_WINDOW,
  TO_THREAD,
} from "./records.ts";

const NOTHING = new Uint8Array();
/** So much is read before the thread is told that as much more may come. */
const CREDIT_STEP = READ_WINDOW / 2;

interface PendingRead {
  readonly buffer: Uint8Array;
  resolve(count: number | null): void;
  reject(error: Error): void;
}

/** What a connection is given. */
export interface ThreadConnectionOptions {
  readonly id: number;
  readonly peer: string;
  readonly outbox: Outbox;
  /** What may be on the way to its socket, in bytes. */
  readonly writeWindow: number;
  /** Tells the thread what the layer needs. */
  recordOf(layer: Layer): LayerRecord;
}

/** The session's side of a connection. */
export class ThreadConnection implements Connection {
  readonly peer: string;
  readonly writeAhead: number;
  readonly #id: number;
  readonly #outbox: Outbox;
  readonly #recordOf: (layer: Layer) => LayerRecord;
  readonly #gone = Promise.withResolvers<void>();
  /** What has come and has not been read is `#unread` from `#start` to `#end`. */
  #unread: Uint8Array = NOTHING;
  #start = 0;
  #end = 0;
  /** Bytes that have been read since the thread was last told so; more than any number before the first read. */
  #read = READ_WINDOW;
  #ended = false;
  #error: Error | undefined;
  #reading: PendingRead | undefined;
  /** Bytes that the thread has been given and has not written yet, as far as is known, and who waits for it to do so. */
  #unwritten = 0;
  #writing: { readonly bytes: Uint8Array; readonly count: PromiseWithResolvers<number> } | undefined;
  #writeError: Error | undefined;
  #switching: PromiseWithResolvers<void> | undefined;
  #layering: PromiseWithResolvers<Pick<TlsUpgrade, "state" | "refusal"> | undefined> | undefined;
  /** Why nothing can be done with it any more: it is closed, or its thread has ended. */
  #fault: Error | undefined;

  constructor({ id, peer, outbox, writeWindow, recordOf }: ThreadConnectionOptions) {
    this.#id = id;
    this.peer = peer;
    this.writeAhead = writeWindow;
    this.#outbox = outbox;
    this.#recordOf = recordOf;
  }

  /** Settles when the thread has closed it, or has gone itself. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    if (this.#fault) return Promise.reject(this.#fault);
    if (this.#end > this.#start) {
      const count = Math.min(this.#end - this.#start, buffer.length);
      buffer.set(this.#unread.subarray(this.#start, this.#start + count));
      this.#start += count;
      if (this.#start === this.#end) this.#forget();
      this.#taken(count);
      return Promise.resolve(count);
    }
    if (this.#error) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve(null);
    this.#taken(0);
    return new Promise((resolve, reject) => this.#reading = { buffer, resolve, reject });
  }

  write(bytes: Uint8Array): Promise<number> {
    const error = this.#fault ?? this.#writeError;
    if (error) return Promise.reject(error);
    if (this.#unwritten < this.writeAhead) return Promise.resolve(this.#send(bytes));
    const count = Promise.withResolvers<number>();
    this.#writing = { bytes, count };
    return count.promise;
  }

  async putLayer(layer: Layer, unread: Uint8Array): Promise<Layered> {
    if (this.#fault) throw this.#fault;
    this.#switching = Promise.withResolvers();
    this.#outbox.post(TO_THREAD.layer, this.#id, encodeRecord(this.#recordOf(layer)));
    await this.#switching.promise;
    // What has come meanwhile came behind it.
    await this.#giveBack(unread);
    await this.#giveBack(this.#unread.subarray(this.#start, this.#end));
    if (this.#fault) throw this.#fault;
    this.#forget();
    // The layer has an end of its own, and is read as if nothing had been before.
    this.#ended = false;
    this.#error = undefined;
    this.#read = READ_WINDOW;
    this.#layering = Promise.withResolvers();
    this.#outbox.post(TO_THREAD.unreadEnd, this.#id);
    const tls = await this.#layering.promise;
    return tls === undefined ? { connection: this } : { connection: this, tls };
  }

  close(): void {
    if (this.#fault) return;
    this.#outbox.post(TO_THREAD.close, this.#id);
    // What the runtime says to those who wait for a connection that is closed.
    this.#abort(new Deno.errors.Interrupted("operation canceled"));
  }

  /** Bytes have come: from `start` to `end`, to be copied at once. */
  received(bytes: Uint8Array, start: number, end: number): void {
    if (this.#fault) return;
    const reading = this.#reading;
    if (reading === undefined) return this.#keep(bytes, start, end);
    const count = Math.min(end - start, reading.buffer.length);
    reading.buffer.set(bytes.subarray(start, start + count));
    if (start + count < end) this.#keep(bytes, start + count, end);
    this.#reading = undefined;
    this.#taken(count);
    reading.resolve(count);
  }

  /** The peer sends no more. */
  ended(): void {
    this.#ended = true;
    this.#reading?.resolve(null);
    this.#reading = undefined;
  }

  /** Reading has failed. */
  failed(error: Error): void {
    this.#error = error;
    this.#reading?.reject(error);
    this.#reading = undefined;
  }

  /** The thread has written so many bytes. */
  written(count: number): void {
    this.#unwritten -= count;
    const writing = this.#writing;
    if (writing === undefined) return;
    this.#writing = undefined;
    writing.count.resolve(this.#send(writing.bytes));
  }

  /** Writing has failed. */
  writeFailed(error: Error): void {
    this.#writeError = error;
    this.#writing?.count.reject(error);
    this.#writing = undefined;
  }

  /** No more plain bytes will come. */
  switched(): void {
    this.#switching?.resolve();
    this.#switching = undefined;
  }

  /** The layer is on. */
  layered(agreed: Pick<TlsUpgrade, "state" | "refusal"> | undefined): void {
    this.#layering?.resolve(agreed);
    this.#layering = undefined;
  }

  /** The layer could not be put on. */
  layerFailed(error: Error): void {
    this.#layering?.reject(error);
    this.#layering = undefined;
  }

  /** The thread has closed it. */
  vanished(): void {
    this.#gone.resolve();
  }

  /** The thread has ended: so has the connection. */
  lost(error: Error): void {
    if (!this.#fault) this.#abort(error);
    this.#gone.resolve();
  }

  #abort(error: Error): void {
    this.#fault = error;
    this.#reading?.reject(error);
    this.#reading = undefined;
    this.#writing?.count.reject(error);
    this.#writing = undefined;
    this.#switching?.reject(error);
    this.#switching = undefined;
    this.layerFailed(error);
  }

  /** Gives the thread as much as it may have; returns how much. */
  #send(bytes: Uint8Array): number {
    const most = this.writeAhead - this.#unwritten;
    const piece = bytes.length > most ? bytes.subarray(0, most) : bytes;
    this.#outbox.post(TO_THREAD.data, this.#id, piece);
    this.#unwritten += piece.length;
    return piece.length;
  }

  /** As much more may come as was taken, told in large steps. */
  #taken(count: number): void {
    this.#read += count;
    if (this.#read < CREDIT_STEP || this.#fault) return;
    this.#outbox.post(TO_THREAD.credit, this.#id, encodeCount(this.#read));
    this.#read = 0;
  }

  #keep(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (this.#end + length > this.#unread.length) {
      const kept = this.#end - this.#start;
      const larger = new Uint8Array(Math.min(Math.max(2 * kept, kept + length), READ_WINDOW));
      larger.set(this.#unread.subarray(this.#start, this.#end));
      this.#unread = larger;
      this.#start = 0;
      this.#end = kept;
    }
    this.#unread.set(bytes.subarray(start, end), this.#end);
    this.#end += length;
  }

  #forget(): void {
    this.#unread = NOTHING;
    this.#start = this.#end = 0;
  }

  async #giveBack(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length; sent += PIECE_SIZE_MAX) {
      await this.#outbox.room();
      this.#outbox.post(TO_THREAD.unread, this.#id, bytes.subarray(sent, sent + PIECE_SIZE_MAX));
    }
  }
}
