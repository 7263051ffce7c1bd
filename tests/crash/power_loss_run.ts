/**
 * One run of a campaign: a node on a simulated disk, its record, and what a step can do to both. Steps are in
 * power_loss_steps.ts; a crash ends the node, and another one goes on with what is left.
 *
 * @module
 */
import type { Topic } from "../../src/broker/topic.ts";
import { FakeClock } from "../support/fake_clock.ts";
import type { Random } from "../support/random.ts";
import {
  type CallCounts,
  Died,
  FaultError,
  type SimulatedFileSystem,
} from "../support/simulated_file_system.ts";
import { type OnDelivery, RunConsumer } from "./power_loss_consumer.ts";
import { DAMAGE, type Ending, type Remains, RunDisk } from "./power_loss_disk.ts";
import { CrashNode, folderOf, type NodeOptions } from "./power_loss_node.ts";
import { CrashRecord, KEPT, type Kept, type Message, now, type TopicRecord } from "./power_loss_record.ts";
import { bodyOf, drive, type Findings, idOf, microtasks, must } from "./power_loss_recovery.ts";
import { adopt, checkPosition, compare } from "./power_loss_verdict.ts";

/** What a run is made of. */
export interface Profile {
  readonly limits: NodeOptions["limits"];
  readonly syncEvery: number;
  readonly topics: readonly string[];
  readonly channels: readonly string[];
  /** Bodies have from 4 bytes to this. */
  readonly bodySizeMax: number;
  /** Folders survive a loss of power by themselves. */
  readonly byFolder: boolean;
}

/** The disk does not let the node begin with what the step is about; a client's connection ends then. */
export class StepRefused extends Error {
  override readonly name = "StepRefused";
}

/** How often what has happened. */
export type Counts = CallCounts;

/** At least so long lasts what comes between two nodes, in ms. */
const RESTART_MS = 3;
/** What may be logged when the disk makes trouble. */
const TROUBLE = /\(os error (5|28|30)\)|is damaged at byte|Died|failed to/;

/** A node, and what is known of it. */
export class CrashRun {
  readonly profile: Profile;
  readonly clock = new FakeClock();
  readonly record = new CrashRecord();
  readonly counts: Counts;
  readonly disk: RunDisk;
  readonly trace: string[] = [];
  consumers: RunConsumer[] = [];
  node: CrashNode;
  files: SimulatedFileSystem;
  /** Work of the node that has begun and not ended, by what it is. */
  readonly tasks = new Map<string, Promise<unknown>>();
  /** What a task has thrown that it must not. */
  #failure: unknown;
  /** The record knows what the node has found. */
  #isCompared = true;
  /** Messages that were committed by this node. */
  readonly #ofThisLife = new Set<Message>();
  /** Which node it is. */
  #life = 0;
  /** Calls of this node's have failed. */
  troubled = false;

  private constructor(profile: Profile, random: Random, counts: Counts) {
    this.profile = profile;
    this.counts = counts;
    this.disk = new RunDisk({ byFolder: profile.byFolder, counts });
    [this.node, this.files] = this.#newNode(random);
  }

  /** A run whose first node has been started. */
  static async begin(profile: Profile, random: Random, counts: Counts): Promise<CrashRun> {
    const run = new CrashRun(profile, random, counts);
    await run.#load();
    return run;
  }

  count(what: string, times = 1): void {
    if (times > 0) this.counts.set(what, (this.counts.get(what) ?? 0) + times);
  }

  note(what: string): void {
    this.trace.push(what);
  }

  /** The topic of that name, which is made if there is none. */
  topic(name: string): { real: Topic; record: TopicRecord } {
    try {
      const real = this.node.broker.topic(name);
      return { real, record: this.record.topic(name) };
    } catch (error) {
      this.#expectTrouble(error);
      this.count("topic not made");
      throw new StepRefused();
    }
  }

  /** Appends messages to the topic, as a connection does. */
  append(name: string, sizes: readonly number[], deferMs: number): void {
    const { real, record } = this.topic(name);
    const block = this.#block(record, sizes, deferMs);
    real.append(block, 0, block.length, { count: sizes.length, deferMs });
  }

