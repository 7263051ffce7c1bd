/**
 * A round of the crash tests on a data path: publishers and consumers work, the server is killed, it is started again,
 * and everything that is left is delivered, finished, and held against the record.
 *
 * @module
 */

import { ended, makeChannel, nowMs, pause, post, type Work } from "./kill_actors.ts";
import { consume } from "./kill_consumer.ts";
import { type BulkPlan, type RoundPlan, type ServerPlan, TOPICS } from "./kill_plan.ts";
import { publish, publishBulk } from "./kill_publisher.ts";
import { KillRecord } from "./kill_record.ts";
import { describe, type Fate } from "./kill_fate.ts";
import { copyFolder, removeFolder } from "./kill_folders.ts";
import { type ChannelStats, KillServer, type TopicStats } from "./kill_server.ts";

/** What a flush interval may take longer than `--sync-timeout`, in ms: its syncs take long while other tests use the disk. */
const FLUSH_MARGIN_MS = 1500;
/** How much earlier a FIN was sent than the state was written that has it, at most, on a machine whose disk others use, too, in ms. */
const SAVED_MARGIN_MS = 250;
/** How far back waits tell how late the server is, in ms. */
const LAG_WINDOW_MS = 3000;
const STATS_INTERVAL_MS = 25;
/** How much longer it may take until a segment is rewritten, in ms. */
const REWRITING_MS = 1000;
/** A channel that nobody reads, and that is deleted. */
const HELD = "held";
/** Ending of the folder with the files as the last server left them. */
export const LEFT_SUFFIX = ".left";
const MISSING_SHOWN_MAX = 10;
const VIOLATIONS_SHOWN_MAX = 30;

/** Totals of a data path. */
export interface PathCounts {
  kills: number;
  stops: number;
  tornTails: number;
  /** Segments that were being rewritten when the server was killed. */
  cutRewrites: number;
  /** Rounds with much of something. */
  bulks: number;
  readonly startsMs: number[];
}

/** Something does not hold. */
export class LossError extends Error {
  override readonly name = "LossError";
  /** Where it happened; the files are kept. */
  readonly path: KillPath;

  constructor(message: string, options: ErrorOptions & { path: KillPath }) {
    super(message, options);
    this.path = options.path;
  }
}

/** A data path with a server, and the record of it. */
export class KillPath {
  readonly dataPath: string;
  readonly record = new KillRecord();
  readonly counts: PathCounts = { kills: 0, stops: 0, tornTails: 0, cutRewrites: 0, bulks: 0, startsMs: [] };
  readonly #drainTimeoutMs: number;
  #server: KillServer | undefined;

  constructor(dataPath: string, options: { durable: (topic: string) => boolean; drainTimeoutMs: number }) {
    this.dataPath = dataPath;
    this.#drainTimeoutMs = options.drainTimeoutMs;
    for (const topic of TOPICS) this.record.addTopic(topic, { durable: options.durable(topic) });
  }

  /** Starts the server. */
  async start(plan: ServerPlan): Promise<void> {
    this.#server = await KillServer.start(this.dataPath, plan);
    this.counts.startsMs.push(this.#server.startMs);
  }

  /**
   * Does a round; the server runs before and after it.
   *
   * @throws {LossError} When something does not hold.
   */
  async round(plan: RoundPlan): Promise<void> {
    await this.#work(plan);
    await this.#restart(plan);
    if (!await this.#drain(plan.killAtDrainMs)) {
      await this.#restart(plan);
      await this.#drain(Infinity);
    }
    this.#check();
  }

  /** Waits for what is deferred for long, and has it delivered. */
  async deliverRest(): Promise<void> {
    await pause(Math.max(this.record.lastDueMs - nowMs(), 0));
    await this.#drain(Infinity);
    this.#check();
  }

  /** Stops the server in order. */
  async stop(): Promise<void> {
    await this.#end("stop", this.#newWork(false), () => Promise.resolve());
    this.#check();
  }

  /** Removes the data path. */
  async remove(): Promise<void> {
    await removeFolder(this.dataPath);
    await removeFolder(this.dataPath + LEFT_SUFFIX);
  }

  /** Ends the server after a failure. */
  async abandon(): Promise<void> {
    await this.#server?.end("kill", 0);
    this.#server = undefined;
  }

  async #restart(plan: RoundPlan): Promise<void> {
    for (const afterMs of plan.killsAtStartMs) {
      await KillServer.killAtStart(this.dataPath, plan.server, afterMs);
      this.counts.kills++;
    }
    await this.start(plan.server);
  }

