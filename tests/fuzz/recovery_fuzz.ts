/**
 * Starts programs on golden data paths in which bytes of segments and states were changed, or files are gone. What must
 * hold for every input:
 *
 * - the program starts, delivers what it has, comes to rest, and ends in order;
 * - unless checksums were made to fit: then nothing is left, in memory, in its counts and on the disk; no message is
 *   delivered that was not there, and none twice to a channel; what is missing of a segment is told, with an error or a
 *   warning.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Broker } from "../../src/broker/broker.ts";
import { CrashNode, DATA_PATH, newDisk } from "../crash/power_loss_node.ts";
import { drive } from "../crash/power_loss_recovery.ts";
import { TestConsumer } from "../support/broker_setup.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { MixedRandom } from "../support/mixed_random.ts";
import type { Random } from "../support/random.ts";
import { SimulatedFileSystem } from "../support/simulated_file_system.ts";
import { type FuzzOptions, type FuzzReport, runRounds } from "./campaign.ts";
import { mutated } from "./mutated.ts";
import { resealed } from "./segment_fuzz.ts";
import { resealedState } from "./state_fuzz.ts";

/** When the golden data paths were left, more or less, in ms since 1970. */
const STOPPED_MS = 1_795_900_268_100;
/** Longer than anything was deferred, and than anything can be that 64 bits say, in ms. */
const LONG_MS = 100 * 3_600_000;
const FOR_EVER_MS = 2e16;
/** Turns after which it is not going to end. */
const ROUNDS_MAX = 200;
const LIMITS = {
  memQueueSize: 10_000,
  maxBytesPerFile: 4096,
  maxChannelConsumers: 0,
  maxMsgTimeoutMs: 2 * FOR_EVER_MS,
  ephemeralDepthMax: 100,
};

/** Files by path, below the data path. */
type Files = ReadonlyMap<string, Uint8Array>;

/** A data path, and the bodies of the messages in it. */
interface Golden {
  readonly files: Files;
  /** By channel. */
  readonly bodies: ReadonlyMap<string, readonly string[]>;
}

/** Runs a campaign. */
export async function fuzzRecovery(options: FuzzOptions): Promise<FuzzReport> {
  const golden: Golden[] = [];
  for (const version of ["v3", "v4"]) golden.push(await goldenPath(version));
  return await runRounds("recovery", options, (seed) => fuzzOnce(new MixedRandom(seed), golden));
}

async function goldenPath(version: string): Promise<Golden> {
  const files = new Map<string, Uint8Array>();
  const folder = new URL(`../broker/golden/${version}/`, import.meta.url);
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const url = new URL(encodeURIComponent(name), folder);
    if (!isDirectory) files.set(name, Deno.readFileSync(url));
    else {for (const file of Deno.readDirSync(url)) {
        files.set(`${name}/${file.name}`, Deno.readFileSync(new URL(`${url}/${file.name}`)));
      }}
  }
  const { deliveries } = await consumed(files, { isExact: true });
  return { files, bodies: deliveries };
}

/** One input; what it has led to. */
async function fuzzOnce(random: Random, all: readonly Golden[]): Promise<string[]> {
  const { files, bodies } = random.pick(all);
  const isResealed = random.oneIn(3);
  const changed = new Map(files);
  const names = [...files.keys()].filter((name) => name.includes("/"));
  for (let i = 1 + random.below(2); i > 0; i--) {
    const name = random.pick(names);
    if (random.oneIn(8)) changed.delete(name);
    else changed.set(name, changedFile(random, name, changed.get(name) ?? new Uint8Array(), isResealed));
  }
  if (random.oneIn(2)) changed.delete("nsqd.stopped");
  const { deliveries, lines, lostCount } = await consumed(changed, { isExact: !isResealed });
  if (!isResealed) {
    const known = new Set(bodies.values().flatMap((list) => list));
    const strange = deliveries.values().flatMap((list) => list).filter((body) => !known.has(body));
    assertEquals([...strange], [], "never published");
    const isMissing = bodies.entries().some(([channel, list]) =>
      list.some((body) => !deliveries.get(channel)?.includes(body))
    );
    // Without its state, whatever a topic has is all that it ever had.
    const hasStates = names.every((name) => name.endsWith(".seg") || changed.get(name) === files.get(name));
    assert(!isMissing || !hasStates || lines.length > 0, "messages are missing without a word");
  }
  const faults = lines.filter((line) => line.startsWith("fault"));
  assertEquals(faults, []);
  return [lines.length > 0 ? "told" : "nothing to tell", ...lostCount > 0 ? ["counted"] : []];
}

