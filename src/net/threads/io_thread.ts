/**
 * An I/O thread as the main one has it: the worker, the rings to and from it, and the connections that are there.
 *
 * @module
 */

import { errorText } from "../../base/error_text.ts";
import type { Logger } from "../../base/logger.ts";
import type { Address } from "../../config/address.ts";
import type { Layer } from "../layer.ts";
import type { TlsServer, TlsUpgrade } from "../tls_server.ts";
import { Bell, bellMemory } from "./bell.ts";
import { Outbox } from "./outbox.ts";
import {
  decodeCount,
  decodeRecord,
  encodeRecord,
  errorOf,
  type ErrorRecord,
  FROM_THREAD,
  type LayerRecord,
  type LogRecord,
  type ThreadFault,
  type ThreadMessage,
  TO_THREAD,
} from "./records.ts";
import { ringMemory, RingReader, RingWriter } from "./ring.ts";
import { ThreadConnection } from "./thread_connection.ts";

/** Each way, in bytes: a few windows of busy connections, and little enough to stay in the cache of the processor. */
const RING_SIZE = 512 * 1024;
/** Records of a thread that are worked on before others have their turn, in bytes: of the smallest, for 64 threads, 13 ms. */
const TAKEN_SIZE_MAX = 32 * 1024;

/** Never called: it makes the worker's module a part of the program, and so of the compiled executable. */
export const workerModule = () => import("./io_worker.ts");

/** Numbers of the certificates that threads are given, in the order in which they came into force. */
const serverIds = new WeakMap<TlsServer, number>();
let lastServerId = 0;

/** Who a thread belongs to. */
export interface IoThreadOwner {
  /** The bell of the main thread. */
  readonly mainBell: SharedArrayBuffer;
  readonly logger: Pick<Logger, LogRecord["level"] | "debug">;
  /** What a connection may have on the way to its socket, in bytes. */
  readonly writeWindow: number;
  /** A connection has been accepted. */
  opened(connection: ThreadConnection): void;
  /** The thread has ended, though nobody has told it to; its connections are lost already. */
  died(thread: IoThread, reason: string): void;
  /** It has been told to stop, and has no connections any more. */
  stopped(thread: IoThread): void;
}

/** One thread. */
export class IoThread {
  readonly #owner: IoThreadOwner;
  readonly #worker: Worker;
  readonly #bell: Bell;
  readonly #up: RingReader;
  readonly #outbox: Outbox;
  readonly #connections = new Map<number, ThreadConnection>();
  readonly #started = Promise.withResolvers<void>();
  readonly #listening = Promise.withResolvers<void>();
  /** Certificates that it was given. */
  readonly #servers = new WeakSet<TlsServer>();
  /** It has been told to do so. */
  #listens = false;
  #accepts = false;
  #isStopped = false;
  #isOver = false;

