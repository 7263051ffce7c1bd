/**
 * Ports that are known before somebody listens on them, or on which nobody ever does.
 *
 * @module
 */

/**
 * Below the ports that systems give away for port 0 (Linux from 32768, macOS and Windows from 49152): what is free
 * stays free. Another test, in a process that runs at the same time, would be given a port of theirs, and be
 * called by strangers.
 */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_767;

const taken = new Set<number>();

/**
 * A port on which nobody listens, and which nobody is given who asks for any. It stays its taker's: for another server on it
 * after the first has ended, and for servers on several addresses of this machine, if it is free on `0.0.0.0`.
 */
export function freePort(hostname = "127.0.0.1"): number {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT + 1));
    if (taken.has(port)) continue;
    try {
      Deno.listen({ hostname, port }).close();
      taken.add(port);
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** `host:port` on which nobody listens. */
export function deadAddress(): string {
  return `127.0.0.1:${freePort()}`;
}
