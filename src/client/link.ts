/**
 * A byte stream to a node, as a client needs it, and the port through which one is made. Told by calls and not by
 * promises, because a chunk holds hundreds of messages and a promise for each would cost more than they do.
 *
 * @module
 */

import type { NodeAddress } from "./address.ts";
import type { ConnectionOptions, TlsOptions } from "./options.ts";

/** Whoever reads a link. */
export interface LinkOwner {
  /** Bytes have come; they stay as they are. What it throws ends the link. */
  received(bytes: Uint8Array): void;
  /** The link has ended, once; with an error unless one side has closed it in order. */
  ended(error?: Error): void;
}

/** A byte stream. */
export interface Link {
  /** Who is told; another one while a layer is put on it. Nothing is told before there is an owner. */
  owner: LinkOwner | undefined;
  /** Writes bytes, which must stay as they are until `done`. One write at a time. */
  write(bytes: Uint8Array, done: (error?: Error | null) => void): void;
  /** Sends what was written and ends; the peer's answers may still come until it ends too. */
  end(): void;
  /** Ends it at once in both directions; may be called again. */
  destroy(): void;
  /** The same stream with TLS on it, where the transport has that. */
  startTls?(options: TlsOptions, signal: AbortSignal): Promise<Link>;
}

/** Makes links to nodes. */
export interface Transport {
  /** Connects; the signal ends the attempt. */
  connect(address: NodeAddress, options: DialOptions): Promise<Link>;
}

/** How to connect. */
export interface DialOptions {
  readonly signal: AbortSignal;
  /** The host, and port if any, of this machine to connect from. */
  readonly localAddress?: string;
  readonly tls?: TlsOptions;
  /** The secret, for transports that show it themselves. */
  readonly authSecret?: ConnectionOptions["authSecret"] | undefined;
}
