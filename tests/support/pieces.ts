/**
 * What comes in pieces, as a topic's state does.
 *
 * @module
 */

/** The texts or bytes as pieces, which take their time. */
export async function* pieces(...parts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    await Promise.resolve();
    yield typeof part === "string" ? new TextEncoder().encode(part) : part;
  }
}