  constructor(owner: IoThreadOwner) {
    this.#owner = owner;
    const [up, down, bell] = [ringMemory(RING_SIZE), ringMemory(RING_SIZE), bellMemory()];
    this.#bell = new Bell(bell);
    this.#up = new RingReader(up);
    this.#outbox = new Outbox(new RingWriter(down), this.#bell);
    this.#worker = new Worker(new URL("./io_worker.ts", import.meta.url), { type: "module", name: "io" });
    this.#worker.addEventListener("message", ({ data }: MessageEvent<ThreadFault>) => {
      this.#died(data.reason);
      for (const line of data.stack) owner.logger.debug(line);
    });
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#died(event.message);
    });
    const { mainBell, writeWindow } = owner;
    this.#send({ up, down, bell, mainBell, writeWindow });
  }

  /** Settles when it is there. Rejects if it ends before. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** Listens, together with others. @throws {Error} If it cannot. */
  async listen(address: Address): Promise<void> {
    if (!this.#listens) this.#outbox.post(TO_THREAD.listen, 0, encodeRecord(address));
    this.#listens = true;
    await this.#listening.promise;
  }

  /** Accepts connections, once it listens. */
  accept(): void {
    if (!this.#accepts && this.#listens) this.#outbox.post(TO_THREAD.accept, 0);
    this.#accepts = this.#listens;
  }

  /** It has been told to accept connections. */
  get accepts(): boolean {
    return this.#accepts;
  }

  /** Frees what nothing refers to there any more, soon. */
  collectGarbage(): void {
    this.#outbox.post(TO_THREAD.collect, 0);
  }

  /** Accepts no more. It ends when the last connection has. */
  stop(): void {
    this.#outbox.post(TO_THREAD.stop, 0);
  }

  /** Ends it at once, with all of its connections. */
  terminate(): void {
    if (this.#isOver) return;
    this.#end("it was ended");
  }

  /** Works on what it has brought. */
  take(): void {
    if (this.#isOver) return;
    this.#outbox.flush();
    if (this.#up.take(this.#use, TAKEN_SIZE_MAX)) this.#bell.ring();
  }

  /** There is something to work on, or to be given to it. */
  get isBusy(): boolean {
    return !this.#isOver && (this.#up.hasRecords || this.#outbox.flush());
  }

  readonly #use = (kind: number, id: number, bytes: Uint8Array, start: number, end: number): void => {
    const connection = this.#connections.get(id);
    if (connection === undefined) {
      if (kind === FROM_THREAD.opened) this.#open(id, decodeRecord<string>(bytes, start, end));
      else if (id === 0) this.#note(kind, bytes, start, end);
      return;
    }
    switch (kind) {
      case FROM_THREAD.data:
        return connection.received(bytes, start, end);
      case FROM_THREAD.written:
        return connection.written(decodeCount(bytes, start));
      case FROM_THREAD.ended:
        return connection.ended();
      case FROM_THREAD.failed:
        return connection.failed(errorOf(decodeRecord<ErrorRecord>(bytes, start, end)));
      case FROM_THREAD.writeFailed:
        return connection.writeFailed(errorOf(decodeRecord<ErrorRecord>(bytes, start, end)));
      case FROM_THREAD.switched:
        return connection.switched();
      case FROM_THREAD.layered:
        return connection.layered(decodeRecord<Agreed | null>(bytes, start, end) ?? undefined);
      case FROM_THREAD.layerFailed:
        return connection.layerFailed(errorOf(decodeRecord<ErrorRecord>(bytes, start, end)));
      case FROM_THREAD.closed:
        return this.#closed(id, connection);
      default:
        throw new Error(`There is no record of kind ${kind} of a connection`);
    }
  };

  #note(kind: number, bytes: Uint8Array, start: number, end: number): void {
    if (kind === FROM_THREAD.started) this.#started.resolve();
    else if (kind === FROM_THREAD.listening) this.#listening.resolve();
    else if (kind === FROM_THREAD.log) {
      const { level, text } = decodeRecord<LogRecord>(bytes, start, end);
      this.#owner.logger[level](text);
    } else {
      this.#isStopped = true;
      this.#endIfIdle();
    }
  }

  #open(id: number, peer: string): void {
    const recordOf = (layer: Layer) => this.#recordOf(layer);
    const { writeWindow } = this.#owner;
    const connection = new ThreadConnection({ id, peer, outbox: this.#outbox, writeWindow, recordOf });
    this.#connections.set(id, connection);
    this.#owner.opened(connection);
  }

  #closed(id: number, connection: ThreadConnection): void {
    this.#connections.delete(id);
    connection.vanished();
    this.#endIfIdle();
  }

  #endIfIdle(): void {
    if (!this.#isStopped || this.#connections.size > 0) return;
    this.#end("it was stopped");
    this.#owner.stopped(this);
  }

  #died(reason: string): void {
    if (this.#isOver) return;
    this.#end(reason);
    this.#owner.died(this, reason);
  }

  #end(reason: string): void {
    this.#isOver = true;
    this.#worker.terminate();
    this.#outbox.drop();
    for (const { promise, reject } of [this.#started, this.#listening]) {
      reject(new Error(reason));
      // Nobody may wait for it any more.
      promise.catch(errorText);
    }
    const lost = new Deno.errors.ConnectionReset(`the connection's I/O thread has ended: ${reason}`);
    for (const connection of this.#connections.values()) connection.lost(lost);
    this.#connections.clear();
  }

  #recordOf(layer: Layer): LayerRecord {
    return layer.kind === "tls" ? { kind: "tls", server: this.#idOf(layer.server) } : layer;
  }

  /** The number of a certificate, which the thread knows by then, or will. */
  #idOf(server: TlsServer): number {
    const id = serverIds.get(server) ?? ++lastServerId;
    serverIds.set(server, id);
    // By what it has, and not by the number: a session may come with the one before, of which this thread has not heard yet.
    if (!this.#servers.has(server)) {
      this.#servers.add(server);
      this.#send({ server: id, options: server.options });
    }
    return id;
  }

  #send(message: ThreadMessage): void {
    this.#worker.postMessage(message);
  }
}

type Agreed = Pick<TlsUpgrade, "state" | "refusal">;
