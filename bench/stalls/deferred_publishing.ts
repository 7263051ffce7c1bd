/**
 * Publishes messages that are each deferred by a time of their own, in large writes.
 *
 * @module
 */

import { LoadConnection } from "../load_connection.ts";

/** Commands in a write. */
const BLOCK = 500;
const DELAY_DIGITS = 10;

/** What is published. */
export interface DeferredPublishing {
  readonly topic: string;
  readonly messages: number;
  readonly sizeBytes: number;
  /** The delay of a message that is sent now, in ms. */
  readonly deferMs: () => number;
}

/** Publishes; settles when all of it is answered. */
export async function publishDeferred(tcpAddress: string, options: DeferredPublishing): Promise<void> {
  const { topic, messages, sizeBytes, deferMs } = options;
  using connection = await LoadConnection.open(tcpAddress, { bufferBytes: 64 * 1024 });
  const name = new TextEncoder().encode(`DPUB ${topic} ${"0".repeat(DELAY_DIGITS)}\n`);
  const delayEnd = name.length - 1;
  const commandBytes = name.length + 4 + sizeBytes;
  const block = new Uint8Array(BLOCK * commandBytes).fill(0x78);
  const view = new DataView(block.buffer);
  for (let at = 0; at < block.length; at += commandBytes) {
    block.set(name, at);
    view.setUint32(at + name.length, sizeBytes);
  }
  for (let sent = 0; sent < messages;) {
    const count = Math.min(BLOCK, messages - sent);
    for (let i = 0; i < count; i++) writeDelay(block, i * commandBytes + delayEnd, deferMs());
    await connection.write(block.subarray(0, count * commandBytes));
    for (let answered = 0; answered < count;) {
      const oks = await connection.readOks();
      if (oks < 0) throw new Error("nsqd closed the connection of a publisher");
      answered += oks;
    }
    sent += count;
  }
}

/** Writes the digits of a delay that end there. */
function writeDelay(bytes: Uint8Array, end: number, delayMs: number): void {
  let left = Math.max(0, Math.floor(delayMs));
  for (let digit = end - 1; digit >= end - DELAY_DIGITS; digit--) {
    bytes[digit] = 0x30 + left % 10;
    left = Math.floor(left / 10);
  }
}