function changedFile(random: Random, name: string, bytes: Uint8Array, isResealed: boolean): Uint8Array {
  const result = mutated(random, bytes);
  if (!isResealed) return result;
  return name.endsWith(".seg") ? resealed(result) : resealedState(result);
}

/** Consumes all that a program finds in these files, by channel, and sees that nothing is left. */
async function consumed(
  content: Files,
  { isExact }: { isExact: boolean },
): Promise<{ deliveries: ReadonlyMap<string, readonly string[]>; lines: string[]; lostCount: number }> {
  const disk = newDisk({ byFolder: false });
  const files = new SimulatedFileSystem(disk, { random: new MixedRandom(0) });
  for (const [path, bytes] of content) {
    const [folder, name] = path.split("/");
    if (name !== undefined) files.makeFolder(`${DATA_PATH}/${folder}`);
    files.write(`${DATA_PATH}/${path}`, bytes);
  }
  const clock = new FakeClock(STOPPED_MS);
  const node = new CrashNode({ files, clock, limits: LIMITS, syncEvery: 2500 });
  await drive(files, "load()", node.load());
  const { broker } = node;
  broker.topic("own").channel("new");
  const consumers = new Map<string, TestConsumer>();
  for (const topic of broker.topics.values()) {
    for (const channel of topic.channels.values()) {
      consumers.set(
        `${topic.name}/${channel.name}`,
        new TestConsumer(channel, { msgTimeoutMs: 2 * FOR_EVER_MS }),
      );
    }
  }
  const deliveries = new Map([...consumers.keys()].map((name) => [name, [] as string[]]));
  const seen = new Set<string>();
  const take = () => {
    let count = 0;
    for (const [name, { channel, consumer, deliveries: all }] of consumers) {
      for (const { position, body } of all.splice(0)) {
        assert(!isExact || !seen.has(`${name} ${position}`), `${name} gets ${position} a second time`);
        seen.add(`${name} ${position}`);
        channel.finish(consumer, position, 0);
        deliveries.get(name)?.push(body);
        count++;
      }
    }
    return count;
  };
  for (const afterMs of [0, LONG_MS, FOR_EVER_MS]) {
    clock.advance(afterMs);
    for (let quiet = 0, rounds = 0; quiet < 4; rounds++) {
      assert(rounds < ROUNDS_MAX, "it has always something to do");
      broker.scan(clock.monotonicMs());
      broker.pump(clock.monotonicMs());
      await drive(files, "idle()", broker.idle());
      quiet = take() > 0 ? 0 : quiet + 1;
    }
  }
  if (isExact) checkRest(broker);
  // Twice, because what was removed shows in the state that is saved next.
  for (const topic of [...broker.topics.values(), ...broker.topics.values()]) {
    await drive(files, "maintain()", topic.maintain());
  }
  if (isExact) {
    assertEquals(broker.outstanding.size, 0, "slots at the end");
    assertEquals(disk.paths().filter((path) => /\.seg$|\/state$|\.tmp$/.test(path)), [], "files at the end");
  }
  const { errors, warnings, lostCount } = node;
  const lines = [...errors, ...warnings];
  await drive(files, "stop()", node.stop());
  assertEquals(files.openFiles, 0, "open files");
  return { deliveries, lines, lostCount };
}

/** Nothing waits. */
function checkRest(broker: Broker): void {
  for (const topic of broker.topics.values()) {
    assertEquals(topic.depth, 0, `depth of ${topic.name}`);
    for (const { name, depth, inFlightCount, deferredCount } of topic.channels.values()) {
      assertEquals([depth, inFlightCount, deferredCount], [0, 0, 0], `counts of ${topic.name}/${name}`);
    }
  }
}
