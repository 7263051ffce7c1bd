/**
 * What a peer did wrong, in NSQ's words (internal/protocol/errors.go): `message` is a byte string (each
 * character stands for a byte) that goes over the wire as it is, `cause` goes to the log only.
 *
 * @module
 */

/** The error codes of protocol V2 and of nsqlookupd's V1. */
export type ErrorCode =
  | "E_INVALID"
  | "E_BAD_BODY"
  | "E_BAD_CHANNEL"
  | "E_BAD_MESSAGE"
  | "E_BAD_PROTOCOL"
  | "E_BAD_TOPIC"
  | "E_AUTH_DISABLED"
  | "E_AUTH_ERROR"
  | "E_AUTH_FAILED"
  | "E_AUTH_FIRST"
  | "E_UNAUTHORIZED"
  | "E_DPUB_FAILED"
  | "E_FIN_FAILED"
  | "E_IDENTIFY_FAILED"
  | "E_MPUB_FAILED"
  | "E_PUB_FAILED"
  | "E_REQ_FAILED"
  | "E_SUB_FAILED"
  | "E_TOUCH_FAILED";

/** Only these leave the connection open. */
const NOT_FATAL: ReadonlySet<ErrorCode> = new Set(["E_FIN_FAILED", "E_REQ_FAILED", "E_TOUCH_FAILED"]);

/** A command that cannot be carried out. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, description: string, options?: ErrorOptions) {
    super(`${code} ${description}`, options);
    this.code = code;
  }

  /** True when the connection is closed after the error has been sent. */
  get fatal(): boolean {
    return !NOT_FATAL.has(this.code);
  }
}
