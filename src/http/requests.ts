/**
 * The requests in progress of one server, so that it can close when they have finished. Knows nothing of the
 * connections that they come on.
 *
 * @module
 */
import type { HttpRequest, Peer, RequestHandler } from "./http_request.ts";

/** How long a client that does not read may delay the last responses, at least, in ms. */
const SEND_TIME_MIN_MS = 100;

/** Counts the requests in progress, and refuses new ones when it is told to. */
export class Requests {
  readonly #handler: RequestHandler;
  readonly #none = Promise.withResolvers<void>();
  #closing = false;
  /** Requests in progress. */
  count = 0;

  constructor(handler: RequestHandler) {
    this.#handler = handler;
  }

  /** Answers a request; what sends the response is not waited for. */
  readonly handle = async (request: HttpRequest, peer: Peer): Promise<Response> => {
    if (this.#closing) return unavailable();
    this.count++;
    try {
      return await this.#handler(request, peer);
    } finally {
      this.#finish();
    }
  };

  /** Answers a request, which is in progress until its response has been sent. */
  async exchange(
    request: HttpRequest,
    peer: Peer,
    send: (response: Response) => Promise<void>,
  ): Promise<void> {
    const refused = this.#closing;
    this.count++;
    try {
      await send(refused ? unavailable() : await this.#handler(request, peer));
    } finally {
      this.#finish();
    }
  }

  /** Settles when the last request in progress has its response. */
  close(): Promise<void> {
    this.#closing = true;
    if (this.count === 0) this.#none.resolve();
    return this.#none.promise;
  }

  #finish(): void {
    this.count--;
    if (this.#closing && this.count === 0) this.#none.resolve();
  }
}

/** How long to wait for the last responses to be sent, when all is to end at `endMs`. */
export function sendTimeMs(endMs: number): number {
  return Math.max(endMs - performance.now(), SEND_TIME_MIN_MS);
}

/** True if `work` settles within the time. */
export async function settles(work: Promise<void>, timeMs: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), timeMs);
  });
  const inTime = await Promise.race([work.then(() => true), timeout]);
  clearTimeout(timer);
  return inTime;
}

function unavailable(): Response {
  return new Response(null, { status: 503, headers: { Connection: "close" } });
}
