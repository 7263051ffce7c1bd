/**
 * What is put on a connection that has begun in plain: TLS, or compression. Where that is done is the connection's business:
 * one that is read and written by another thread has its layers there.
 *
 * @module
 */

import { type Connection, UnreadConnection } from "./connection.ts";
import type { TlsServer, TlsUpgrade } from "./tls_server.ts";

/** A layer, and with what. */
export type Layer =
  | { readonly kind: "tls"; readonly server: TlsServer }
  | { readonly kind: "deflate"; readonly level: number }
  | { readonly kind: "snappy" };

/** A connection with a layer on it. */
export interface Layered {
  readonly connection: Connection;
  /** What was agreed on, and why the client is not to be served; absent but for TLS. */
  readonly tls?: Pick<TlsUpgrade, "state" | "refusal">;
}

/**
 * Puts a layer on a connection, of which `unread` has been read already and belongs to the layer.
 *
 * @throws {Error} When a handshake fails; the connection is closed then.
 */
export async function putLayer(
  connection: Connection,
  layer: Layer,
  unread: Uint8Array = new Uint8Array(),
): Promise<Layered> {
  if (connection.putLayer) return await connection.putLayer(layer, unread);
  const below = unread.length > 0 ? new UnreadConnection(connection, unread) : connection;
  if (layer.kind === "snappy") {
    const { SnappyConnection } = await import("./snappy.ts");
    return { connection: new SnappyConnection(below) };
  }
  if (layer.kind === "deflate") {
    const { DeflateConnection } = await import("./deflate.ts");
    return { connection: new DeflateConnection(below, layer.level) };
  }
  const { connection: above, state, refusal } = await layer.server.upgrade(below);
  return { connection: above, tls: { state, refusal } };
}
