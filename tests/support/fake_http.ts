/**
 * A server of HTTP that answers as a test tells it to, and remembers what it was asked.
 *
 * @module
 */

/** A request, as a test looks at it. */
export interface FakeHttpRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Headers;
  readonly body: string;
}

/** A listening server. */
export class FakeHttp implements AsyncDisposable {
  readonly requests: FakeHttpRequest[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #end = new AbortController();

  /** At any port, unless it is to end while somebody goes on asking: then no stranger is to be given its port. */
  constructor(
    answer: (request: FakeHttpRequest) => Response | Promise<Response> = () => new Response(""),
    { port = 0 }: { readonly port?: number } = {},
  ) {
    const options = { hostname: "127.0.0.1", port, signal: this.#end.signal, onListen: () => {} };
    this.#server = Deno.serve(options, async (request) => {
      const { method, headers } = request;
      const { pathname, search } = new URL(request.url);
      const asked = { method, target: pathname + search, headers, body: await request.text() };
      this.requests.push(asked);
      return await answer(asked);
    });
  }

  /** `host:port`. */
  get address(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  /** `METHOD target` of all requests. */
  get asked(): string[] {
    return this.requests.map(({ method, target }) => `${method} ${target}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#server.finished;
  }
}

/** A server that sends these bytes to whoever connects, and no more; what it is asked is of no interest. */
export class RawAnswerer implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  readonly #done: Promise<void>;

  /** With `keeps`, connections stay open after that. */
  constructor(bytes: string, { keeps = false }: { readonly keeps?: boolean } = {}) {
    this.#done = this.#serve(new TextEncoder().encode(bytes), keeps);
  }

  /** `host:port`. */
  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) connection.close();
    await this.#done;
  }

  async #serve(bytes: Uint8Array, keeps: boolean): Promise<void> {
    for await (const connection of this.#listener) {
      this.#open.add(connection);
      await connection.read(new Uint8Array(4096));
      for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
      if (keeps) continue;
      this.#open.delete(connection);
      connection.close();
    }
  }
}
