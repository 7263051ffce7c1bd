/**
 * An nsqlookupd that answers as a test tells it to, and remembers what it was told. It is a real server, on ports of
 * its own, and knows no topics.
 *
 * @module
 */

import { bytesOf, i32, join, textOf } from "./frames.ts";

/** No answer. */
export const SILENCE = Symbol("silence");
/** The end of the connection instead of an answer. */
export const HANG_UP = Symbol("hang up");

/**
 * How a request is answered: with data, with data and the end of the connection, with bytes as they are (half an answer,
 * for instance), or not.
 */
export type LookupAnswer =
  | string
  | { readonly last: string }
  | { readonly raw: Uint8Array }
  | typeof SILENCE
  | typeof HANG_UP;

/** What a test says of a {@linkcode FakeLookupd}. */
export interface FakeLookupdOptions {
  /** Answers a request, given its line; undefined is what nsqlookupd answers. */
  readonly answer?: (line: string) => LookupAnswer | undefined | Promise<LookupAnswer | undefined>;
  /** Answers `GET /channels?topic=…`; by default there are none. */
  readonly channels?: (topic: string) => Response | Promise<Response>;
  /** The address that it says it has; by default its own. */
  readonly broadcastAddress?: string;
  readonly hostname?: string;
  /** The port to listen on; by default any. */
  readonly port?: number;
}

/** A listening nsqlookupd. */
export class FakeLookupd implements AsyncDisposable {
  /** Lines of the requests, as they came; `IDENTIFY` with its body behind a space. */
  readonly lines: string[] = [];
  /** How many connections there have been. */
  connections = 0;
  /** Topics that were asked for over HTTP. */
  readonly queries: string[] = [];
  readonly #options: FakeLookupdOptions;
  readonly #listener: Deno.TcpListener;
  readonly #http: Deno.HttpServer<Deno.NetAddr>;
  readonly #end = new AbortController();
  readonly #open = new Set<Deno.TcpConn>();
  readonly #tasks: Promise<void>[] = [];

  constructor(options: FakeLookupdOptions = {}) {
    const { hostname = "127.0.0.1", port = 0 } = options;
    this.#options = options;
    this.#listener = Deno.listen({ hostname, port });
    const http = { hostname, port: 0, signal: this.#end.signal, onListen: () => {} };
    this.#http = Deno.serve(http, (request) => {
      const topic = new URL(request.url).searchParams.get("topic") ?? "";
      this.queries.push(topic);
      return options.channels?.(topic) ?? Response.json({ channels: [] });
    });
    this.#tasks.push(this.#accept());
  }

  /** The port of the TCP protocol. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** `host:port` of the TCP protocol. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** `host:port` of HTTP. */
  get httpAddress(): string {
    return `127.0.0.1:${this.#http.addr.port}`;
  }

  /** The bodies of the IDENTIFY requests. */
  get identities(): unknown[] {
    const prefix = "IDENTIFY ";
    return this.lines.filter((line) => line.startsWith(prefix)).map((line) =>
      JSON.parse(line.slice(prefix.length))
    );
  }

  /** The lines of requests but IDENTIFY, in the order they came. */
  get requests(): string[] {
    return this.lines.filter((line) => !line.startsWith("IDENTIFY ") && !line.startsWith("magic "));
  }

  /** Connections that are open now. */
  get openConnections(): number {
    return this.#open.size;
  }

  /** Ends all connections and goes on listening. */
  drop(): void {
    for (const connection of this.#open) connection.close();
    this.#open.clear();
  }

  /** Says something unasked on all connections. */
  async say(bytes: Uint8Array): Promise<void> {
    for (const connection of this.#open) await connection.write(bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.drop();
    this.#end.abort();
    await Promise.all([this.#http.finished, ...this.#tasks]);
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      this.connections++;
      this.#open.add(connection);
      this.#tasks.push(this.#serve(connection));
    }
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    try {
      await this.#converse(connection);
    } catch (error) {
      const isClosed = error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted ||
        error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe;
      if (!isClosed) throw error;
    } finally {
      if (this.#open.delete(connection)) connection.close();
    }
  }

  async #converse(connection: Deno.TcpConn): Promise<void> {
    const input = new Input(connection);
    const magic = await input.bytes(4);
    if (magic === undefined) return;
    this.lines.push(`magic ${textOf(magic)}`);
    for (let line = await input.line(); line !== undefined; line = await input.line()) {
      const isIdentify = line === "IDENTIFY";
      if (isIdentify) line = `${line} ${await input.sized()}`;
      this.lines.push(line);
      const answer = await this.#options.answer?.(isIdentify ? "IDENTIFY" : line) ??
        (isIdentify ? JSON.stringify(this.#info()) : "OK");
      if (answer === HANG_UP) return;
      if (answer === SILENCE) continue;
      if (typeof answer === "object" && "raw" in answer) {
        await connection.write(answer.raw);
        continue;
      }
      const data = typeof answer === "string" ? answer : answer.last;
      await connection.write(join(i32(bytesOf(data).length), data));
      if (typeof answer !== "string") return;
    }
  }

  #info() {
    return {
      tcp_port: this.port,
      http_port: this.#http.addr.port,
      version: "1.3.0",
      broadcast_address: this.#options.broadcastAddress ?? "127.0.0.1",
      hostname: "lookupd.example",
    };
  }
}

/** The bytes that come, in pieces that mean something. */
class Input {
  readonly #connection: Deno.TcpConn;
  #bytes = new Uint8Array();

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  async bytes(count: number): Promise<Uint8Array | undefined> {
    while (this.#bytes.length < count) if (!await this.#read()) return undefined;
    return this.#take(count);
  }

  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#bytes.indexOf(10);
      if (end >= 0) return textOf(this.#take(end + 1)).slice(0, -1);
      if (!await this.#read()) return undefined;
    }
  }

  async sized(): Promise<string> {
    const size = await this.bytes(4);
    const body = size && await this.bytes(new DataView(size.buffer, size.byteOffset).getInt32(0));
    return body === undefined ? "" : textOf(body);
  }

  #take(count: number): Uint8Array {
    const taken = this.#bytes.slice(0, count);
    this.#bytes = this.#bytes.slice(count);
    return taken;
  }

  async #read(): Promise<boolean> {
    const buffer = new Uint8Array(64 * 1024);
    const count = await this.#connection.read(buffer);
    if (count === null) return false;
    this.#bytes = join(this.#bytes, buffer.subarray(0, count));
    return true;
  }
}
