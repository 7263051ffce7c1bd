/**
 * Asks a daemon for `/ping` again and again over one connection, from a thread of its own, and keeps the longest time that an
 * answer took: whatever holds the daemon's loop holds the answer as long.
 *
 * @module
 */

/// <reference lib="deno.worker" />

/** What the worker is told: whom to ask, or to tell the longest time since the last such request. */
export type PingerRequest = { readonly address: string } | { readonly take: true };

/** A pause between two questions, so that the asking itself costs the daemon little, in ms. */
const PAUSE_MS = 1;
const QUESTION = new TextEncoder().encode("GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");

let worstMs = 0;
/** When the question was sent that is not answered yet, or 0. */
let askedMs = 0;
/** Settles when the question that waits now is answered. */
let answered: Promise<void> = Promise.resolve();

self.onmessage = async ({ data }: MessageEvent<PingerRequest>) => {
  if ("address" in data) {
    // A rejection ends the worker and reaches the main thread as its error event.
    await ask(data.address);
    return;
  }
  if (askedMs > 0) await answered;
  self.postMessage(worstMs);
  worstMs = 0;
};

async function ask(address: string): Promise<void> {
  const [hostname, port] = address.split(":");
  const connection = await Deno.connect({ hostname, port: Number(port) });
  connection.setNoDelay(true);
  const buffer = new Uint8Array(4096);
  for (;;) {
    const { promise, resolve } = Promise.withResolvers<void>();
    answered = promise;
    askedMs = performance.now();
    await connection.write(QUESTION);
    // The answer comes in one piece: it is a few hundred bytes.
    if (await connection.read(buffer) === null) throw new Error("The daemon has closed the connection");
    worstMs = Math.max(worstMs, performance.now() - askedMs);
    askedMs = 0;
    resolve();
    await new Promise((next) => setTimeout(next, PAUSE_MS));
  }
}
