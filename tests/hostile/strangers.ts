/**
 * Connections of strangers, for hostile scenarios: who sends what, and how it ends. Whether the daemon refuses, closes or
 * answers is all the same to them.
 *
 * @module
 */

import { bytesOf, join } from "../support/frames.ts";

/** How a stranger goes: in order, when the daemon closes, or without a word (which resets what is unread). */
export type Leaving = "closed" | "refused" | "vanishing";

/** A stranger that still hopes to be refused gives up after so long. */
const REFUSAL_TIMEOUT_MS = 10_000;

/** Connects, sends, and goes. */
export async function stranger(
  address: string,
  parts: readonly (string | Uint8Array)[],
  leaving: Leaving = "refused",
): Promise<void> {
  const [hostname, port] = address.split(":");
  const connection = await Deno.connect({ hostname, port: Number(port) });
  try {
    await send(connection, join(...parts.map(bytesOf)));
    if (leaving === "closed") await connection.closeWrite();
    if (leaving !== "vanishing") await readToEnd(connection);
  } catch (error) {
    if (!isRefusal(error)) throw error;
  } finally {
    connection.close();
  }
}

/** Strangers that do the same at the same time. */
export async function crowd(count: number, work: (i: number) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, i) => work(i)));
}

async function send(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

async function readToEnd(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  const timer = setTimeout(() => connection.close(), REFUSAL_TIMEOUT_MS);
  try {
    while (await connection.read(buffer) !== null);
  } finally {
    clearTimeout(timer);
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe;
}
