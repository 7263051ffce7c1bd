/**
 * Throws compressed streams, sound and broken ones, at a session that has agreed on compression, over a connection in
 * memory; with `DENOSQ_TEST_IO_THREADS=2` over a socket and an I/O thread, where the compression is then. What must hold for every
 * input:
 *
 * - the session ends when the input does, and nothing is logged but the errors that the protocol and the compressions
 *   have; so nothing else is thrown, and no promise floats;
 * - what it sends can be decompressed, and is whole frames;
 * - another session, which has been there all the time, is served as ever.
 *
 * Run for long: `deno task fuzz --only=compressed --minutes=10`. Each round has a seed of its own, which
 * `--seed=… --rounds=1` repeats.
 *
 * @module
 */

import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { assert, assertEquals, AssertionError } from "@std/assert";
import { type Connection, isDisconnect, writeAll } from "../../src/net/connection.ts";
import { Session } from "../../src/nsqd/session/session.ts";
import { SnappyDecoder, SnappyEncoder } from "../../src/protocol/snappy_frames.ts";
import { PATIENCE_MS } from "../support/eventually.ts";
import { type Frame, FrameReader, identify, join, MAGIC, pub, response } from "../support/frames.ts";
import { MemoryClient, NsqdInMemory, settle } from "../support/nsqd_in_memory.ts";
import { Random } from "../support/random.ts";
import {
  readExactly,
  readToEnd,
  testThreadedSockets,
  type ThreadedSocket,
  type ThreadedSockets,
} from "../support/threaded_sockets.ts";
import type { FuzzOptions } from "./campaign.ts";
import { randomStream } from "./random_stream.ts";

/** What a campaign has seen; a fuzzer that finds nothing should at least have been everywhere. */
export interface CompressedFuzzReport {
  readonly rounds: number;
  /** Frames that were sent over a compressed connection. */
  readonly frames: number;
  /** Why streams were refused, in the compressions' words. */
  readonly reasons: ReadonlySet<string>;
}

type Compression = "deflate" | "snappy";

const PEER = "127.0.0.1:6001";
/** What may be logged about a client besides answers. */
const EXPECTED_ERRORS = [
  /^ERROR: \[127\.0\.0\.1:6001\] - E_[A-Z_]+ /,
  /^ERROR: client\(127\.0\.0\.1:6001\) - Cannot read command: buffer full$/,
];
/** What is wrong with a stream: snappy's words, then zlib's. */
const REASON = new RegExp(
  "^ERROR: client\\(127\\.0\\.0\\.1:6001\\) - (" +
    "no stream identifier|wrong stream identifier|unknown chunk type|chunk too long|chunk too short|" +
    "too much data|wrong checksum|corrupt block|" +
    "invalid block type|invalid stored block lengths|invalid distance too far back|invalid code lengths set|" +
    "invalid distances set|invalid literal/lengths set|invalid bit length repeat|invalid literal/length code|" +
    "invalid distance code|too many length or distance symbols|invalid code -- missing end-of-block)",
);

/**
 * Runs a campaign.
 *
 * @throws {AssertionError} When something does not hold; the message says how to see it again.
 */
export async function fuzzCompressed(options: FuzzOptions): Promise<CompressedFuzzReport> {
  await using sockets = await testThreadedSockets();
  const endMs = performance.now() + (options.timeMs ?? Infinity);
  const reasons = new Set<string>();
  let frames = 0;
  let round = 0;
  for (; round < options.rounds && performance.now() < endMs; round++) {
    const seed = options.seed + round;
    try {
      const outcome = await fuzzOnce(new Random(seed), sockets);
      frames += outcome.frames.length;
      if (outcome.reason !== undefined) reasons.add(outcome.reason);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      const again = `deno task fuzz --only=compressed --seed=${seed} --rounds=1`;
      throw new AssertionError(`seed ${seed}: ${message}\nagain: ${again}`, { cause });
    }
  }
  return { rounds: round, frames, reasons };
}

async function fuzzOnce(
  random: Random,
  sockets: ThreadedSockets | undefined,
): Promise<{ frames: Frame[]; reason: string | undefined }> {
  const compression = random.pick<Compression>(["deflate", "snappy"]);
  const nsqd = new NsqdInMemory();
  const other = await nsqd.connect();
  const client = sockets ? await SocketClient.connect(sockets, nsqd) : new InMemoryClient(nsqd);
  await client.agree(compression);

  const input = random.chunks(randomInput(random, compression), 1 + random.below(5000));
  const written = await client.converse(input);

  assertEquals(await other.ask(pub("witness", "still there")), [response("OK")]);
  other.connection.end();
  await ended(other.done);
  assertEquals(nsqd.connections.size, 0);
  const errors = nsqd.lines.filter((line) => line.startsWith("ERROR"));
  const reason = errors.map((line) => REASON.exec(line)?.[1]).find((found) => found !== undefined);
  const known = [...EXPECTED_ERRORS, REASON];
  assertEquals(errors.filter((line) => !known.some((expected) => expected.test(line))), []);
  return { frames: framesIn(written, compression), reason };
}

