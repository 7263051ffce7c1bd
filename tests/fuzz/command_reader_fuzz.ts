/**
 * Throws command streams, sound and broken ones, at the command reader and the commands behind it: a session on a
 * real broker, over a connection in memory. What must hold for every input:
 *
 * - the session ends when the input does, with frames that can be read, and nothing but the errors that the protocol
 *   has is ever logged; so no step throws anything else, and no promise floats;
 * - the frames are the same whether the input comes whole, byte by byte, or in random pieces; with `DENOSQ_TEST_IO_THREADS=2`
 *   also when the pieces go through a socket and an I/O thread, and the frames back.
 *
 * The time stands still, and the ends of turns are steps of the input like its bytes, at the same offsets however
 * it is cut: so one input has one outcome, down to the ids and timestamps of messages.
 *
 * Run for long: `deno task fuzz --only=commands --minutes=10`. Each round has a seed of its own, which
 * `--seed=… --rounds=1` repeats.
 *
 * @module
 */

import { assertEquals, AssertionError } from "@std/assert";
import type { Clock } from "../../src/base/clock.ts";
import { type Connection, writeAll } from "../../src/net/connection.ts";
import { Session } from "../../src/nsqd/session/session.ts";
import { Turn } from "../../src/nsqd/turn.ts";
import { FrameReader, join, textOf } from "../support/frames.ts";
import { NsqdInMemory } from "../support/nsqd_in_memory.ts";
import { Random } from "../support/random.ts";
import { readToEnd, testThreadedSockets, type ThreadedSockets } from "../support/threaded_sockets.ts";
import type { FuzzOptions } from "./campaign.ts";
import { randomStream } from "./random_stream.ts";

/** What a campaign has seen; a fuzzer that finds nothing should at least have been everywhere. */
export interface FuzzReport {
  readonly rounds: number;
  readonly frames: number;
  readonly messages: number;
  /** The error codes that were sent. */
  readonly codes: ReadonlySet<string>;
}

/** Bytes that come, and ends of turns, before which some time may have passed. */
type Step = Uint8Array | { readonly passMs: number };

/** What an input has led to: frames as text, in order, and lines of the log that should not be. */
interface Outcome {
  readonly frames: readonly string[];
  readonly unexpected: readonly string[];
}

/** Large enough for every output here: a client that stalls is not what this is about. */
const OUTPUT_PENDING_MAX = 64 * 1024 * 1024;
const PEER = "127.0.0.1:5001";
/** What may be logged about a client besides answers. */
const EXPECTED_ERRORS = [
  /^ERROR: \[127\.0\.0\.1:5001\] - E_[A-Z_]+ /,
  /^ERROR: client\(127\.0\.0\.1:5001\) bad protocol magic '/,
  /^ERROR: client\(127\.0\.0\.1:5001\) - Cannot read command: buffer full$/,
  /^ERROR: client\(127\.0\.0\.1:5001\) - failed to read protocol version - unexpected EOF$/,
];

/**
 * Runs a campaign.
 *
 * @throws {AssertionError} When something does not hold; the message says how to see it again.
 */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  await using sockets = await testThreadedSockets();
  const endMs = performance.now() + (options.timeMs ?? Infinity);
  const codes = new Set<string>();
  let frames = 0;
  let messages = 0;
  let round = 0;
  for (; round < options.rounds && performance.now() < endMs; round++) {
    const seed = options.seed + round;
    for (const frame of await fuzzOnce(seed, sockets)) {
      frames++;
      if (frame.startsWith("message")) messages++;
      const code = /^error: (E_[A-Z_]+)/.exec(frame)?.[1];
      if (code !== undefined) codes.add(code);
    }
  }
  return { rounds: round, frames, messages, codes };
}

/** One input, in all the ways that it is tried; the frames it is answered with. */
async function fuzzOnce(seed: number, sockets: ThreadedSockets | undefined): Promise<readonly string[]> {
  const random = new Random(seed);
  const input = randomStream(random);
  const turns = randomTurns(random, input.length);
  try {
    const whole = await outcomeOf(cut(input, turns, (part) => [part]));
    assertEquals(whole.unexpected, []);
    const bytewise = await outcomeOf(
      cut(input, turns, (part) => Array.from(part, (byte) => Uint8Array.of(byte))),
    );
    assertEquals(bytewise, whole, "byte by byte");
    const sizeMax = 1 + random.below(200);
    const pieces = await outcomeOf(cut(input, turns, (part) => random.chunks(part, sizeMax)));
    assertEquals(pieces, whole, "in pieces");
    if (sockets) {
      const steps = cut(input, turns, (part) => random.chunks(part, sizeMax));
      assertEquals(await outcomeOf(steps, sockets), whole, "over an I/O thread");
    }
    return whole.frames;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new AssertionError(
      `seed ${seed}: ${message}\ninput: ${JSON.stringify(textOf(input))}\n` +
        `again: deno task fuzz --only=commands --seed=${seed} --rounds=1`,
      { cause },
    );
  }
}

/** Offsets at which a turn ends, with the time that has passed then. */
function randomTurns(random: Random, length: number): Map<number, number> {
  const turns = new Map<number, number>();
  const count = random.pick([0, 3, 10, 30]);
  for (let i = 0; i < count; i++) {
    turns.set(random.below(length + 1), random.oneIn(3) ? random.below(100_000) : 0);
  }
  return turns;
}

