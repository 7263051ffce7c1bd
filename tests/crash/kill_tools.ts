/**
 * Kills nsq_to_file and nsq_to_nsq at random moments, again and again, while messages come in, and looks whether
 * everything that was published is in a file, or at the destination: what was finished must be there, and what was not
 * comes again.
 *
 *     deno task crash-tools                     40 rounds of each
 *     deno task crash-tools --seed=17 --rounds=5
 *
 * @module
 */

import { gunzipSync } from "node:zlib";
import { Consumer, Producer } from "../../src/client/mod.ts";
import { ChildDaemon, programCommand } from "../support/child_daemon.ts";
import { eventually } from "../support/eventually.ts";
import { Flags } from "../support/flags.ts";
import { type NsqdProcess, startNsqd } from "../support/nsqd_process.ts";
import { Random } from "../support/random.ts";

const USAGE = `usage: deno task crash-tools [flags]

--seed N      of the moments of the kills (a random one)
--rounds N    how many of each kind (40)`;

/** What is killed. */
export const KILL_KINDS = ["file", "file-gzip", "nsq"] as const;

/** One of {@linkcode KILL_KINDS}. */
export type KillKind = typeof KILL_KINDS[number];

/** How it is killed. */
export interface KillToolsOptions {
  readonly kind: KillKind;
  readonly seed: number;
  readonly rounds: number;
  /** How long a round's tool may work at most, in ms. */
  readonly workMsMax?: number;
}

/** What has come of it. */
export interface KillToolsReport {
  readonly published: number;
  /** Those that were there more than once, because they came again. */
  readonly doubled: number;
  /** The numbers of those that are nowhere. */
  readonly missing: readonly number[];
  /** Lines and messages that nobody has published. */
  readonly torn: number;
}