/** Who sends the input. */
interface FuzzClient {
  /** Asks for the compression, and is told that it has it. */
  agree(compression: Compression): Promise<void>;
  /** Sends the pieces, and ends its side. All that comes back until the session has ended is the result. */
  converse(pieces: readonly Uint8Array[]): Promise<Uint8Array>;
}

class InMemoryClient implements FuzzClient {
  readonly #client: MemoryClient;

  constructor(nsqd: NsqdInMemory) {
    this.#client = new MemoryClient(nsqd, PEER);
  }

  async agree(compression: Compression): Promise<void> {
    await this.#client.send(...agreement(compression));
    this.#client.connection.written.shift();
  }

  async converse(pieces: readonly Uint8Array[]): Promise<Uint8Array> {
    const { connection, done } = this.#client;
    for (const piece of pieces) connection.push(piece);
    connection.end();
    await ended(done);
    assert(connection.closed);
    return join(...connection.written);
  }
}

class SocketClient implements FuzzClient {
  readonly #connected: ThreadedSocket;

  private constructor(connected: ThreadedSocket) {
    this.#connected = connected;
  }

  static async connect(sockets: ThreadedSockets, nsqd: NsqdInMemory): Promise<SocketClient> {
    const run = (connection: Connection) => new Session(nsqd, known(connection)).run();
    return new SocketClient(await sockets.connect(run));
  }

  async agree(compression: Compression): Promise<void> {
    const { socket } = this.#connected;
    await writeAll(socket, join(...agreement(compression)));
    // And not a byte more: what follows is compressed.
    const header = await readExactly(socket, 4);
    await readExactly(socket, new DataView(header.buffer).getUint32(0));
  }

  async converse(pieces: readonly Uint8Array[]): Promise<Uint8Array> {
    const { socket, served } = this.#connected;
    const reading = readToEnd(socket);
    try {
      for (const piece of pieces) await writeAll(socket, piece);
      await socket.closeWrite();
    } catch (error) {
      // A session that has had enough may end before it has been sent everything.
      if (!isDisconnect(error)) throw error;
    }
    await ended(served);
    const written = await reading;
    socket.close();
    return written;
  }
}

function agreement(compression: Compression): [string, Uint8Array] {
  return [MAGIC, identify({ feature_negotiation: true, [compression]: true })];
}

/** A connection as that of the peer that the log is looked through for. */
function known(connection: Connection): Connection {
  return {
    peer: PEER,
    read: (buffer) => connection.read(buffer),
    write: (bytes) => connection.write(bytes),
    putLayer: connection.putLayer?.bind(connection),
    close: () => connection.close(),
  };
}

/** A compressed stream of commands, damaged mostly, or something else. */
function randomInput(random: Random, compression: Compression): Uint8Array {
  if (random.oneIn(10)) return random.bytes(random.below(3000));
  const commands = randomStream(random).subarray(MAGIC.length);
  let input = compress(random.chunks(commands, 1 + random.below(20_000)), compression);
  for (let left = random.pick([0, 1, 1, 1, 2, 5]); left > 0 && input.length > 0; left--) {
    input = damaged(random, input);
  }
  return input;
}

function compress(writes: readonly Uint8Array[], compression: Compression): Uint8Array {
  if (compression === "snappy") {
    const encoder = new SnappyEncoder();
    return join(...writes.map((bytes) => encoder.encode(bytes)));
  }
  // Streams that end with a flush can be put one after the other.
  return join(...writes.map((bytes) => deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH })));
}

function damaged(random: Random, bytes: Uint8Array): Uint8Array {
  const at = random.below(bytes.length);
  const end = Math.min(at + 1 + random.below(20), bytes.length);
  switch (random.below(6)) {
    case 0:
      return join(bytes.subarray(0, at), random.bytes(1 + random.below(20)), bytes.subarray(at));
    case 1:
      return join(bytes.subarray(0, at), bytes.subarray(end));
    case 2:
      return join(bytes.subarray(0, end), bytes.subarray(at));
    case 3:
      return bytes.subarray(0, at);
    default: {
      const changed = bytes.slice();
      changed[at] ^= 1 << random.below(8);
      return changed;
    }
  }
}

async function ended(done: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  // Without a bound a hang would not be found.
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new AssertionError("The session does not end")), PATIENCE_MS);
  });
  try {
    await Promise.race([done, late]);
    // Whatever an ended session leaves behind would happen now.
    await settle();
  } finally {
    clearTimeout(timer);
  }
}

/** The frames of a compressed stream, all of which must be whole. */
function framesIn(stream: Uint8Array, compression: Compression): Frame[] {
  const reader = new FrameReader();
  const frames = reader.push(
    compression === "snappy"
      ? join(...new SnappyDecoder().decode(stream))
      : inflateRawSync(stream, { finishFlush: constants.Z_SYNC_FLUSH }),
  );
  assertEquals(reader.pendingBytes, 0, "bytes are no frame");
  return frames;
}
