/**
 * The error that a handler throws to refuse a request (internal/http_api/api_response.go, `Err`). Whatever else
 * a handler throws is a fault of the program and becomes a 500.
 *
 * @module
 */
import type { Header } from "./answer.ts";

/** What else an {@linkcode HttpError} may be made from. */
export interface HttpErrorOptions extends ErrorOptions {
  /** Headers of the answer. */
  readonly headers?: readonly Header[];
}

/** A request is refused with `status`; the message is the text that the client gets. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  /** Status code of the answer. */
  readonly status: number;
  /** Headers of the answer, beside those that every answer has. */
  readonly headers: readonly Header[];

  constructor(status: number, text: string, options?: HttpErrorOptions) {
    super(text, options);
    this.status = status;
    this.headers = options?.headers ?? [];
  }
}

/** All bodies together take as much memory as they may. */
export function tooManyBodies(): HttpError {
  return new HttpError(503, "TOO_MANY_BODIES", { headers: [["Retry-After", "1"]] });
}