const BATCH = 50;
/** Messages that wait are no more than this, so that the tool and the publisher are both at work. */
const BACKLOG = 3000;
/** Kills a tool in rounds. */
export async function killTool(
  { kind, seed, rounds, workMsMax = 400 }: KillToolsOptions,
): Promise<KillToolsReport> {
  const random = new Random(seed);
  const folder = await Deno.makeTempDir({ prefix: "denosq_kill_tools_" });
  try {
    await using source = await startNsqd({ args: ["--msg-timeout=5s"] });
    await using destination = await startNsqd();
    const args = [
      ...programCommand(kind === "nsq" ? "nsq_to_nsq" : "nsq_to_file"),
      "--topic=t",
      "--channel=c",
      `--nsqd-tcp-address=${source.tcpAddress}`,
      ...flagsOf(kind, folder, destination.tcpAddress),
    ];
    await create(source);
    await create(destination);
    const publisher = new Publisher(source);
    const publishing = publisher.run();
    for (let round = 0; round < rounds; round++) {
      const before = await leftOf(source);
      await using tool = new ChildDaemon(args);
      // It is killed while it works, and not while it starts.
      await eventually(
        "it finishes messages",
        async () => (await leftOf(source)).finished > before.finished,
      );
      await work(random.below(workMsMax));
      tool.kill("SIGKILL");
      await tool.ended();
    }
    publisher.stop();
    await publishing;
    await using last = new ChildDaemon(args);
    await eventually("everything is finished", async () => (await leftOf(source)).left === 0);
    last.kill("SIGTERM");
    if (await last.ended() !== 0) throw new Error(`it did not stop in order:\n${last.log}`);
    const seen = kind === "nsq" ? await seenAt(destination) : await seenIn(`${folder}/out`);
    return report(publisher.count, seen);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function flagsOf(kind: KillKind, folder: string, destination: string): string[] {
  if (kind === "nsq") return [`--destination-nsqd-tcp-address=${destination}`, "--status-every=0"];
  const flags = [`--output-dir=${folder}/out`, "--sync-interval=100ms", "--log-level=error"];
  return kind === "file" ? flags : [...flags, "--gzip", `--work-dir=${folder}/work`, "--rotate-size=100000"];
}

/** Publishes numbers as fast as they are taken. */
class Publisher {
  count = 0;
  #stopped = false;
  readonly #nsqd: NsqdProcess;

  constructor(nsqd: NsqdProcess) {
    this.#nsqd = nsqd;
  }

  stop(): void {
    this.#stopped = true;
  }

  async run(): Promise<void> {
    await using producer = new Producer({ nsqd: [this.#nsqd.tcpAddress] });
    while (!this.#stopped) {
      if ((await leftOf(this.#nsqd)).left > BACKLOG) continue;
      await producer.publishMany("t", Array.from({ length: BATCH }, (_, i) => `message ${this.count + i}`));
      this.count += BATCH;
    }
  }
}

/** Lets the tool work. */
function work(ms: number): Promise<void> {
  const endMs = performance.now() + ms;
  return eventually("it has worked", () => performance.now() >= endMs).then(() => undefined);
}

async function create({ httpAddress }: NsqdProcess): Promise<void> {
  for (const path of ["topic/create?topic=t", "channel/create?topic=t&channel=c"]) {
    const answer = await fetch(`http://${httpAddress}/${path}`, { method: "POST" });
    await answer.body?.cancel();
  }
}

async function leftOf(
  { httpAddress }: NsqdProcess,
): Promise<{ readonly left: number; readonly finished: number }> {
  const answer = await fetch(`http://${httpAddress}/stats?format=json&topic=t&include_clients=false`);
  const [{ message_count, channels: [{ depth, in_flight_count, deferred_count }] }] =
    (await answer.json()).topics;
  const left = depth + in_flight_count + deferred_count;
  return { left, finished: message_count - left };
}

/** How often each line is in the files. */
async function seenIn(folder: string): Promise<Map<string, number>> {
  const seen = new Map<string, number>();
  for await (const { name } of Deno.readDir(folder)) {
    const bytes = await Deno.readFile(`${folder}/${name}`);
    const text = new TextDecoder().decode(
      name.endsWith(".gz") && bytes.length > 0 ? gunzipSync(bytes) : bytes,
    );
    for (const line of text.split("\n").slice(0, -1)) seen.set(line, (seen.get(line) ?? 0) + 1);
  }
  return seen;
}

/** How often each message is at the destination. */
async function seenAt(nsqd: NsqdProcess): Promise<Map<string, number>> {
  const seen = new Map<string, number>();
  await using consumer = new Consumer("t", "c", { nsqd: [nsqd.tcpAddress], maxInFlight: 2000 });
  void consumer.run((message) => {
    const text = message.text();
    seen.set(text, (seen.get(text) ?? 0) + 1);
  });
  await eventually("everything is taken", async () => (await leftOf(nsqd)).left === 0);
  return seen;
}

function report(published: number, seen: ReadonlyMap<string, number>): KillToolsReport {
  const missing: number[] = [];
  let doubled = 0;
  for (let i = 0; i < published; i++) {
    const count = seen.get(`message ${i}`) ?? 0;
    if (count === 0) missing.push(i);
    if (count > 1) doubled++;
  }
  return { published, doubled, missing, torn: seen.size - (published - missing.length) };
}

if (import.meta.main) {
  const flags = new Flags({ usage: USAGE, names: ["seed", "rounds"] });
  const seed = flags.count("seed") ?? Date.now() % 1_000_000;
  const rounds = flags.count("rounds") ?? 40;
  for (const kind of KILL_KINDS) {
    const { published, doubled, missing, torn } = await killTool({ kind, seed, rounds });
    console.log(
      `${kind}: ${rounds} kills (seed ${seed}), ${published} messages: ${missing.length} missing, ${doubled} came again, ${torn} lines were cut`,
    );
    if (missing.length > 0) {
      console.log(`missing: ${missing.slice(0, 20).join(", ")}`);
      Deno.exitCode = 1;
    }
  }
}
