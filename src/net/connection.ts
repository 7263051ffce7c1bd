/**
 * A byte stream to a peer, and the forms it comes in. Protocol code knows this interface only.
 *
 * @module
 */

/** A connection; a plain `Deno.Conn` is one, TLS and compressed ones wrap another. */
export interface Connection {
  /** Who is at the other end: `127.0.0.1:1234`, or `@` over a unix socket, as Go prints it. */
  readonly peer: string;
  /** Reads into the buffer; the number of bytes, or null at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes; returns how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends it in both directions; may be called again. */
  close(): void;
}

/** A socket of Deno's. */
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

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#conn.read(buffer);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }
}

/** An address as Go prints it. */
export function addressText(address: Deno.Addr): string {
  if (address.transport !== "tcp" && address.transport !== "udp") {
    return "path" in address && address.path || "@";
  }
  const host = address.hostname.includes(":") ? `[${address.hostname}]` : address.hostname;
  return `${host}:${address.port}`;
}

/** True for the errors that a connection ends with when one side has closed it. */
export function isDisconnect(error: unknown): boolean {
  return error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.NotConnected;
}

function isTcp(conn: Deno.Conn): conn is Deno.TcpConn {
  return conn.remoteAddr.transport === "tcp";
}
