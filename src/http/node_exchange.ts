/**
 * A request and its response as Node's HTTP server has them, in the form that handlers take. Routes and limits
 * are not its business: it reads no more of a body than it is asked for.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { HttpRequest } from "./http_request.ts";

/** A request that Node's HTTP parser reads. */
export class NodeRequest implements HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers = new Headers();
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  #body: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #signal: AbortSignal | undefined;

  constructor(incoming: IncomingMessage, outgoing: ServerResponse) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.method = incoming.method ?? "";
    this.url = absoluteUrl(incoming.url ?? "");
    const { rawHeaders } = incoming;
    for (let i = 0; i < rawHeaders.length; i += 2) this.headers.append(rawHeaders[i], rawHeaders[i + 1]);
  }

  /** The body, or `null` if none was announced. */
  get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    const { headers } = this;
    if (!headers.has("content-length") && !headers.has("transfer-encoding")) return null;
    return this.#body ??= ReadableStream.from(this.#chunks());
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.body === null ? new Uint8Array(0) : await new Response(this.body).bytes();
  }

  /** Aborted when the client has gone before it had its response. */
  get signal(): AbortSignal {
    if (this.#signal !== undefined) return this.#signal;
    const controller = new AbortController();
    const outgoing = this.#outgoing;
    const abortUnlessSent = () => {
      if (!outgoing.writableFinished) controller.abort();
    };
    if (outgoing.closed) abortUnlessSent();
    else outgoing.once("close", abortUnlessSent);
    return this.#signal = controller.signal;
  }

  async *#chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    // Only now, so that a client that asks before sending can be refused without its body.
    if (this.headers.has("expect")) this.#outgoing.writeContinue();
    // Whoever stops reading wants to answer: the connection must outlive that.
    yield* this.#incoming.iterator({ destroyOnReturn: false });
  }
}

/** Sends a response. Settles when it has been sent, or when the client has gone. */
export async function sendResponse(
  response: Response,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const body = response.body === null ? new Uint8Array(0) : await response.bytes();
  if (outgoing.closed || outgoing.destroyed) return;
  const closed = new Promise<void>((resolve) => outgoing.once("close", resolve));
  outgoing.statusCode = response.status;
  for (const [name, value] of response.headers) outgoing.setHeader(name, value);
  outgoing.setHeader("content-length", body.length);
  // What is left of a body nobody reads; the next request could not be found behind it.
  if (!incoming.complete) outgoing.setHeader("connection", "close");
  outgoing.end(body);
  await closed;
}

/** The target of a request as the URL that `Deno.serve` makes of it; the host in it is of no meaning. */
function absoluteUrl(target: string): string {
  if (target.startsWith("/")) return `https://localhost${target}`;
  return target.includes("://") ? target : `https://localhost/${target}`;
}
