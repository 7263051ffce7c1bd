/**
 * What a crash has left: a node is started on it and gives out everything, while the time passes until all of it is
 * due. Then nothing may be left on the disk. Whether it is what it should be is said in power_loss_verdict.ts.
 *
 * @module
 */
import type { Channel } from "../../src/broker/channel.ts";
import { Consumer } from "../../src/broker/consumer.ts";
import type { Segment } from "../../src/log/segment.ts";
import { FakeClock } from "../support/fake_clock.ts";
import type { Random } from "../support/random.ts";
import type { SimulatedDisk } from "../support/simulated_disk.ts";
import { type CallCounts, Died, SimulatedFileSystem } from "../support/simulated_file_system.ts";
import { CrashNode, type NodeOptions } from "./power_loss_node.ts";

/** Something that must not be. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** Throws a {@linkcode Violation} unless it holds. */
export function must(holds: boolean, what: () => string): asserts holds {
  if (!holds) throw new Violation(what());
}

/** A message that was found. */
export interface Found {
  /** Deliveries before this one. */
  readonly attempts: number;
  readonly position: number;
  /** It was not there at this time, and at `atMs` it was. */
  readonly afterMs: number;
  readonly atMs: number;
}

/** A topic that was found. */
export interface FoundTopic {
  readonly name: string;
  readonly paused: boolean;
  readonly pausedChannels: ReadonlySet<string>;
  /** Not yet the channels'. */
  readonly own: ReadonlyMap<number, Found>;
  readonly channels: ReadonlyMap<string, ReadonlyMap<number, Found>>;
}

/** What was found. */
export interface Findings {
  readonly topics: ReadonlyMap<string, FoundTopic>;
  /** Lines of the log. */
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  /** It says that the last node has ended in order. */
  readonly wasStopped: boolean;
  /** How many messages it says that are lost. */
  readonly lostCount: number;
}

/** Name of a channel that gets the topic's own messages, and no others. */
const PROBE = "probe";
/** How long after the crash it is looked again what has become due, in ms; the last is longer than any delay. */
const LOOKS_MS = [0, 700, 4_000, 20_000, 61_000, 130_000, 500_000, 20_000_000];
const LONG_MS = 100_000_000;
/** Long enough for any chain of promises that waits for nothing else. */
const MICROTASKS = 50;
/** Rounds without progress after which something hangs. */
const ROUNDS_MAX = 1000;

/** Lets all promises go on that can. */
export async function microtasks(): Promise<void> {
  for (let i = 0; i < MICROTASKS; i++) await null;
}

/** Ends asynchronous calls until the work is done. */
export async function drive<T>(files: SimulatedFileSystem, what: string, work: Promise<T>): Promise<T> {
  let done = false;
  const finish = () => {
    done = true;
  };
  work.then(finish, finish);
  for (let i = 0; !done && !files.dead; i++) {
    must(i < ROUNDS_MAX, () => `${what} hangs`);
    await microtasks();
    files.endOne();
  }
  if (!done) throw new Died();
  return await work;
}

/** Starts a node on a copy of the disk, and takes everything out. */
export async function findAll(
  disk: SimulatedDisk,
  options: Omit<NodeOptions, "files" | "clock"> & {
    nowMs: number;
    random: Random;
    isExact: boolean;
    counts?: CallCounts;
  },
): Promise<Findings> {
  const copy = disk.clone();
  const clock = new FakeClock(options.nowMs);
  const files = new SimulatedFileSystem(copy, options);
  const node = new CrashNode({ ...options, files, clock });
  await drive(files, "load()", node.load());
  await drive(files, "removeDeleted()", node.flush.removeDeleted());
  await drive(files, "idle()", node.broker.idle());
  const takers: Taker[] = [];
  const owners = new Map<string, Taker>();
  const before = [...node.broker.topics.values()].map((topic) => {
    const { name, paused } = topic;
    const channels = [...topic.channels.values()];
    const pausedChannels = new Set(channels.filter(({ paused }) => paused).map(({ name }) => name));
    const ownCount = topic.depth;
    const counts = new Map(channels.map((channel) => [channel.name, channel.depth + channel.deferredCount]));
    for (const channel of channels) takers.push(new Taker(name, channel, clock));
    const owner = new Taker(name, topic.channel(PROBE), clock);
    owners.set(name, owner);
    takers.push(owner);
    topic.unpause();
    for (const channel of topic.channels.values()) channel.unpause();
    return { name, paused, pausedChannels, ownCount, counts };
  });
  for (const [i, afterMs] of LOOKS_MS.entries()) {
    clock.advance(afterMs - (LOOKS_MS[i - 1] ?? 0));
    await take(node, clock, takers);
  }
  const topics = new Map(before.map(({ name, paused, pausedChannels, ownCount, counts }) => {
    const own = owners.get(name)?.found ?? new Map<number, Found>();
    must(ownCount >= own.size, () => `${name} has a depth of ${ownCount}, and ${own.size} messages`);
    const channels = new Map([...counts].map(([channel, count]) => {
      const all = takers.find((taker) => taker.topic === name && taker.channel.name === channel)?.found ??
        new Map();
      const found = new Map([...all].filter(([id]) => !own.has(id)));
      must(count >= found.size, () => `${name}/${channel} counts ${count} messages, and has ${found.size}`);
      must(
        count === found.size || !options.isExact,
        () => `${name}/${channel} counts ${count}, not ${found.size} messages`,
      );
      return [channel, found] as const;
    }));
    return [name, { name, paused, pausedChannels, own, channels }];
  }));
  // Before it ends: what it does to an empty data path is not what this is about.
  const { wasStopped, lostCount } = node;
  await checkNothingIsLeft(node, files, copy);
  return { topics, errors: node.errors, warnings: node.warnings, wasStopped, lostCount };
}

