/**
 * What a server hands to the program: the part of a `Request` that handlers use, whoever has read it from the
 * connection, and who sent it. Types only.
 *
 * @module
 */

/** A request. Its URL is not tidied up, as `new Request()` would: handlers see what was sent. */
export type HttpRequest = Pick<Request, "method" | "url" | "headers" | "body" | "bytes" | "signal">;

/** Who sent a request. */
export interface Peer {
  readonly remoteAddr: Deno.Addr;
  /** Settles when the response is being sent; only `Deno.serve` tells. */
  readonly completed?: Promise<void>;
}

/** Answers a request; see `Router.handle`. */
export type RequestHandler = (request: HttpRequest, peer: Peer) => Promise<Response>;