/** The input as steps: what lies between the ends of turns is divided by `divide`. */
function cut(
  input: Uint8Array,
  turns: ReadonlyMap<number, number>,
  divide: (part: Uint8Array) => readonly Uint8Array[],
): Step[] {
  const steps: Step[] = [];
  let start = 0;
  for (const [offset, passMs] of [...turns].sort(([a], [b]) => a - b)) {
    steps.push(...divide(input.subarray(start, offset)), { passMs });
    start = offset;
  }
  steps.push(...divide(input.subarray(start)));
  return steps;
}

async function outcomeOf(steps: readonly Step[], sockets?: ThreadedSockets): Promise<Outcome> {
  const nsqd = new NsqdInMemory({
    turn: (clock) => new ManualTurn(clock),
    // Compressed output depends on how it is divided into writes.
    options: { maxOutputPendingSizeBytes: OUTPUT_PENDING_MAX, deflateEnabled: false, snappyEnabled: false },
  });
  const script = new ScriptedConnection(steps, (passMs) => {
    nsqd.clock.advance(passMs);
    nsqd.broker.scan(nsqd.clock.monotonicMs());
    nsqd.turn.run();
  });

  const written = sockets
    ? await throughThread(sockets, script, (connection) => new Session(nsqd, connection).run())
    : await inMemory(script, new Session(nsqd, script));

  const unexpected = nsqd.lines.filter((line) =>
    line.startsWith("ERROR") && !EXPECTED_ERRORS.some((expected) => expected.test(line))
  );
  if (!script.closed) unexpected.push("The connection is open still");
  if (nsqd.connections.size > 0) unexpected.push("The session is there still");
  const reader = new FrameReader();
  const frames = reader.push(written).map((frame) =>
    frame.type === "message"
      ? `message: ${frame.id} ${frame.attempts} ${frame.timestampNs} ${frame.body}`
      : `${frame.type}: ${frame.text}`
  );
  if (reader.pendingBytes > 0) unexpected.push(`${reader.pendingBytes} bytes are no frame`);
  return { frames, unexpected };
}

/** Runs the session; what it has sent is the result. */
async function inMemory({ written }: ScriptedConnection, session: Session): Promise<Uint8Array> {
  await session.run();
  return join(...written);
}

/** The same with each piece, and all that is sent, going through a socket and an I/O thread. */
async function throughThread(
  sockets: ThreadedSockets,
  script: ScriptedConnection,
  serve: (connection: Connection) => Promise<void>,
): Promise<Uint8Array> {
  const client = Promise.withResolvers<Deno.TcpConn>();
  const { socket, served } = await sockets.connect(async (near) => {
    await serve(new DetouredConnection(script, await client.promise, near));
  });
  client.resolve(socket);
  try {
    const sent = readToEnd(socket);
    await served;
    return await sent;
  } finally {
    socket.close();
  }
}

/** A turn that ends only when the input says so. */
class ManualTurn extends Turn {
  constructor(clock: Clock) {
    super(clock);
  }

  override schedule(): void {}
}

/** Gives the steps of an input to whoever reads, and takes everything that is written. */
class ScriptedConnection implements Connection {
  readonly peer = PEER;
  readonly written: Uint8Array[] = [];
  closed = false;
  readonly #steps: Step[];
  readonly #endTurn: (passMs: number) => void;

  constructor(steps: readonly Step[], endTurn: (passMs: number) => void) {
    this.#steps = steps.filter((step) => !(step instanceof Uint8Array) || step.length > 0);
    this.#endTurn = endTurn;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    for (let step = this.#steps.shift(); step !== undefined; step = this.#steps.shift()) {
      if (this.closed) throw new Deno.errors.Interrupted("operation canceled");
      if (!(step instanceof Uint8Array)) {
        this.#endTurn(step.passMs);
        // What was to be sent is sent before more comes.
        for (let i = 0; i < 10; i++) await Promise.resolve();
        continue;
      }
      const count = Math.min(step.length, buffer.length);
      buffer.set(step.subarray(0, count));
      if (count < step.length) this.#steps.unshift(step.subarray(count));
      return count;
    }
    return null;
  }

  write(bytes: Uint8Array): Promise<number> {
    this.written.push(bytes.slice());
    return Promise.resolve(bytes.length);
  }

  close(): void {
    this.closed = true;
  }
}

/** Sends what a script gives through a socket, whose other end it reads and writes. */
class DetouredConnection implements Connection {
  readonly peer = PEER;
  readonly #script: ScriptedConnection;
  readonly #far: Deno.TcpConn;
  readonly #near: Connection;
  /** Bytes that are on the way. */
  #sent = 0;

  constructor(script: ScriptedConnection, far: Deno.TcpConn, near: Connection) {
    this.#script = script;
    this.#far = far;
    this.#near = near;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    if (this.#sent === 0) {
      const count = await this.#script.read(buffer);
      if (count === null) await this.#far.closeWrite();
      else await writeAll(this.#far, buffer.slice(0, count));
      this.#sent = count ?? 0;
    }
    const count = await this.#near.read(buffer);
    this.#sent -= count ?? 0;
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#near.write(bytes);
  }

  close(): void {
    this.#script.close();
    this.#near.close();
  }
}
