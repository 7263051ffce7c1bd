/**
 * Bytes to a daemon and back, for requests whose answers nobody looks into.
 *
 * @module
 */

import { bytesOf, join } from "../../tests/support/frames.ts";

/** What is sent; text stands for its bytes. */
export type Part = string | Uint8Array;

/** An answer that has not ended by then is as good as none, in ms. */
const END_TIMEOUT_MS = 60_000;

/** Connects to `host:port`. */
export function connect(address: string): Promise<Deno.TcpConn> {
  const [hostname, port] = address.split(":");
  return Deno.connect({ hostname, port: Number(port) });
}

/** Sends all of it, and reads until so many bytes have come or the other side has ended; the count of bytes. */
export async function exchange(
  connection: Deno.Conn,
  parts: readonly Part[],
  until: number = Infinity,
): Promise<number> {
  const timer = setTimeout(() => {
    throw new Error(`The daemon has not ended within ${END_TIMEOUT_MS} ms what was sent to it`);
  }, END_TIMEOUT_MS);
  const reading = readUntil(connection, until);
  try {
    const bytes = join(...parts.map(bytesOf));
    for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  } catch (error) {
    // It may be refused before all has been sent.
    if (!isReset(error)) throw error;
  }
  try {
    return await reading;
  } finally {
    clearTimeout(timer);
  }
}

/** Sends it over a connection of its own, and reads to the end. */
export async function exchangeOnce(address: string, parts: readonly Part[], until?: number): Promise<number> {
  const connection = await connect(address);
  try {
    return await exchange(connection, parts, until);
  } finally {
    connection.close();
  }
}

/** A request of HTTP after which the connection ends; what is answered is read and thrown away. */
export async function request(
  address: string,
  method: string,
  target: string,
  body: Part = "",
  headers: readonly string[] = [],
): Promise<void> {
  const lines = [
    `${method} ${target} HTTP/1.1`,
    "Host: 127.0.0.1",
    "Connection: close",
    `Content-Length: ${body.length}`,
    ...headers,
  ];
  await exchangeOnce(address, [`${lines.join("\r\n")}\r\n\r\n`, body]);
}

async function readUntil(connection: Deno.Conn, until: number): Promise<number> {
  const buffer = new Uint8Array(256 * 1024);
  let count = 0;
  while (count < until) {
    try {
      const read = await connection.read(buffer);
      if (read === null) break;
      count += read;
    } catch (error) {
      if (isReset(error)) break;
      throw error;
    }
  }
  return count;
}

function isReset(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe;
}
