/**
 * Serves HTTP by `Deno.serve`, for platforms that accept the connections themselves: Deno Deploy takes what is served so
 * first, and leads its own traffic there whatever the address (it sets `DENO_SERVE_ADDRESS`). Limits of connections and of
 * time are the platform's; those of bodies, and what a Host may be, are the same as server.ts has.
 *
 * How a server closes. The runtime can finish its requests (`shutdown`) or cut them off (an abort signal), but not do
 * one after the other: once it has been asked to finish, a client that hangs makes it wait for ever. So requests are
 * counted here, and new ones get 503: when none is left, the runtime sends the last answers; when time is up, the signal
 * ends them.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { AsyncGroup } from "../base/async_group.ts";
import { errorText } from "../base/error_text.ts";
import { othersFirst } from "../base/every.ts";
import { Seldom } from "../base/seldom.ts";
import type { Address } from "../config/address.ts";
import { addressText, type Connection } from "../net/connection.ts";
import { cannotListen } from "../net/listener.ts";
import type { TlsState } from "../net/tls_server.ts";
import { removeSocket } from "../net/unix_socket.ts";
import { Answer, HeaderBlock } from "./answer.ts";
import type { BodyBudget } from "./body_budget.ts";
import { isHost } from "./head.ts";
import { HttpError, tooManyBodies } from "./http_error.ts";
import type { HttpBody, HttpRequest, RequestHeaders, UpgradeOptions } from "./http_request.ts";
import { RuntimeSocket } from "./runtime_socket.ts";
import type { HttpServer, ServeOptions } from "./server.ts";
import { checkHandshake } from "./websocket.ts";

/** How long clients may take to read the last answers, in ms. */
const SEND_TIME_MS = 1000;
/** How long after the end of a listener the next one is tried, in ms. */
const RETRY_MS = 50;
/**
 * Bodies that are announced as no longer than this, in bytes, are read by the runtime in one piece: its streams cost
 * three times as much as a whole publish. For longer ones it would take memory before they come.
 */
const READ_AT_ONCE_MAX = 64 * 1024;
/** Chunks that are read in one turn of the event loop: some 50 µs each. */
const CHUNKS_IN_TURN = 64;

const NO_HEADERS = new HeaderBlock([]);
const CLOSING = new Answer(503, NO_HEADERS);
const MALFORMED_HOST = new Answer(400, NO_HEADERS, "400 Bad Request: malformed Host header");
const FAULT = new Answer(500, NO_HEADERS);

/**
 * Listens and serves. Nothing but certificate and key is heeded of TLS's conditions.
 *
 * @throws {Error} If it can't listen, or conditions are asked for that it cannot keep.
 */
export function serveWithRuntime(options: ServeOptions): HttpServer {
  const { tls } = options;
  if (tls !== undefined && (tls.options.clientAuth !== "none" || tls.options.minVersion !== "TLSv1.2")) {
    throw new Error("Cannot ask for client certificates or TLS 1.3 where the platform serves HTTPS");
  }
  return new RuntimeServer(options);
}

class RuntimeServer implements HttpServer {
  readonly address: string;
  readonly port: number | undefined;
  readonly refused = 0;
  readonly finished: Promise<void>;
  readonly #options: ServeOptions;
  readonly #name: string;
  readonly #idle = Promise.withResolvers<void>();
  readonly #sockets = new AsyncGroup();
  /** Settles when clients are left behind that do not let the runtime end. */
  readonly #left = Promise.withResolvers<void>();
  /** Where to listen another time: where any port will do, it must be the same. */
  #where: Address;
  #server: Deno.HttpServer<Deno.Addr>;
  /** Each of the runtime's servers has its own: one that has ended must not be cut off again. */
  #abort = new AbortController();
  /** Requests whose answers are not out. */
  #count = 0;
  #closing = false;

