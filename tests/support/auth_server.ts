/**
 * An auth server that answers as a test tells it to, and remembers what it was asked.
 *
 * @module
 */

/** What it was asked. */
export interface AuthQuery {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly accept: string | null;
  readonly contentType: string | null;
  readonly body: string;
}

/** How to answer. */
export type AuthAnswer = (query: AuthQuery) => Response | Promise<Response>;

/** May do everything, for an hour. */
export const ALLOW_ALL = {
  ttl: 3600,
  identity: "somebody",
  identity_url: "http://identity",
  authorizations: [{ topic: ".*", channels: [".*"], permissions: ["subscribe", "publish"] }],
};

/** A listening auth server. */
export class AuthServer implements AsyncDisposable {
  readonly queries: AuthQuery[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #end = new AbortController();

  constructor(answer: AuthAnswer, tls?: { readonly cert: string; readonly key: string }) {
    const handler = async (request: Request) => {
      const { pathname, search } = new URL(request.url);
      const query = {
        method: request.method,
        target: pathname + search,
        accept: request.headers.get("Accept"),
        contentType: request.headers.get("Content-Type"),
        body: await request.text(),
      };
      this.queries.push(query);
      return await answer(query);
    };
    const address = { hostname: "127.0.0.1", port: 0, signal: this.#end.signal, onListen: () => {} };
    this.#server = Deno.serve({ ...address, ...tls }, handler);
  }

  /** `host:port`. */
  get address(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Also what waits for an answer ends at once.
    this.#end.abort();
    await this.#server.finished;
  }
}
