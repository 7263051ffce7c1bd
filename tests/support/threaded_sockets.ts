/**
 * Sockets that an I/O thread serves in the test's own process: the test is the client, and serves the other end, too.
 *
 * @module
 */

import { AssertionError } from "@std/assert";
import { AsyncGroup } from "../../src/base/async_group.ts";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import type { Connection } from "../../src/net/connection.ts";
import { ThreadListener } from "../../src/net/threads/thread_listener.ts";
import { join } from "./frames.ts";
import { testIoThreads } from "./io_threads.ts";

/** What nsqd has by default. */
const OUTPUT_MAX = 256 * 1024;

/** Serves one connection to its end. */
type Serve = (connection: Connection) => Promise<void>;

/** A socket, and what becomes of it. */
export interface ThreadedSocket {
  readonly socket: Deno.TcpConn;
  /** Settles when the connection has been served, as that does. */
  readonly served: Promise<void>;
}

/** Threads that serve one connection after the other as each is to be. */
export class ThreadedSockets implements AsyncDisposable {
  /** What the threads have to say. */
  readonly lines: string[];
  readonly #listener: ThreadListener;
  readonly #group = new AsyncGroup();
  #next: { readonly serve: Serve; readonly served: PromiseWithResolvers<void> } | undefined;

  private constructor(listener: ThreadListener, logger: Logger, lines: string[]) {
    this.#listener = listener;
    this.lines = lines;
    const serve = (connection: Connection) => this.#serve(connection);
    this.#group.spawn("tcpServer", () => listener.serve(this.#group, { logger, name: "TCP", serve }));
  }

  /** Starts so many threads. */
  static async start(threads: number): Promise<ThreadedSockets> {
    const lines: string[] = [];
    const write = (line: string) => void lines.push(line.slice(27));
    const logger = new Logger({ prefix: "", level: LOG_LEVELS.info, write });
    const listener = await ThreadListener.start({ threads, logger, outputMax: OUTPUT_MAX });
    await listener.listen({ kind: "tcp", hostname: "127.0.0.1", port: 0 });
    return new ThreadedSockets(listener, logger, lines);
  }

  /** Connects, and has the other end served. */
  async connect(serve: Serve): Promise<ThreadedSocket> {
    const served = Promise.withResolvers<void>();
    this.#next = { serve, served };
    const socket = await Deno.connect({ hostname: "127.0.0.1", port: this.#listener.port });
    return { socket, served: served.promise };
  }

  async #serve(connection: Connection): Promise<void> {
    const next = this.#next;
    this.#next = undefined;
    if (next === undefined) throw new Error("Nobody has connected");
    await next.serve(connection).then(next.served.resolve, next.served.reject);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#group.wait();
  }
}

/** As many threads as the tests are to be run over, if any. */
export async function testThreadedSockets(): Promise<ThreadedSockets | undefined> {
  const { ioThreads } = testIoThreads;
  return ioThreads === 0 ? undefined : await ThreadedSockets.start(ioThreads);
}

/** So many bytes. */
export async function readExactly(socket: Deno.TcpConn, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  for (let end = 0; end < length;) {
    const count = await socket.read(bytes.subarray(end));
    if (count === null) throw new AssertionError(`The connection has ended after ${end} of ${length} bytes`);
    end += count;
  }
  return bytes;
}

/** All that comes until the end; a peer that has left something unread ends with a reset. */
export async function readToEnd(socket: Deno.TcpConn): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(64 * 1024);
  try {
    for (let count = await socket.read(buffer); count !== null; count = await socket.read(buffer)) {
      parts.push(buffer.slice(0, count));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  return join(...parts);
}
