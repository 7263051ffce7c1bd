/**
 * What an I/O thread runs: it accepts connections, reads and writes them, with TLS and compression where they have it, and only moves
 * bytes between them and the rings. It knows nothing of what they mean.
 *
 * This is the module of a worker; io_thread.ts starts it. A fault in it ends the thread, and with it its connections only.
 *
 * @module
 */

/// <reference lib="deno.worker" />

import { AsyncGroup } from "../../base/async_group.ts";
import { collectGarbage } from "../../base/collect_garbage.ts";
import { errorText } from "../../base/error_text.ts";
import { UncaughtFaults } from "../../base/uncaught_faults.ts";
import type { Address } from "../../config/address.ts";
import type { Connection } from "../connection.ts";
import type { Layer } from "../layer.ts";
import { ConnectionListener } from "../listener.ts";
import { TlsServer } from "../tls_server.ts";
import { Bell } from "./bell.ts";
import { Outbox } from "./outbox.ts";
import {
  decodeCount,
  decodeRecord,
  encodeRecord,
  faultOf,
  FROM_THREAD,
  type LayerRecord,
  type LogRecord,
  nextId,
  type ThreadMessage,
  TO_THREAD,
} from "./records.ts";
import { RingReader, RingWriter } from "./ring.ts";
import { WorkerConnection } from "./worker_connection.ts";

/** Records that are worked on before sockets have their turn, in bytes. */
const TAKEN_SIZE_MAX = 512 * 1024;
/** Certificates that are kept: the one in force, and those before, of which a record may still be on its way. */
const SERVERS_KEPT = 8;

/** The thread's side of all. */
class IoWorker {
  readonly #bell: Bell;
  readonly #mainBell: Bell;
  readonly #down: RingReader;
  readonly #outbox: Outbox;
  readonly #writeWindow: number;
  readonly #connections = new Map<number, WorkerConnection>();
  readonly #group = new AsyncGroup();
  readonly #servers = new Map<number, PromiseWithResolvers<TlsServer>>();
  #listener: ConnectionListener | undefined;
  #lastId = 0;
  #accepts = false;

  constructor({ up, down, bell, mainBell, writeWindow }: Extract<ThreadMessage, { up: unknown }>) {
    this.#bell = new Bell(bell);
    this.#mainBell = new Bell(mainBell);
    this.#down = new RingReader(down);
    this.#writeWindow = writeWindow;
    this.#outbox = new Outbox(new RingWriter(up), this.#mainBell);
    // A connection's task has nothing that it may fail with.
    void this.#group.failed.then(fail);
    this.#outbox.post(FROM_THREAD.started, 0);
  }

  /** Does what it is told to, without end. */
  async run(): Promise<void> {
    for (;;) {
      if (this.#down.take(this.#use, TAKEN_SIZE_MAX)) this.#mainBell.ring();
      this.#outbox.flush();
      await this.#bell.rest(() => this.#down.hasRecords || this.#outbox.flush());
    }
  }

  /** Has a certificate to serve TLS with. */
  serveTls(id: number, server: TlsServer): void {
    this.#serverOf(id).resolve(server);
    for (const old of this.#servers.keys()) if (old <= id - SERVERS_KEPT) this.#servers.delete(old);
  }

  readonly #use = (kind: number, id: number, bytes: Uint8Array, start: number, end: number): void => {
    if (id === 0) return this.#command(kind, bytes, start, end);
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    switch (kind) {
      case TO_THREAD.data:
        return connection.write(bytes.slice(start, end));
      case TO_THREAD.credit:
        return connection.credit(decodeCount(bytes, start));
      case TO_THREAD.layer:
        return void connection.switch(this.#layerOf(decodeRecord<LayerRecord>(bytes, start, end)));
      case TO_THREAD.unread:
        return connection.unread(bytes.slice(start, end));
      case TO_THREAD.unreadEnd:
        return void connection.layer();
      case TO_THREAD.close:
        return void connection.close();
      default:
        throw new Error(`There is no record of kind ${kind} for a connection`);
    }
  };

  #command(kind: number, bytes: Uint8Array, start: number, end: number): void {
    switch (kind) {
      case TO_THREAD.listen:
        this.#listener = new ConnectionListener(decodeRecord<Address>(bytes, start, end), {
          reusePort: true,
        });
        return this.#outbox.post(FROM_THREAD.listening, 0);
      case TO_THREAD.accept:
        return void this.#accept();
      case TO_THREAD.stop:
        return this.#stop();
      case TO_THREAD.collect:
        return this.#collect();
      default:
        throw new Error(`There is no record of kind ${kind}`);
    }
  }

  async #accept(): Promise<void> {
    this.#accepts = true;
    const say = (level: LogRecord["level"]) => (text: string) => this.#log(level, text);
    const logger = { info: say("info"), warn: say("warn"), error: say("error") };
    const serve = (connection: Connection) => this.#serve(connection);
    await this.#listener?.serve(this.#group, { serve, logger, name: "TCP" });
    this.#outbox.post(FROM_THREAD.stopped, 0);
  }

  #log(level: LogRecord["level"], text: string): void {
    this.#outbox.post(FROM_THREAD.log, 0, encodeRecord({ level, text }));
  }

  #collect(): void {
    try {
      collectGarbage("major");
    } catch (error) {
      // It may be that another thread begins to do so at the same moment, and takes away what it is begun by: the next time it succeeds.
      this.#log("warn", `TCP: an I/O thread has not freed memory - ${errorText(error)}`);
    }
  }

  #stop(): void {
    this.#listener?.close();
    if (!this.#accepts) this.#outbox.post(FROM_THREAD.stopped, 0);
  }

  async #serve(connection: Connection): Promise<void> {
    const id = this.#lastId = nextId(this.#lastId, this.#connections);
    const served = new WorkerConnection({
      id,
      connection,
      outbox: this.#outbox,
      writeWindow: this.#writeWindow,
    });
    this.#connections.set(id, served);
    await served.closed;
    this.#connections.delete(id);
  }

  async #layerOf(record: LayerRecord): Promise<Layer> {
    return record.kind === "tls"
      ? { kind: "tls", server: await this.#serverOf(record.server).promise }
      : record;
  }

  /** The certificate of that number: the message with it may come later than the record. */
  #serverOf(id: number): PromiseWithResolvers<TlsServer> {
    const known = this.#servers.get(id) ?? Promise.withResolvers<TlsServer>();
    this.#servers.set(id, known);
    return known;
  }
}

let worker: IoWorker | undefined;

// Never disposed of: whatever this fails with is to end the thread, and to be a line of the log. The main one sees to both.
new UncaughtFaults(fail);

addEventListener("message", (event) => {
  const { data } = event as MessageEvent<ThreadMessage>;
  if ("options" in data) {
    worker?.serveTls(data.server, new TlsServer(data.options));
    return;
  }
  worker = new IoWorker(data);
  worker.run().catch(fail);
});

function fail(error: unknown): void {
  self.postMessage(faultOf(error));
}