  /** Publishes messages to the topic, as an HTTP request does. */
  publish(name: string, sizes: readonly number[], deferMs: number): void {
    const { real, record } = this.topic(name);
    const earlier = record.pending;
    record.pending = [];
    const block = this.#block(record, sizes, deferMs);
    const messages = record.pending;
    const before = real.messageCount;
    let failed = true;
    try {
      if (sizes.length === 1) real.publish(block.slice(4), { deferMs });
      else real.publishBatch(block, sizes.length);
      failed = false;
    } catch (error) {
      this.#expectTrouble(error);
      this.count("refused", sizes.length);
    }
    const committed = real.messageCount - before - (failed ? 0 : messages.length);
    must(committed === 0 || committed === earlier.length, () => `${committed} messages were committed`);
    record.pending = committed > 0 ? earlier : [];
    const published = new Set(record.pending);
    if (earlier.length > 0) this.record.commit(record);
    record.pending = failed ? [] : messages;
    const unanswered = [...record.unanswered];
    for (const message of record.pending) published.add(message);
    this.record.commit(record);
    record.unanswered = unanswered;
    this.follow(record, published);
    if (!failed) this.#answer(record, messages, real.kept());
  }

  /** The end of a turn: what was appended is committed, and what can be delivered is. */
  turn(): void {
    const { broker } = this.node;
    const topics = [...this.record.topics.values()];
    const before = topics.map(({ name }) => broker.topics.get(name)?.messageCount ?? 0);
    const { failed, pending } = broker.commit();
    for (const [i, topic] of topics.entries()) {
      const real = broker.topics.get(topic.name);
      if (!real) continue;
      // There may be nobody to answer: what was appended has been dropped since.
      pending.get(real)?.catch(() => {});
      if (topic.pending.length + topic.unanswered.length === 0) continue;
      const error = failed.get(real);
      if (error !== undefined) {
        this.#expectTrouble(error);
        this.count("refused", topic.unanswered.length + topic.pending.length);
        // Perhaps only what came before them could not be kept.
        if (real.messageCount === before[i]) topic.pending = [];
      }
      this.record.commit(topic);
      const messages = topic.unanswered;
      topic.unanswered = [];
      this.follow(topic, new Set(messages));
      if (error === undefined) this.#answer(topic, messages, pending.get(real));
    }
    broker.pump(this.clock.monotonicMs());
    this.checkCounts();
  }

  /** The topic passes its own messages to the channels when it likes, in order: what it has passed now is known. */
  follow(topic: TopicRecord, published: ReadonlySet<Message> = new Set()): void {
    const real = this.node.broker.topics.get(topic.name);
    if (real) this.record.pass(topic, topic.own.size - real.depth, published);
  }

  /** As `follow`, of all topics. */
  followAll(): void {
    for (const topic of this.record.topics.values()) this.follow(topic);
  }

  /** Drops the topic's own messages. */
  emptyTopic(name: string): void {
    const { real, record } = this.topic(name);
    this.follow(record);
    const before = real.messageCount;
    const passes = real.depth === 0 && !real.paused && real.channels.size > 0;
    real.empty();
    if (real.messageCount === before) record.pending = [];
    const published = new Set(record.pending);
    this.record.commit(record);
    // What others have appended is published first.
    if (passes) this.record.pass(record, record.own.size, published);
    this.record.emptyTopic(record);
  }

