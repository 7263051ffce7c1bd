/**
 * The error that a handler throws to refuse a request (internal/http_api/api_response.go, `Err`). Whatever else
 * a handler throws is a fault of the program and becomes a 500.
 *
 * @module
 */

/** A request is refused with `status`; the message is the text that the client gets. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  /** Status code of the response. */
  readonly status: number;

  constructor(status: number, text: string, options?: ErrorOptions) {
    super(text, options);
    this.status = status;
  }
}
