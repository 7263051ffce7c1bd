/**
 * A byte stream to a peer, and the forms it comes in. Protocol code knows this interface only.
 *
 * @module
 */

import { hostPort } from "../base/host_port.ts";
import type { Layer, Layered } from "./layer.ts";

/** How an address of IPv4 begins when it is told as one of IPv6. */
const MAPPED = "::ffff:";

/** A connection; a plain `Deno.Conn` is one, TLS and compressed ones wrap another. */
export interface Connection {
  /** Who is at the other end: `127.0.0.1:1234`, or `@` over a unix socket, as Go prints it. */
  readonly peer: string;
  /** Reads into the buffer; the number of bytes, or null at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes; returns how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Bytes that it may have taken to be written, and the system has not: they wait like those of an output. @default {0} */
  readonly writeAhead?: number;
  /** Says that no more will be written, where the transport can: what the peer still sends can be read. */
  closeWrite?(): Promise<void>;
  /**
   * Puts a layer on itself, where it does not do so by what is above it; `unread` has been read of it, and belongs to the layer.
   *
   * @throws {Error} When that fails; it is closed then.
   */
  readonly putLayer?: ((layer: Layer, unread: Uint8Array) => Promise<Layered>) | undefined;
  /** Ends it in both directions; may be called again. */
  close(): void;
}

/** Writes all of the bytes. */
export async function writeAll(connection: Pick<Connection, "write">, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

/** A connection of which some bytes have been read already, and are given back. */
export class UnreadConnection implements Connection {
  readonly peer: string;
  readonly #inner: Connection;
  #unread: Uint8Array;

  constructor(inner: Connection, unread: Uint8Array) {
    this.peer = inner.peer;
    this.#inner = inner;
    this.#unread = unread;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    if (this.#unread.length === 0) return this.#inner.read(buffer);
    const part = this.#unread.subarray(0, buffer.length);
    buffer.set(part);
    this.#unread = this.#unread.subarray(part.length);
    return Promise.resolve(part.length);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#inner.write(bytes);
  }

  close(): void {
    this.#inner.close();
  }
}

/** A socket of Deno's, with TLS or without. */
export class DenoConnection implements Connection {
  readonly peer: string;
  readonly #conn: Deno.Conn;
  #closed = false;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
    this.peer = addressText(conn.remoteAddr);
    // Whole batches are written at once: waiting for more would only delay them.
    if (isTcp(conn)) conn.setNoDelay(true);
  }

  /** Lets the kernel ask now and then whether the peer is still there, with the kernel's own times. */
  keepAlive(): void {
    if (isTcp(this.#conn)) this.#conn.setKeepAlive(true);
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#conn.read(buffer);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }
}

/** An address as Go prints it: a peer of IPv4 is one, also where both are listened to. */
export function addressText(address: Deno.Addr): string {
  // By what there is and not by `transport`, which older versions of the runtime leave out over TLS.
  if ("cid" in address) return `vsock:${address.cid}:${address.port}`;
  if (!("hostname" in address)) return "path" in address && address.path || "@";
  const { hostname, port } = address;
  return hostPort({ hostname: hostname.startsWith(MAPPED) ? hostname.slice(MAPPED.length) : hostname, port });
}

/** The host in an address as Go prints it, or "" of a unix socket's. */
export function hostOf(address: string): string {
  const end = address.lastIndexOf(":");
  return end < 0 ? "" : address.slice(0, end).replace(/^\[|\]$/g, "");
}

/** True for the errors that a connection ends with when one side has closed it. */
export function isDisconnect(error: unknown): boolean {
  return error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.NotConnected;
}

function isTcp(conn: Deno.Conn): conn is Deno.TcpConn {
  return conn.remoteAddr.transport === "tcp" && "setNoDelay" in conn;
}
