/**
 * A server of the crash tests: started, killed or stopped, and its log looked at.
 *
 * @module
 */

import { nsqdCommand, type NsqdProcess, startNsqd } from "../support/nsqd_process.ts";
import { nowMs, pause } from "./kill_actors.ts";
import type { ServerPlan } from "./kill_plan.ts";

/**
 * What a server's log may hold of warnings and errors: that a write was cut off, that a segment was
 * finished in time for nobody to have flushed it, and what clients did.
 */
const EXPECTED = [
  / WARNING: TOPIC\(\w+\): segment \d+ ends in \d+ bytes of an interrupted write at byte \d+, cut off$/,
  / WARNING: TOPIC\(\w+\): from segment \d+ on \d+ messages? (is|are) missing - finished since the last flush, or lost$/,
  / ERROR: \[[\d.:]+\] - E_(FIN|REQ|TOUCH)_FAILED /,
  / ERROR: client\([\d.:]+\) - .*(reset|[Bb]roken pipe)/,
];
const TORN = /bytes of an interrupted write/;

/** What a server is known by when it has ended. */
export interface ServerEnd {
  /** What was sent before is flushed. */
  readonly flushedMs: number;
  /** What its log says that it should not, and an exit code that is not 0. */
  readonly problems: readonly string[];
  /** Times that the log told of an interrupted write. */
  readonly tornTails: number;
}

/** A channel in `/stats`. */
export interface ChannelStats {
  readonly channel_name: string;
  readonly paused: boolean;
  readonly depth: number;
  readonly in_flight_count: number;
  readonly deferred_count: number;
}

/** A topic in `/stats`, with its channels by name. */
export interface TopicStats {
  readonly depth: number;
  /** Messages that it says are lost. */
  readonly lost: number;
  readonly channels: ReadonlyMap<string, ChannelStats>;
}

interface RawTopicStats {
  readonly topic_name: string;
  readonly depth: number;
  readonly lost_count?: number;
  readonly channels: readonly ChannelStats[];
}

/** A running server. */
export class KillServer {
  readonly plan: ServerPlan;
  /** From its first line to the one that it listens, in ms. */
  readonly startMs: number;
  readonly #nsqd: NsqdProcess;

  private constructor(nsqd: NsqdProcess, plan: ServerPlan) {
    this.plan = plan;
    this.#nsqd = nsqd;
    this.startMs = startTimeOf(nsqd.log);
  }

  /** Starts one on a data path. */
  static async start(dataPath: string, plan: ServerPlan): Promise<KillServer> {
    return new KillServer(await startNsqd({ dataPath, args: plan.args }), plan);
  }

  /** Starts one and kills it after that time, wherever it is then. */
  static async killAtStart(dataPath: string, plan: ServerPlan, afterMs: number): Promise<void> {
    const [program, ...first] = nsqdCommand();
    const child = new Deno.Command(program, {
      args: [
        ...first,
        "--tcp-address=127.0.0.1:0",
        "--http-address=127.0.0.1:0",
        `--data-path=${dataPath}`,
        ...plan.args,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await pause(afterMs);
    child.kill("SIGKILL");
    await child.status;
  }

  get tcpAddress(): string {
    return this.#nsqd.tcpAddress;
  }

  get httpAddress(): string {
    return this.#nsqd.httpAddress;
  }

  get log(): string {
    return this.#nsqd.log;
  }

  /** What `/stats` says, by topic. */
  async stats(): Promise<Map<string, TopicStats>> {
    const response = await fetch(`http://${this.httpAddress}/stats?format=json&include_clients=false`);
    const { topics }: { topics: RawTopicStats[] } = await response.json();
    return new Map(topics.map(({ topic_name, depth, lost_count: lost = 0, channels }) => [
      topic_name,
      { depth, lost, channels: new Map(channels.map((channel) => [channel.channel_name, channel])) },
    ]));
  }

  /** Ends it; `lagMs` is how late it may have been with its work. */
  async end(how: "kill" | "stop", lagMs: number): Promise<ServerEnd> {
    const endMs = nowMs();
    const problems: string[] = [];
    try {
      if (how === "kill") await this.#nsqd.kill();
      else await this.#nsqd.stop();
      await this.#nsqd[Symbol.asyncDispose]();
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
    const unexpected = this.log.split("\n").filter((line) =>
      / (WARNING|ERROR|FATAL): /.test(line) && !EXPECTED.some((pattern) => pattern.test(line))
    );
    // A server that stops in order saves everything that has reached it.
    const intervalMs = how === "kill" ? this.plan.syncTimeoutMs : 0;
    return {
      flushedMs: endMs - intervalMs - lagMs,
      problems: [...problems, ...unexpected],
      tornTails: this.log.split("\n").filter((line) => TORN.test(line)).length,
    };
  }
}

function startTimeOf(log: string): number {
  const times = [/^.*$/m, /^.*TCP: listening on.*$/m].map((line) => {
    const [, hours, minutes, seconds] = / (\d\d):(\d\d):(\d\d\.\d+) /.exec(line.exec(log)?.[0] ?? "") ?? [];
    return (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
  });
  // Over midnight it begins anew.
  return Math.round(((times[1] - times[0] + 86_400) % 86_400) * 1000);
}