  constructor(options: ServeOptions) {
    this.#options = options;
    this.#name = options.name ?? (options.tls === undefined ? "HTTP" : "HTTPS");
    this.#where = options.address;
    try {
      this.#server = this.#listen();
    } catch (cause) {
      throw cannotListen(options.address, cause);
    }
    const { addr } = this.#server;
    // A port of vsock is another kind of number.
    this.port = "hostname" in addr ? addr.port : undefined;
    this.address = addressText(addr);
    if (this.#where.kind === "tcp" && this.port !== undefined) {
      this.#where = { ...this.#where, port: this.port };
    }
    options.logger.info(`${this.#name}: listening on ${this.address}`);
    this.finished = Promise.race([this.#run(), this.#left.promise]);
  }

  renew(): void {
    throw new TypeError("The platform has the certificate");
  }

  async close({ graceMs }: { readonly graceMs: number }): Promise<void> {
    const { logger } = this.#options;
    logger.info(`${this.#name}: closing ${this.address}`);
    this.#closing = true;
    if (this.#count === 0) this.#idle.resolve();
    const timer = setTimeout(() => this.#idle.resolve(), graceMs);
    await this.#idle.promise;
    clearTimeout(timer);
    await this.#endSockets(graceMs);
    if (this.#count > 0) {
      logger.warn(`${this.#name}: cut off ${this.#count} requests after ${graceMs}ms`);
      this.#abort.abort();
      // Older versions of the runtime do not end then (Deno 2.5.0).
      await this.#endOrLeave(this.finished, "requests that the runtime does not cut off");
    } else {
      // What has been answered may still be on its way to clients that read slowly.
      await this.#endOrLeave(this.#server.shutdown(), "clients that do not read their answers");
    }
    await this.finished;
  }

  /** WebSockets are ended by whoever serves them; the runtime does not count them. */
  async #endSockets(graceMs: number): Promise<void> {
    try {
      await this.#sockets.wait({ timeoutMs: graceMs });
    } catch (error) {
      this.#options.logger.warn(`${this.#name}: ${errorText(error)}`);
    }
  }

  /** What the runtime tells of TLS: that it is there. */
  get #tls(): TlsState | undefined {
    return this.#options.tls && { version: "", cipherSuite: "", commonName: "" };
  }

  /** Waits for the end a while: nothing but Deno.exit ends what is left then, and the process does not end by itself. */
  async #endOrLeave(end: Promise<void>, left: string): Promise<void> {
    const timer = setTimeout(() => {
      this.#options.logger.warn(`${this.#name}: left behind ${left}`);
      this.#left.resolve();
    }, SEND_TIME_MS);
    await Promise.race([end, this.#left.promise]);
    clearTimeout(timer);
  }

  /** The runtime's loop ends with the first accept that fails; whatever it fails with, this one goes on. */
  async #run(): Promise<void> {
    const failed = new Seldom((text) => this.#options.logger.warn(`${this.#name}: ${text}`));
    while (!this.#closing) {
      try {
        await this.#server.finished;
      } catch (error) {
        failed.say(`temporary Accept() failure - ${errorText(error)}`);
      }
      if (!this.#closing) await this.#listenAgain(failed);
    }
    if (this.#where.kind === "unix") removeSocket(this.#where.path);
  }

  async #listenAgain(failed: Seldom): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    if (this.#closing) return;
    try {
      if (this.#where.kind === "unix") removeSocket(this.#where.path);
      this.#server = this.#listen();
    } catch (error) {
      failed.say(`cannot listen again - ${errorText(error)}`);
    }
  }

  #listen(): Deno.HttpServer<Deno.Addr> {
    const { logger, tls } = this.#options;
    this.#abort = new AbortController();
    const settings = {
      signal: this.#abort.signal,
      onListen: () => {},
      onError: (error: unknown): Response => {
        logger.error(`${this.#name}: failed to respond - ${errorText(error)}`);
        return responseOf(FAULT);
      },
      // Go's server never compresses; older versions of the runtime would.
      automaticCompression: false,
      ...tls && { cert: tls.options.cert, key: tls.options.key },
    };
    const address = this.#where;
    if (address.kind === "unix") return Deno.serve({ ...settings, path: address.path }, this.#handle);
    const { port } = address;
    // The runtime has no empty name for every address.
    const hostname = address.hostname === "" ? "0.0.0.0" : address.hostname;
    return Deno.serve({ ...settings, hostname, port }, this.#handle);
  }

  readonly #handle = async (request: Request, info: Deno.ServeHandlerInfo<Deno.Addr>): Promise<Response> => {
    if (this.#closing) return responseOf(CLOSING);
    this.#count++;
    info.completed.then(this.#onCompleted, this.#onCompleted);
    const { handler, limits: { budget } } = this.#options;
    // It is a part of the URL, and could be taken for a part of the path.
    if (!isHost(request.headers.get("host") ?? "")) return responseOf(MALFORMED_HOST);
    const body = new StreamBody(request, budget);
    try {
      const peer = addressText(info.remoteAddr);
      const answer = await handler(
        new RuntimeRequest(request, { body, peer, tls: this.#tls, sockets: this.#sockets }),
      );
      return answer instanceof SocketAnswer ? answer.response : responseOf(answer);
    } finally {
      body.release();
    }
  };

  readonly #onCompleted = (): void => {
    this.#count--;
    if (this.#closing && this.#count === 0) this.#idle.resolve();
  };
}

/** The runtime has answered, and made the connection a WebSocket. */
class SocketAnswer extends Answer {
  readonly response: Response;

  constructor(response: Response) {
    super(101, NO_HEADERS);
    this.response = response;
  }
}

/** An answer as the runtime sends it. */
function responseOf({ status, headers, body }: Answer): Response {
  return new Response(body === "" ? null : typeof body === "string" ? body : contentOf(body), {
    status,
    headers: headers.list.map(([...header]) => header),
  });
}

/** What is one piece has a length; more go out one by one, as the client takes them. */
function contentOf(
  pieces: readonly Uint8Array<ArrayBuffer>[] | ReadableStream<Uint8Array<ArrayBuffer>>,
): BodyInit {
  if (pieces instanceof ReadableStream) return pieces;
  if (pieces.length === 1) return pieces[0];
  const rest = pieces.values();
  return new ReadableStream({
    pull(controller) {
      const { done, value } = rest.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}

class RuntimeRequest implements HttpRequest {
  readonly body: StreamBody;
  readonly peer: string;
  readonly tls: TlsState | undefined;
  readonly target: string;
  readonly #request: Request;
  readonly #sockets: AsyncGroup;

  constructor(
    request: Request,
    of: {
      readonly body: StreamBody;
      readonly peer: string;
      readonly tls: TlsState | undefined;
      readonly sockets: AsyncGroup;
    },
  ) {
    this.#request = request;
    this.#sockets = of.sockets;
    this.body = of.body;
    this.peer = of.peer;
    this.tls = of.tls;
    // By hand, because `new URL` would hide double slashes and dots.
    const { url } = request;
    this.target = url.slice(url.indexOf("/", url.indexOf("://") + 3));
  }

  get method(): string {
    return this.#request.method;
  }

  get headers(): RequestHeaders {
    const get = (name: string) => this.#request.headers.get(name) ?? undefined;
    return {
      get,
      all(name) {
        const joined = get(name);
        return joined === undefined ? [] : [joined];
      },
    };
  }

  get signal(): AbortSignal {
    return this.#request.signal;
  }

  upgrade({ protocol, serve }: UpgradeOptions): Answer {
    const { isOffered } = checkHandshake(this, protocol);
    const { socket, response } = Deno.upgradeWebSocket(this.#request, isOffered ? { protocol } : {});
    const connection: Connection = new RuntimeSocket(socket, this.peer);
    this.#sockets.spawn(`socket ${this.peer}`, () => serve(connection));
    return new SocketAnswer(response);
  }
}

/** A body that comes as a stream. */
class StreamBody implements HttpBody {
  readonly announced: number | undefined;
  readonly #request: Request;
  readonly #budget: BodyBudget;
  #taken = 0;

  constructor(request: Request, budget: BodyBudget) {
    this.#request = request;
    this.#budget = budget;
    const length = request.headers.get("content-length");
    // What is told of it is not believed: bytes are counted as they come.
    this.announced = request.body === null ? 0 : /^\d+$/.test(length ?? "") ? Number(length) : undefined;
  }

  async read(limitBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { announced } = this;
    const stream = this.#request.body;
    if (stream === null) return new Uint8Array(0);
    if (announced !== undefined && announced > limitBytes) return undefined;
    try {
      if (announced === undefined || announced > READ_AT_ONCE_MAX) {
        return await this.#readChunks(stream, limitBytes);
      }
      this.#take(announced);
      const bytes = await this.#request.bytes();
      return bytes.length > limitBytes ? undefined : bytes;
    } catch (cause) {
      if (cause instanceof HttpError) throw cause;
      throw new HttpError(500, "INTERNAL_ERROR", { cause });
    }
  }

  /** Gives the budget back what the body has taken. */
  release(): void {
    this.#budget.giveBack(this.#taken);
    this.#taken = 0;
  }

  async #readChunks(
    stream: ReadableStream<Uint8Array<ArrayBuffer>>,
    limitBytes: number,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of stream) {
      length += chunk.length;
      if (length > limitBytes) return undefined;
      this.#take(chunk.length);
      chunks.push(chunk);
      if (chunks.length % CHUNKS_IN_TURN === 0) await othersFirst();
    }
    return concat(chunks);
  }

  #take(size: number): void {
    if (!this.#budget.take(size)) throw tooManyBodies();
    this.#taken += size;
  }
}
