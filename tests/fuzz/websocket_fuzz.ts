/**
 * Throws frames of WebSockets, sound and broken ones, cut anywhere, at the server's side of one. What must hold for every
 * input:
 *
 * - of sound frames the data comes out, all of it and nothing else, and each ping is answered;
 * - anything else gives data, the end, or a WebSocketError that the client is told of, and nothing else is thrown.
 *
 * Run for long: `deno task fuzz --only=websockets --minutes=10`.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { WebSocketConnection, WebSocketError } from "../../src/http/websocket.ts";
import { MemoryConnection } from "../support/memory_connection.ts";
import { Random } from "../support/random.ts";
import { clientFrame } from "../support/websocket_frames.ts";
import { type FuzzOptions, type FuzzReport, runRounds } from "./campaign.ts";
import { mutated } from "./mutated.ts";

const PING = 9;
const CLOSE = 8;
/** Control frames have so much data at most, in bytes. */
const CONTROL_LENGTH_MAX = 125;

/** Runs a campaign. @throws {AssertionError} When something does not hold; the message says how to see it again. */
export function fuzzWebSockets(options: FuzzOptions): Promise<FuzzReport> {
  return runRounds("websockets", options, async (seed) => {
    const random = new Random(seed);
    const { frames, data, pings } = randomFrames(random);
    if (random.oneIn(2)) {
      const { read, written, error } = await readAll(frames, random);
      assertEquals(error, undefined);
      assertEquals(read, data, "data");
      assertEquals(countOf(written, 0x8a), pings, "pongs");
      return ["sound"];
    }
    const { written, error } = await readAll(mutated(random, frames), random);
    if (error === undefined) return ["taken"];
    assertEquals(error instanceof WebSocketError, true, String(error));
    assertEquals(countOf(written, 0x88), 1, "the client is told once");
    return [String(error)];
  });
}

/** Messages in parts of all sizes, with pings in between, and sometimes a close. */
function randomFrames(random: Random): { frames: Uint8Array; data: Uint8Array; pings: number } {
  const frames: Uint8Array[] = [];
  const data: Uint8Array[] = [];
  let pings = 0;
  let isWithin = false;
  for (let left = 1 + random.below(8); left > 0; left--) {
    if (random.oneIn(4)) {
      pings++;
      frames.push(frame(random, { opcode: PING, data: random.bytes(random.below(CONTROL_LENGTH_MAX + 1)) }));
    }
    const part = random.bytes(random.below(random.pick([2, 130, 300, 70_000])));
    const isLast = random.oneIn(2);
    frames.push(frame(random, { opcode: isWithin ? 0 : 2, isLast, data: part }));
    data.push(part);
    isWithin = !isLast;
  }
  if (random.oneIn(3)) {
    frames.push(frame(random, { opcode: CLOSE, data: random.bytes(random.pick([0, 2, 20])) }));
  }
  return { frames: concat(frames), data: concat(data), pings };
}

function frame(random: Random, options: Parameters<typeof clientFrame>[0]): Uint8Array {
  return clientFrame({ ...options, mask: random.bytes(4) });
}

async function readAll(input: Uint8Array, random: Random) {
  const connection = new MemoryConnection("127.0.0.1:6001");
  for (const piece of random.chunks(input, 1 + random.below(20_000))) connection.push(piece);
  connection.end();
  const socket = new WebSocketConnection(connection);
  const buffer = new Uint8Array(1 + random.below(20_000));
  const parts: Uint8Array[] = [];
  let error: unknown;
  try {
    for (let count; (count = await socket.read(buffer)) !== null;) parts.push(buffer.slice(0, count));
  } catch (thrown) {
    error = thrown;
  }
  return { read: concat(parts), written: connection.written, error };
}

/** Frames that begin with the byte. */
function countOf(written: readonly Uint8Array[], first: number): number {
  return written.filter((bytes) => bytes[0] === first).length;
}
