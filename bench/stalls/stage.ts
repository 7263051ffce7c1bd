/**
 * A server that a case is played against, the probes that ask it what others feel, and the phases that were measured.
 *
 * @module
 */

import { type NsqdProcess, startNsqd } from "../../tests/support/nsqd_process.ts";
import { describeMebibytes, describeMs } from "../load_report.ts";
import { measurePhase, type Phase } from "../phase.ts";
import { Probe } from "../probe.ts";

/** Above what any start or stop takes here. */
const TIMEOUT_MS = 300_000;

/** A server to be measured. */
export interface Server {
  readonly name: string;
  readonly command: readonly string[];
  /** It is this project's, and knows its flags. */
  readonly isOurs: boolean;
  /** It is made of this project's code, as it lies here. */
  readonly isSource: boolean;
}

/** Flags that a case needs. */
export interface StageFlags {
  /** Of any nsqd. */
  readonly any?: readonly string[];
  /** Of this project's. */
  readonly ours?: readonly string[];
  /** A program in place of the server's. */
  readonly command?: readonly string[];
  /** Nobody asks the server anything. */
  readonly unprobed?: boolean;
}

/** Numbers of a topic or channel, as `/stats` has them. */
export interface Counts {
  readonly depth: number;
  readonly in_flight_count?: number;
  readonly deferred_count?: number;
}

interface Stats {
  readonly memory?: { readonly heap_in_use_bytes: number };
  readonly topics: readonly (Counts & {
    readonly topic_name: string;
    readonly channels: readonly (Counts & { readonly channel_name: string })[];
  })[];
}

/** A running server in a data path of its own, which is removed at the end. */
export class Stage implements AsyncDisposable {
  readonly phases: Phase[] = [];
  readonly dataPath: string;
  readonly #server: Server;
  readonly #flags: StageFlags;
  readonly #intervalMs: number;
  #nsqd: NsqdProcess;
  #probes: readonly Probe[];
  #disposed = false;

  private constructor(
    server: Server,
    flags: StageFlags,
    options: { readonly intervalMs: number; readonly dataPath: string; readonly nsqd: NsqdProcess },
  ) {
    this.#server = server;
    this.#flags = flags;
    this.#intervalMs = options.intervalMs;
    this.dataPath = options.dataPath;
    this.#nsqd = options.nsqd;
    this.#probes = this.#startProbes();
  }

  /** Starts a server. Probes ask it every `intervalMs`. */
  static async open(server: Server, flags: StageFlags, intervalMs: number): Promise<Stage> {
    const dataPath = await Deno.makeTempDir({ prefix: "denosq_stalls_" });
    try {
      return new Stage(server, flags, { intervalMs, dataPath, nsqd: await start(server, flags, dataPath) });
    } catch (error) {
      await Deno.remove(dataPath, { recursive: true });
      throw error;
    }
  }

  get tcpAddress(): string {
    return this.#nsqd.tcpAddress;
  }

  get pid(): number {
    return this.#nsqd.pid;
  }

  /** Measures the work as a phase. */
  async phase(name: string, work: () => Promise<void>): Promise<Phase> {
    const { pid } = this.#nsqd;
    const phase = await this.#nsqd.run(() => measurePhase({ name, pid, probes: this.#probes, work }));
    this.phases.push(phase);
    console.error(`  ${name}: ${phase.seconds.toFixed(1)} s`);
    return phase;
  }

  /** Asks the HTTP API to change something. */
  async post(path: string): Promise<void> {
    const response = await fetch(`http://${this.#nsqd.httpAddress}${path}`, { method: "POST" });
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    await response.body?.cancel();
  }

  /** Memory in use, by what the server says of itself. */
  async heapInUseBytes(): Promise<number> {
    return (await this.#stats("none")).memory?.heap_in_use_bytes ?? NaN;
  }

  /** The numbers of a channel. */
  async channelCounts(topic: string, channel: string): Promise<Counts> {
    const stats = (await this.#stats(topic)).topics[0]?.channels;
    const counts = stats?.find(({ channel_name }) => channel_name === channel);
    if (!counts) throw new Error(`/stats knows no channel ${channel}`);
    return counts;
  }

  /** Messages that wait in all topics and channels. */
  async depth(): Promise<number> {
    const { topics } = await this.#stats("");
    return topics.flatMap((topic) => [topic, ...topic.channels]).reduce((sum, { depth }) => sum + depth, 0);
  }

  /** Stops the server, in order or by a kill, and starts it again; the seconds of both. */
  async restart(
    how: "stop" | "kill" = "stop",
  ): Promise<{ readonly stopSeconds: number; readonly startSeconds: number }> {
    this.#endProbes();
    const stopAt = performance.now();
    if (how === "kill") await this.#nsqd.kill();
    else await this.#nsqd.stop({ timeoutMs: TIMEOUT_MS });
    const startAt = performance.now();
    this.#nsqd = await start(this.#server, this.#flags, this.dataPath);
    const startedAt = performance.now();
    this.#probes = this.#startProbes();
    return { stopSeconds: (startAt - stopAt) / 1000, startSeconds: (startedAt - startAt) / 1000 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#endProbes();
    // A stop in order would save what nobody wants.
    await this.#nsqd.kill();
    await Deno.remove(this.dataPath, { recursive: true });
  }

  #startProbes(): Probe[] {
    if (this.#flags.unprobed) return [];
    const { tcpAddress, httpAddress } = this.#nsqd;
    return [
      new Probe({ kind: "tcp", address: tcpAddress, intervalMs: this.#intervalMs }),
      new Probe({ kind: "http", address: httpAddress, intervalMs: 4 * this.#intervalMs }),
    ];
  }

  #endProbes(): void {
    for (const probe of this.#probes) probe[Symbol.dispose]();
    this.#probes = [];
  }

  async #stats(topic: string): Promise<Stats> {
    const response = await fetch(`http://${this.#nsqd.httpAddress}/stats?format=json&topic=${topic}`);
    const stats: Stats = await response.json();
    // NSQ has null for an empty list.
    return { ...stats, topics: stats.topics ?? [] };
  }
}

/** The columns of phases. */
export const PHASE_HEAD: readonly string[] = [
  ...["phase", "seconds", "cores", "read MiB", "RSS before", "peak", "after MiB"],
  ...["PUB p50", "p99", "max", "prober late max", "ping p99", "max"],
];

/** A phase as a row. */
export function phaseRow(phase: Phase): string[] {
  const [pub, ping] = phase.probes;
  const latencies = [
    pub?.answers?.p50Ms,
    pub?.answers?.p99Ms,
    pub?.answers?.maxMs,
    pub?.lateness?.maxMs,
    ping?.answers?.p99Ms,
    ping?.answers?.maxMs,
  ];
  return [
    phase.name,
    phase.seconds.toFixed(1),
    (phase.cpuSeconds / phase.seconds).toFixed(2),
    ...[phase.readBytes, phase.startRssBytes, phase.peakRssBytes, phase.endRssBytes].map(describeMebibytes),
    ...latencies.map((ms) => ms === undefined ? "–" : describeMs(ms)),
  ];
}

function start(server: Server, flags: StageFlags, dataPath: string): Promise<NsqdProcess> {
  const args = [...flags.any ?? [], ...server.isOurs ? flags.ours ?? [] : []];
  return startNsqd({ command: flags.command ?? server.command, args, dataPath, startTimeoutMs: TIMEOUT_MS });
}