  /** Begins work of the node that must not fail but for the disk. */
  task(what: string, work: () => Promise<void>, done: () => void = () => {}): void {
    const life = this.#life;
    const task = (async () => {
      try {
        await work();
        if (life === this.#life) done();
      } catch (error) {
        if (life !== this.#life) return;
        if (this.troubled || this.files.dead) this.count(`${what.split(" ")[0]} fails`);
        else this.#failure ??= error;
      } finally {
        if (life === this.#life) this.tasks.delete(what);
      }
    })();
    this.tasks.set(what, task);
  }

  /** Saves the topic's state, with what belongs to it or by itself. */
  save(name: string, work: "flush" | "saveState"): void {
    const { real, record } = this.topic(name);
    const what = `save ${name}`;
    // As in nsqd, which does not save a topic twice at a time.
    if (this.tasks.has(what)) return;
    this.follow(record);
    const tick = this.record.next();
    this.task(what, () => real[work](), () => this.#flush(record, tick));
  }

  /** Rewrites segments of which little is left. */
  compact(name: string): void {
    const { real } = this.topic(name);
    const what = `compact ${name}`;
    if (!this.tasks.has(what)) this.task(what, () => real.compact());
  }

  /** Writes the metadata file. */
  persistMetadata(): void {
    if (!this.tasks.has("persist")) this.task("persist", () => this.node.metadata.persist());
  }

  /** Tries again what the data path has refused. */
  retry(): void {
    if (!this.tasks.has("metadata.retry")) this.task("metadata.retry", () => this.node.metadata.retry());
    if (!this.tasks.has("use")) this.task("use", () => this.node.flush.useDataPath());
  }

  /** Syncs the topic's messages. */
  sync(name: string): void {
    const { real, record } = this.topic(name);
    const what = `sync ${name}`;
    if (this.tasks.has(what)) return;
    const messages = this.#written(record);
    this.task(what, () => real.sync(), () => {
      this.record.keep(messages, KEPT.powerLoss);
    });
  }

  /** Lets asynchronous work go on: so many calls end. */
  async settle(calls: number): Promise<void> {
    await microtasks();
    for (let i = 0; i < calls && this.files.running > 0; i++) {
      this.files.endOne();
      await microtasks();
      this.followAll();
    }
    this.#check();
  }

  /** Lets all asynchronous work come to its end. */
  async settleAll(): Promise<void> {
    for (let i = 0; this.tasks.size + this.files.running > 0 && !this.files.dead; i++) {
      must(i < 1000, () => `${[...this.tasks.keys()]} hang`);
      await this.settle(1);
    }
  }

  /** The time passes. */
  advance(ms: number): void {
    this.clock.advance(ms);
    this.node.timers.advance(ms);
    const nowMs = this.clock.monotonicMs();
    this.node.broker.scan(nowMs);
    for (const { flights } of this.consumers) {
      for (let i = flights.length - 1; i >= 0; i--) {
        if (flights[i].deadlineMs > nowMs) continue;
        flights[i].entry.inFlight = false;
        flights.splice(i, 1);
        this.count("timeout");
      }
    }
  }

  /** Somebody sets the clock. */
  stepClock(ms: number): void {
    this.clock.step(ms);
    this.record.stepClock(ms);
    this.node.broker.wallClockStepped(ms);
  }

  /** Adds a consumer of the channel. */
  consume(topic: TopicRecord, channel: string, msgTimeoutMs: number): RunConsumer {
    const consumer = new RunConsumer({ topic, channel, msgTimeoutMs, onDelivery: this.#delivered });
    this.consumers.push(consumer);
    return consumer;
  }

  readonly #delivered: OnDelivery = (consumer, segment, index, attempts) => {
    const { topic, channel } = consumer;
    const id = idOf(segment, index);
    const nowMs = this.clock.nowMs();
    const position = segment.base + index;
    const where = `${topic.name}/${channel}`;
    if (topic.own.has(id)) {
      // Where counts are not exact, this is how it is found out.
      must(!this.disk.isExact, () => `${where} delivers #${id}, which is the topic's own`);
      this.record.pass(topic, [...topic.own.keys()].indexOf(id) + 1);
    }
    const entry = topic.entries(channel).get(id);
    must(entry !== undefined, () => `${where} delivers #${id}, which it never had`);
    must(entry.gone === Infinity, () => `${where} delivers #${id} again`);
    must(!entry.inFlight, () => `${where} delivers #${id}, which is in flight`);
    must(now(entry).low <= nowMs, () => `${where} delivers #${id} ${now(entry).low - nowMs} ms too early`);
    must(
      attempts === now(entry).attempts + 1,
      () => `${where} delivers #${id} with ${attempts} attempts, not ${now(entry).attempts + 1}`,
    );
    checkPosition(this.record, entry.message, position);
    this.record.deliver(entry, attempts);
    const deliveredMs = this.clock.monotonicMs();
    consumer.flights.push({
      entry,
      position,
      deliveredMs,
      deadlineMs: deliveredMs + consumer.consumer.msgTimeoutMs,
    });
    this.count("delivered");
  };

  /** Every number that the node shows is the record's. */
  checkCounts(): void {
    const { broker } = this.node;
    this.disk.note(this.files);
    this.followAll();
    const { isExact } = this.disk;
    for (const topic of this.record.topics.values()) {
      const real = broker.topics.get(topic.name);
      if (!real) continue;
      must(
        real.depth === topic.own.size || !isExact,
        () => `${topic.name} has a depth of ${real.depth}, not ${topic.own.size}`,
      );
      for (const channel of real.channels.values()) {
        const count = channel.depth + channel.deferredCount + channel.inFlightCount;
        const expected = topic.present(channel.name).length;
        must(
          count === expected || !isExact && count > expected,
          () => `${topic.name}/${channel.name} has ${count} messages, not ${expected}`,
        );
      }
      for (const segment of real.log.segments) {
        if (segment.stored && !segment.resident) this.count("segment evicted");
        if (segment.stored && topic.durability === "memory") this.count("segment spilled");
        if (segment.holes > 0) this.count("segment with holes");
      }
      for (const channel of real.channels.values()) {
        if (channel.deferredCount > 0) this.count("deferred seen");
      }
    }
  }

  /** What would be there after a crash now is checked, and the node goes on. */
  async fork(random: Random, ending: Ending): Promise<void> {
    this.count(`fork: ${ending}`);
    this.note(`after ${ending}`);
    this.disk.note(this.files);
    this.followAll();
    const findings = await this.#find(this.disk.remains(ending, random), { random, ending });
    compare(this.record, findings, keptAfter(ending));
  }

  /** The node ends, and another one goes on. */
  async crash(random: Random, ending: Ending): Promise<void> {
    this.count(`crash: ${ending}`);
    this.followAll();
    const endings: Ending[] = [];
    const end = (ending: Ending) => {
      endings.push(ending);
      this.note(`after ${ending}`);
      this.files.kill();
      this.disk.note(this.files);
      this.disk.become(this.disk.remains(ending, random));
    };
    this.#endLife();
    end(ending);
    for (let i = 0; i < 3 && random.oneIn(3); i++) {
      await this.#failingStart(random);
      end(random.oneIn(2) ? "kill" : "power loss");
    }
    const worst = endings.includes("power loss") ? "power loss" : "kill";
    const findings = await this.#find(this.disk.remains("kill", random), { random, ending: worst });
    compare(this.record, findings, keptAfter(...endings));
    // What was done between a loss of power and a kill is not on the disk yet.
    adopt(this.record, findings, keptAfter(...endings.slice(-1)));
    this.clock.advance(RESTART_MS);
    this.#isCompared = true;
    [this.node, this.files] = this.#newNode(random);
    await this.#load();
    this.checkCounts();
  }

  /** The node is stopped, whatever it is at. */
  async close(random: Random): Promise<void> {
    this.turn();
    if (random.oneIn(2)) await this.settleAll();
    // A round of saving that has begun comes to its end before.
    const saves = [...this.tasks].filter(([what]) => what.startsWith("save ")).map(([, task]) => task);
    await drive(this.files, "saving", Promise.all(saves));
    if (this.files.dead) return;
    const tick = this.record.next();
    const { errors } = this.node;
    const errorsBefore = errors.length;
    // It may die when all is done.
    this.disk.wasStopped = undefined;
    const isInOrder = await drive(this.files, "stop()", this.node.stop());
    for (const topic of this.record.topics.values()) {
      if (errors.slice(errorsBefore).some((line) => line.startsWith(`TOPIC(${topic.name})`))) {
        this.count("close fails");
        continue;
      }
      this.count("close");
      this.#flush(topic, tick);
      for (const message of this.#ofThisLife) message.isStored ||= message.topic === topic;
      this.record.keep([...this.#ofThisLife].filter((message) => message.topic === topic), KEPT.powerLoss);
    }
    must(this.files.openFiles === 0, () => `${this.files.openFiles} files are open after stop()`);
    this.#check();
    this.count(isInOrder ? "end in order" : "end not in order");
    if (isInOrder) this.disk.wasStopped = true;
    else if (!this.troubled && !this.files.dead) this.disk.wasStopped = false;
    await this.crash(random, random.oneIn(2) ? "kill" : "power loss");
  }

  #block(record: TopicRecord, sizes: readonly number[], deferMs: number): Uint8Array {
    const dueMs = deferMs > 0 ? this.clock.nowMs() + deferMs : 0;
    const block = new Uint8Array(sizes.reduce((sum, size) => sum + 4 + size, 0));
    let at = 0;
    for (const size of sizes) {
      const message = this.record.publish(record, { size, dueMs });
      new DataView(block.buffer).setUint32(at, size);
      block.set(bodyOf(message), at + 4);
      at += 4 + size;
    }
    return block;
  }

  /** The publishers of committed messages are told, when `kept` says so. */
  #answer(topic: TopicRecord, messages: readonly Message[], kept: Promise<void> | undefined): void {
    for (const message of messages) this.#ofThisLife.add(message);
    const acknowledge = (level: Kept) => {
      this.count(`acknowledged: ${topic.durability}`, messages.length);
      this.record.keep(messages, level);
    };
    const level = topic.durability === "fsync"
      ? KEPT.powerLoss
      : topic.durability === "disk"
      ? KEPT.kill
      : KEPT.nothing;
    if (!kept) {
      must(topic.durability !== "fsync", () => `${topic.name} does not wait`);
      acknowledge(level);
      return;
    }
    const life = this.#life;
    kept.then(() => {
      // Nothing of a topic that was deleted meanwhile is kept for good, even if its files could not be removed.
      if (life === this.#life && topic.deleted === Infinity) acknowledge(level);
    }, (error) => {
      if (life !== this.#life) return;
      for (const message of messages) message.unsynced ||= topic.durability === "fsync";
      this.count("refused after a sync", messages.length);
      if (!this.troubled && !this.files.dead) this.#failure ??= error;
    });
  }

  /** Messages of this node that a sync now makes survive a loss of power. */
  #written(topic: TopicRecord): Message[] {
    return [...this.#ofThisLife].filter((message) => message.topic === topic && message.kept === KEPT.kill);
  }

  /** What happened up to the tick is saved. */
  #flush(topic: TopicRecord, tick: number): void {
    if (topic.deleted < Infinity) return;
    // Where nothing has changed since the start, nothing is saved.
    if (!topic.uncertain || this.files.syncedFolders.has(folderOf(topic.name))) {
      this.record.flush(topic, tick);
    }
  }

  /** What a call of the broker has thrown must come from the disk. */
  #expectTrouble(error: unknown): void {
    if (error instanceof FaultError || error instanceof Died) return;
    if (this.troubled || this.files.dead) return;
    throw error;
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const { errors } = this.node;
    for (const line of errors) {
      const topic = /^TOPIC\((.*?)\): failed to sync/.exec(line)?.[1];
      if (topic !== undefined) this.#syncHasFailed(topic);
      const isExpected = this.troubled || this.files.dead
        ? TROUBLE.test(line)
        : this.disk.mayBeDamaged && DAMAGE.test(line);
      must(isExpected, () => `logged: ${line}`);
    }
    errors.length = 0;
  }

  #syncHasFailed(name: string): void {
    for (const message of this.#ofThisLife) {
      if (message.topic.name === name && message.kept < KEPT.powerLoss) message.unsynced = true;
    }
  }

  async #find(
    remains: Remains,
    { random, ending }: { random: Random; ending: Ending },
  ): Promise<Findings> {
    const { limits, syncEvery } = this.profile;
    const nowMs = this.clock.nowMs() + RESTART_MS;
    return await this.disk.find(remains, { limits, syncEvery, nowMs, random, ending });
  }

  /** A start that ends too early, or meets trouble. */
  async #failingStart(random: Random): Promise<void> {
    this.clock.advance(RESTART_MS);
    const [node, files] = this.#newNode(random);
    this.node = node;
    this.files = files;
    if (random.oneIn(2)) {
      files.lastCall = 1 + random.below(25);
    } else {
      const code = random.pick(["ENOSPC", "EIO", "EROFS"] as const);
      const n = 1 + random.below(4);
      const only = random.oneIn(2)
        ? random.pick(["readSync", "readEnd", "truncate", "append", "remove"])
        : undefined;
      files.fault = (call) => (only ?? call) === call && files.random.oneIn(n) ? code : undefined;
    }
    this.disk.wasStopped = undefined;
    try {
      await drive(files, "load()", node.load());
      this.count("start in trouble");
    } catch (error) {
      const cause = error instanceof Error ? error.cause ?? error : error;
      if (!(cause instanceof FaultError || cause instanceof Died)) throw error;
      this.count(cause instanceof Died ? "start dies" : "start fails");
    }
    try {
      // As nsqd does when it cannot start, or is stopped soon.
      if (!files.dead && random.oneIn(2)) await drive(files, "release()", node.release());
    } catch (error) {
      if (!(error instanceof Died)) throw error;
    }
    for (const line of node.errors) {
      const name = /^TOPIC\((.*?)\): state of .* cannot be used/.exec(line)?.[1];
      if (name === undefined || line.endsWith("Died")) continue;
      this.record.loseState(name);
      this.count("state lost");
    }
  }

  #newNode(random: Random): [CrashNode, SimulatedFileSystem] {
    const { limits, syncEvery } = this.profile;
    const { clock } = this;
    const files = this.disk.open(random);
    const node = new CrashNode({ files, clock, limits, syncEvery });
    node.onPersist = (topology, when) =>
      this.record.persist(topology, when, { isCompared: this.#isCompared });
    return [node, files];
  }

  async #load(): Promise<void> {
    await drive(this.files, "load()", this.node.load());
    this.disk.wasStopped = false;
    this.task("removeDeleted", () => this.node.flush.removeDeleted());
    // As the node had it from which the record was made: what is read for that depends on chance.
    await drive(this.files, "idle()", this.node.broker.idle());
    this.followAll();
    this.#check();
  }

  #endLife(): void {
    this.#life++;
    this.#isCompared = false;
    this.troubled = false;
    this.tasks.clear();
    this.consumers = [];
    this.#ofThisLife.clear();
  }
}

/** What must be there after such endings. */
function keptAfter(...endings: readonly Ending[]): Kept {
  return endings.includes("power loss") ? KEPT.powerLoss : KEPT.kill;
}