  /** Lets everybody work until the server ends. */
  async #work(plan: RoundPlan): Promise<void> {
    const work = this.#newWork(plan.longDeferrals);
    const actors = plan.publishers.map((publisher) => this.#watched(publish(publisher, work)));
    const channels = async () => {
      const startMs = nowMs();
      // One after the other: the first channel of a topic gets what waits in it.
      for (const { topic, channel, afterMs } of plan.channels) {
        await pause(Math.max(startMs + afterMs - nowMs(), 0));
        if (!work.ending) await makeChannel(topic, channel, work);
        if (work.ending) return;
        for (const consumer of plan.consumers) {
          if (consumer.topic === topic && consumer.channel === channel) {
            actors.push(this.#watched(consume(consumer, work)));
          }
        }
      }
    };
    const making = this.#watched(plan.bulk ? this.#bulk(plan.bulk, channels(), work) : channels());
    await this.#workTime(plan);
    await this.#end(plan.end, work, async () => {
      await making;
      await Promise.all(actors);
    });
  }

  /** Settles when the server is to end: where segments are going to be rewritten, while one is. */
  async #workTime({ workMs, bulk }: RoundPlan): Promise<void> {
    const endMs = nowMs() + workMs;
    if (bulk?.kind !== "deleted") return await pause(workMs);
    while (nowMs() < endMs + REWRITING_MS && this.#cutRewrites() === 0) await pause(1);
  }

  /** Has the server much of something when it ends. The channels that are made have what there is too little of otherwise. */
  async #bulk(plan: BulkPlan, channels: Promise<void>, work: Work): Promise<void> {
    const { kind, topic, deleteAfterMs } = plan;
    const startMs = nowMs();
    this.counts.bulks++;
    await channels;
    if (kind === "paused") await this.#command(`channel/pause?topic=${topic}&channel=a`, work);
    // What it is to hold the record knows nothing of.
    if (kind === "deleted") {
      await this.#command(`channel/create?topic=${topic}&channel=${HELD}`, work);
      await this.#command(`channel/pause?topic=${topic}&channel=${HELD}`, work);
    }
    const publishing = publishBulk(plan, work);
    if (kind === "deleted") {
      await pause(Math.max(startMs + deleteAfterMs - nowMs(), 0));
      await this.#command(`channel/delete?topic=${topic}&channel=${HELD}`, work);
    }
    await publishing;
  }

  /** Asks the server for something, as an operator does. */
  async #command(path: string, work: Work): Promise<void> {
    if (work.ending) return;
    const answer = await post(`http://${work.httpAddress}/${path}`, "");
    if (answer?.status !== 200) ended(`/${path} was answered by ${answer?.status} ${answer?.text}`, work);
  }

  /** What `/stats` says by topic; nothing when the server is killed meanwhile. */
  async #stats(work: Work): Promise<ReadonlyMap<string, TopicStats>> {
    try {
      return await this.#server?.stats() ?? new Map();
    } catch (error) {
      // All that `fetch` says of a connection that has ended.
      if (!(error instanceof TypeError)) throw error;
      ended(`/stats has failed - ${error.message} (${error.cause})`, work);
      return new Map();
    }
  }

  /** Takes back what operators have done: everything is to come. */
  async #release(topic: string, stats: ReadonlyMap<string, TopicStats>, work: Work): Promise<void> {
    const { channels } = stats.get(topic) ?? { channels: new Map<string, ChannelStats>() };
    if (channels.get("a")?.paused) await this.#command(`channel/unpause?topic=${topic}&channel=a`, work);
    if (channels.has(HELD)) await this.#command(`channel/delete?topic=${topic}&channel=${HELD}`, work);
  }

  /** Has everything delivered that is left; false when the server was killed before, after `killAfterMs`. */
  async #drain(killAfterMs: number): Promise<boolean> {
    const work = this.#newWork(false);
    const { record } = this;
    const actors: Promise<void>[] = [];
    const subscribe = async () => {
      const stats = await this.#stats(work);
      for (const topic of record.topics) {
        await this.#release(topic, stats, work);
        // A topic that was killed before it had any still has messages.
        for (const channel of [...new Set([...record.channelsOf(topic), "a"])]) {
          if (!work.ending) await makeChannel(topic, channel, work);
          if (!work.ending) actors.push(this.#watched(consume({ ...DRAINING, topic, channel }, work)));
        }
      }
    };
    const subscribing = this.#watched(subscribe());
    const startMs = nowMs();
    const gone = async () => {
      await subscribing;
      for (const client of work.clients) client.close();
      await Promise.all(actors);
    };
    while (record.violations.length === 0) {
      const beforeMs = nowMs();
      await pause(STATS_INTERVAL_MS);
      const stats = await this.#server?.stats();
      const now = nowMs();
      work.waits.push({ atMs: now, ms: now - beforeMs - STATS_INTERVAL_MS });
      if (now - startMs > killAfterMs) {
        await this.#end("kill", work, gone);
        return false;
      }
      const left = record.missing(now);
      for (const [topic, { lost }] of stats ?? []) {
        if (lost > 0) record.violations.push(`${topic} says that ${lost} messages are lost`);
      }
      if (stats && left.length === 0 && this.#isEmpty(stats)) {
        record.drained(now);
        break;
      }
      if (now - startMs > this.#drainTimeoutMs) await this.#reportMissing(left);
    }
    work.ending = true;
    await gone();
    return true;
  }

  /** Ends the server; `gone` settles when nobody reads any more what it has sent. */
  async #end(how: "kill" | "stop", work: Work, gone: () => Promise<void>): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const { record, counts } = this;
    const now = nowMs();
    const waits = [
      ...work.waits.filter(({ atMs }) => atMs > now - LAG_WINDOW_MS).map(({ ms }) => ms),
      ...[...work.unanswered].map(({ sentMs }) => now - sentMs),
    ];
    work.ending = true;
    const lagMs = 3 * Math.max(0, ...waits);
    const end = await server.end(how, FLUSH_MARGIN_MS + lagMs);
    // What is still on its way counts.
    await gone();
    // A server that stops in order goes on saving when it does not listen any more.
    const heardMs = (topic: string) => Math.min(this.#savedMs(topic), now);
    const savedMs = new Map(
      record.topics.map((topic) => [topic, heardMs(topic) - SAVED_MARGIN_MS - lagMs]),
    );
    record.ended({ intervalMs: end.flushedMs, savedMs, inOrder: how === "stop" });
    record.violations.push(...end.problems);
    await this.#copyAside(server.log);
    counts.cutRewrites += this.#cutRewrites();
    counts.tornTails += end.tornTails;
    if (how === "kill") counts.kills++;
    else counts.stops++;
  }

  /** When a topic's state was saved, if it has one: what it says is sharper than the flush interval. */
  #savedMs(topic: string): number {
    try {
      const { mtime } = Deno.statSync(`${this.dataPath}/${topic}.topic/state`);
      return mtime?.getTime() ?? 0;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return 0;
      throw error;
    }
  }

  /** What the server has left of segments that it was rewriting. */
  #cutRewrites(): number {
    const folders = [...Deno.readDirSync(this.dataPath)].filter(({ isDirectory }) => isDirectory);
    const names = folders.flatMap(({ name }) => [...Deno.readDirSync(`${this.dataPath}/${name}`)]);
    return names.filter(({ name }) => /\.seg\.\d+\.tmp$/.test(name)).length;
  }

  /** For whoever looks for the cause of a failure: the files as the server left them, and its log. */
  async #copyAside(log: string): Promise<void> {
    const copy = this.dataPath + LEFT_SUFFIX;
    await removeFolder(copy);
    await copyFolder(this.dataPath, copy);
    await Deno.writeTextFile(`${copy}/nsqd.log`, log);
  }

  #isEmpty(stats: ReadonlyMap<string, TopicStats>): boolean {
    const now = nowMs();
    return this.record.topics.every((topic) => {
      const names = this.record.channelsOf(topic);
      const { depth, channels } = stats.get(topic) ?? { depth: 0, channels: new Map<string, ChannelStats>() };
      return depth === 0 && names.every((name) => {
        const channel = channels.get(name);
        const { min, max } = this.record.notDue(topic, name, now);
        return channel && channel.depth === 0 && channel.in_flight_count === 0 &&
          channel.deferred_count >= min && channel.deferred_count <= max;
      });
    });
  }

  async #reportMissing(left: readonly Fate[]): Promise<void> {
    const now = nowMs();
    const depths = [...await this.#server?.stats() ?? []].flatMap(([topic, { depth, channels }]) => [
      `${topic}: depth ${depth}`,
      ...[...channels].map(([name, channel]) => {
        const { min, max } = this.record.notDue(topic, name, now);
        return `${topic}/${name}: depth ${channel.depth}, in flight ${channel.in_flight_count}, ` +
          `deferred ${channel.deferred_count} (expected ${min} to ${max})`;
      }),
    ]);
    this.record.violations.push(
      `not everything has come within ${this.#drainTimeoutMs} ms: ${left.length} deliveries are missing`,
      ...left.slice(0, MISSING_SHOWN_MAX).map((fate) => describe(fate, now)),
      ...depths,
    );
  }

  /** A fault of the driver fails the round, after the server has been ended. */
  async #watched(actor: Promise<void>): Promise<void> {
    try {
      await actor;
    } catch (error) {
      this.record.violations.push(`the driver failed: ${error instanceof Error ? error.stack : error}`);
    }
  }

  #newWork(longDeferrals: boolean): Work {
    const { tcpAddress = "", httpAddress = "" } = this.#server ?? {};
    return {
      tcpAddress,
      httpAddress,
      record: this.record,
      longDeferrals,
      msgTimeoutMs: this.#server?.plan.msgTimeoutMs ?? 0,
      ending: false,
      waits: [],
      unanswered: new Set(),
      clients: new Set(),
    };
  }

  #check(): void {
    const { violations } = this.record;
    if (violations.length === 0) return;
    const shown = violations.slice(0, VIOLATIONS_SHOWN_MAX);
    const more = violations.length > shown.length ? [`and ${violations.length - shown.length} more`] : [];
    throw new LossError([...shown, ...more].join("\n"), { path: this });
  }
}

/** One who only finishes. */
const DRAINING = {
  seed: 0,
  rdy: 500,
  msgTimeoutMs: 10_000,
  finishPercent: 100,
  leaveAfterMs: Infinity,
  polite: true,
};
