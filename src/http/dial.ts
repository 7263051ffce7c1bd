/**
 * Connections to other HTTP servers, in plain or over TLS. Why there is none is said in the words of Go's client, which operators
 * of NSQ know, or else in those of the system.
 *
 * In plain by the runtime's own socket, and over TLS by Node's: the runtime's has no way not to verify a certificate.
 *
 * @module
 */

import type { ConnectionOptions, TLSSocket } from "node:tls";
import { errorText } from "../base/error_text.ts";
import { hostPort } from "../base/host_port.ts";
import { type Connection, DenoConnection } from "../net/connection.ts";

/** How certificates of servers are verified, and what is shown to them. */
export interface ClientTls {
  /** Authorities, in PEM form, in place of those that the runtime knows. */
  readonly rootCa?: string | undefined;
  /** Certificate and key to be shown, in PEM form. */
  readonly pair?: { readonly cert: string; readonly key: string } | undefined;
  /** Whatever certificate a server has will do. */
  readonly skipVerify?: boolean;
}

/** Who is connected to, and how. */
export interface DialOptions {
  /** A name or an address, that of IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** Undefined in plain. */
  readonly tls: ClientTls | undefined;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Is called when there is a connection, on which TLS may be still to come. */
  readonly onConnected: () => void;
}

/** A connection, which is the caller's to close. @throws {Error} Why there is none. */
export async function dial(options: DialOptions): Promise<Connection> {
  const { host, port, tls, signal, onConnected } = options;
  try {
    if (tls !== undefined) return await dialTls(options, tls);
    const connection = new DenoConnection(await Deno.connect({ hostname: host, port, signal }));
    onConnected();
    return connection;
  } catch (cause) {
    throw new Error(failureText(cause, options), { cause });
  }
}

async function dialTls(
  { host, port, signal, onConnected }: DialOptions,
  tls: ClientTls,
): Promise<Connection> {
  const [{ connect }, { isIP }] = [await import("node:tls"), await import("node:net")];
  const { ReadGate, StreamConnection } = await import("../net/node_stream.ts");
  const { rootCa, pair, skipVerify = false } = tls;
  const options: ConnectionOptions = {
    host,
    port,
    rejectUnauthorized: !skipVerify,
    ...isIP(host) === 0 && { servername: host },
    ...rootCa !== undefined && { ca: rootCa },
    ...pair !== undefined && { cert: pair.cert, key: pair.key },
  };
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const socket = connect(options, () => resolve(socket));
  const onAbort = () => {
    reject(signal.reason);
    socket.destroy();
  };
  signal.addEventListener("abort", onAbort);
  socket.on("connect", onConnected);
  // There may be several, and the first says why.
  socket.on("error", reject);
  socket.on("close", () => reject(new Error("unexpected EOF")));
  try {
    return new StreamConnection(await promise, new ReadGate(), hostPort({ hostname: host, port }));
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** How the runtime begins to say that there is no address to a name. */
const UNKNOWN = "failed to lookup address information: ";

function failureText(error: unknown, { host, port }: DialOptions): string {
  const text = errorText(error);
  const peer = hostPort({ hostname: host, port });
  const code = codeOf(error);
  if (code === "ECONNREFUSED") return `dial tcp ${peer}: connect: connection refused`;
  if (text.startsWith(UNKNOWN) && text.includes("Temporary")) return `getaddrinfo EAI_AGAIN ${host}`;
  if (code === "ENOTFOUND" || text.startsWith(UNKNOWN)) return `dial tcp: lookup ${host}: no such host`;
  return code !== undefined && error instanceof Error && text.includes("(os error")
    ? `connect ${code} ${peer}`
    : text;
}

/** The system's name of what has gone wrong, such as `ECONNRESET`. */
export function codeOf(error: unknown): string | undefined {
  const { code } = error as { readonly code?: unknown };
  return typeof code === "string" ? code : undefined;
}
