/**
 * Connections of strangers, for hostile scenarios: who sends what, and how it ends. Whether the daemon refuses, closes or
 * answers is all the same to them.
 *
 * @module
 */

import { AssertionError } from "@std/assert";
import { every } from "../../src/base/every.ts";
import { PATIENCE_MS } from "../support/eventually.ts";
import { bytesOf, join } from "../support/frames.ts";

/** How a stranger goes: in order, when the daemon closes, or without a word (which resets what is unread). */
export type Leaving = "closed" | "refused" | "vanishing";

/** Between one byte of a slow stranger and the next. */
const DRIP_MS = 100;

/** Connects, sends, and goes. */
export function stranger(
  address: string,
  parts: readonly (string | Uint8Array)[],
  leaving: Leaving = "refused",
): Promise<void> {
  return withConnection(address, async (connection) => {
    await send(connection, join(...parts.map(bytesOf)));
    if (leaving === "closed") await connection.closeWrite();
    if (leaving !== "vanishing") await readToEnd(connection);
  });
}

/** Connects, sends, and then sends a byte now and then until it is refused. */
export function dripping(address: string, text: string): Promise<void> {
  return withConnection(address, async (connection) => {
    await send(connection, bytesOf(text));
    const refused = new AbortController();
    const reading = readToEnd(connection).finally(() => refused.abort());
    await Promise.all([reading, every(DRIP_MS, refused.signal, () => send(connection, bytesOf("x")))]);
  });
}

/** Connects, sends the one, and then the other again and again until it is refused; it never reads. */
export function flooding(address: string, first: string, more: string | Uint8Array): Promise<void> {
  const bytes = bytesOf(more);
  return withConnection(address, async (connection) => {
    await send(connection, bytesOf(first));
    for (;;) await send(connection, bytes);
  });
}

/** Strangers that do the same at the same time. */
export async function crowd(count: number, work: (i: number) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, i) => work(i)));
}

/** Talks over a connection until that is at its end or refused. */
async function withConnection(
  address: string,
  talk: (connection: Deno.Conn) => Promise<void>,
): Promise<void> {
  const end = address.lastIndexOf(":");
  const connection = await Deno.connect({
    hostname: address.slice(0, end),
    port: Number(address.slice(end + 1)),
  });
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new AssertionError("Nobody refuses a stranger")), PATIENCE_MS);
  try {
    await Promise.race([talk(connection), late]);
  } catch (error) {
    if (!isRefusal(error)) throw error;
  } finally {
    clearTimeout(timer);
    connection.close();
  }
}

async function send(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

async function readToEnd(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  while (await connection.read(buffer) !== null);
}

function isRefusal(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe;
}
