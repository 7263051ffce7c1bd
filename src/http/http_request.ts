/**
 * What a server hands to the program, whoever has read it from the connection. Types only.
 *
 * @module
 */
import type { Connection } from "../net/connection.ts";
import type { TlsState } from "../net/tls_server.ts";
import type { Answer } from "./answer.ts";

/** A request. Its target is not tidied up: handlers see what was sent. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query, a whole URL, or `*`. */
  readonly target: string;
  readonly headers: RequestHeaders;
  readonly body: HttpBody;
  /** `host:port` of the client, or `@` on a unix socket, as Go prints it. */
  readonly peer: string;
  /** Aborted when the client has gone before it had its answer. */
  readonly signal: AbortSignal;
  /** What was agreed on in TLS's handshake; absent in plain. */
  readonly tls: TlsState | undefined;
  /**
   * The answer by which the connection becomes a WebSocket, a stream of bytes, which is served then (websocket.ts).
   *
   * @throws {HttpError} If that is not what the client has asked for.
   */
  upgrade(options: UpgradeOptions): Answer;
}

/** What an upgrade to a WebSocket is about. */
export interface UpgradeOptions {
  /** The subprotocol; a client that says which ones it speaks must speak this one. */
  readonly protocol: string;
  /** Serves the stream to its end; never rejects. */
  readonly serve: (connection: Connection) => Promise<void>;
}

/** The headers of a request. */
export interface RequestHeaders {
  /** The first value of a name in lower case. */
  get(name: string): string | undefined;
  /** All values of a name in lower case; where the platform has joined them, one with commas between. */
  all(name: string): readonly string[];
}

/** The body of a request. */
export interface HttpBody {
  /** Its length in bytes, as the client has announced it; `undefined` of one that comes in chunks. */
  readonly announced: number | undefined;
  /**
   * The whole body, or `undefined` if it is longer than `limitBytes`: what lies beyond is left unread. The bytes are
   * the handler's until it has answered.
   *
   * @throws {HttpError} 500 if it cannot be read, because the client went away or broke the encoding; 503 if all
   * bodies together take too much memory.
   */
  read(limitBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

/** Answers a request; see `Router.handle`. */
export type RequestHandler = (request: HttpRequest) => Promise<Answer>;