/** Delivers and finishes until nothing comes any more. */
async function take(node: CrashNode, clock: FakeClock, takers: readonly Taker[]): Promise<void> {
  for (let quiet = 0; quiet < 2; quiet++) {
    const { calls } = node.files;
    node.broker.scan(clock.monotonicMs());
    node.broker.pump(clock.monotonicMs());
    // Whoever lets others have their turn goes on with what it has read.
    if (node.files.running > 0) quiet = -1;
    while (node.files.running > 0) node.files.endOne();
    await microtasks();
    for (const taker of takers) {
      if (taker.finish()) quiet = -1;
    }
    if (node.files.calls > calls) quiet = -1;
  }
  for (const taker of takers) taker.lastLookMs = clock.nowMs();
}

async function checkNothingIsLeft(
  node: CrashNode,
  files: SimulatedFileSystem,
  disk: SimulatedDisk,
): Promise<void> {
  const { broker } = node;
  for (const topic of broker.topics.values()) {
    must(topic.depth === 0, () => `${topic.name} has a depth of ${topic.depth} at the end`);
    for (const channel of topic.channels.values()) {
      const count = channel.depth + channel.deferredCount + channel.inFlightCount;
      must(count === 0, () => `${topic.name}/${channel.name} has a depth of ${count} at the end`);
    }
    await drive(files, "idle()", broker.idle());
    // Twice, because what was removed shows in the state that is saved next.
    for (let i = 0; i < 2; i++) await drive(files, "maintain()", topic.maintain());
  }
  must(broker.outstanding.size === 0, () => `${broker.outstanding.size} slots at the end`);
  const left = () => disk.paths().filter((path) => /\.seg$|\/state$|\.tmp$|\.deleted\//.test(path));
  must(left().length === 0, () => `left at the end: ${left()}`);
  must(await drive(files, "stop()", node.stop()), () => `it does not end in order: ${node.errors}`);
  must(files.openFiles === 0, () => `${files.openFiles} files are open after the end`);
  must(left().length === 0, () => `left after the end: ${left()}`);
}

/** Consumes a channel. */
class Taker {
  readonly found = new Map<number, Found>();
  lastLookMs = 0;
  readonly topic: string;
  readonly channel: Channel;
  readonly #consumer: Consumer;
  #inFlight: number[] = [];

  constructor(topic: string, channel: Channel, clock: FakeClock) {
    this.topic = topic;
    this.channel = channel;
    this.#consumer = new Consumer({
      sink: {
        hasRoom: true,
        close: () => {},
        send: (segment, index, attempts) => {
          const id = idOf(segment, index);
          const position = segment.base + index;
          must(!this.found.has(id), () => `${topic}/${channel.name} delivers #${id} a second time`);
          this.found.set(id, {
            attempts: attempts - 1,
            position,
            afterMs: this.lastLookMs,
            atMs: clock.nowMs(),
          });
          this.#inFlight.push(position);
          return segment.bodyLength(index);
        },
      },
      msgTimeoutMs: LONG_MS,
      sampleRate: 0,
    });
    this.#consumer.readyCount = 2500;
    channel.addConsumer(this.#consumer);
  }

  /** Finishes what was delivered; false when nothing was. */
  finish(): boolean {
    const positions = this.#inFlight.splice(0);
    for (const position of positions) this.channel.finish(this.#consumer, position, 0);
    this.channel.awake(this.#consumer);
    return positions.length > 0;
  }
}

/** Bytes that nobody else has published. */
export function bodyOf(message: { id: number; size: number }): Uint8Array {
  const body = new Uint8Array(message.size).fill(message.id);
  new DataView(body.buffer).setUint32(0, message.id);
  return body;
}

/** The id of the message, of which every byte must be right. */
export function idOf(segment: Segment, index: number): number {
  const offset = segment.bodyOffset(index);
  const length = segment.bodyLength(index);
  const id = new DataView(segment.bytes.buffer, segment.bytes.byteOffset + offset).getUint32(0);
  const rest = segment.bytes.subarray(offset + 4, offset + length);
  must(rest.every((byte) => byte === (id & 255)), () => `damaged bytes at ${segment.base + index}`);
  return id;
}
