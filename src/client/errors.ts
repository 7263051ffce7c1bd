/**
 * What can go wrong for a client. Every error has a `code` that stays the same while messages may change.
 *
 * @module
 */

/** Any error of this library. */
export class NsqError extends Error {
  override readonly name: string = "NsqError";
  /** Names the error: `E_BAD_TOPIC` and the like of nsqd's, `CONNECTION` and the like of the client's own. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** There is no connection to a node, or it has ended. */
export class ConnectionError extends NsqError {
  override readonly name = "ConnectionError";
  /** Which node. */
  readonly node: string;

  constructor(node: string, message: string, options?: ErrorOptions) {
    super("CONNECTION", message, options);
    this.node = node;
  }
}

/** Something has taken too long. */
export class TimeoutError extends NsqError {
  override readonly name = "TimeoutError";

  constructor(message: string, options?: ErrorOptions) {
    super("TIMEOUT", message, options);
  }
}

/** The producer or consumer has been closed. */
export class ClosedError extends NsqError {
  override readonly name = "ClosedError";

  constructor(message: string, options?: ErrorOptions) {
    super("CLOSED", message, options);
  }
}

/** More waits to be published than may. */
export class QueueFullError extends NsqError {
  override readonly name = "QueueFullError";

  constructor(message: string) {
    super("QUEUE_FULL", message);
  }
}

/** An nsqd has said no. */
export class NsqdError extends NsqError {
  override readonly name = "NsqdError";
  /** Which node. */
  readonly node: string;

  /** @param text What it said: `E_BAD_TOPIC PUB topic name "a b" is not valid` for example. */
  constructor(node: string, text: string, options?: ErrorOptions) {
    super(/^E_\w+/.exec(text)?.[0] ?? "E_UNKNOWN", text, options);
    this.node = node;
  }
}

/** A message was not published, or it is not known whether it was. */
export class PublishError extends NsqError {
  override readonly name = "PublishError";
  /** What went wrong with each attempt, the last at the end. */
  readonly causes: readonly Error[];
  /** It was sent and not answered: it may have been published all the same. */
  readonly ambiguous: boolean;

  constructor(message: string, options: { readonly causes: readonly Error[]; readonly ambiguous: boolean }) {
    const last = options.causes.at(-1);
    super(
      options.ambiguous ? "AMBIGUOUS" : "NOT_PUBLISHED",
      last ? `${message}: ${last.message}` : message,
      last && { cause: last },
    );
    this.causes = options.causes;
    this.ambiguous = options.ambiguous;
  }
}
