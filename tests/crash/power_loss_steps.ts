/**
 * The steps of a campaign's run: what publishers, consumers, operators, the disk and the power company do. Each step
 * draws what it does from a seed of its own, so that a run without some of its steps is still a run.
 *
 * @module
 */
import type { Random } from "../support/random.ts";
import { CALLS, Died, type Fault, FAULTS } from "../support/simulated_file_system.ts";
import type { RunConsumer } from "./power_loss_consumer.ts";
import type { Ending } from "./power_loss_disk.ts";
import { type CrashRun, type Profile, StepRefused } from "./power_loss_run.ts";
import type { TopicRecord } from "./power_loss_record.ts";
import { microtasks, must } from "./power_loss_recovery.ts";

type Step = (run: CrashRun, random: Random) => void | Promise<void>;

/** Reading a file fails no more often than this, one time after the other. */
const READ_FAILURES_MAX = 3;
const LARGE_BODY = 10_000;
const EPHEMERAL = "e#ephemeral";
const MAX_MSG_TIMEOUT_MS = 60_000;
/** So often the consumers ask, for a third of that in minutes. */
const DRAIN_ROUNDS_MAX = 60;

/** What can happen, and how often compared with the others. */
const STEPS: readonly { readonly name: string; readonly weight: number; readonly step: Step }[] = [
  { name: "append", weight: 20, step: append },
  { name: "publish", weight: 6, step: publish },
  { name: "turn", weight: 24, step: (run) => run.turn() },
  { name: "settle", weight: 24, step: (run, random) => run.settle(1 + random.below(4)) },
  { name: "settle all", weight: 5, step: (run) => run.settleAll() },
  { name: "advance", weight: 12, step: advance },
  { name: "set clock", weight: 1, step: setClock },
  { name: "subscribe", weight: 14, step: subscribe },
  { name: "unsubscribe", weight: 2, step: unsubscribe },
  { name: "ready", weight: 4, step: ready },
  { name: "finish", weight: 12, step: finish },
  { name: "consume", weight: 14, step: consume },
  { name: "leave few", weight: 4, step: leaveFew },
  { name: "requeue", weight: 8, step: requeue },
  { name: "touch", weight: 4, step: touch },
  {
    name: "flush",
    weight: 12,
    step: (run, random) => withTopic(run, random, (name) => run.save(name, "flush")),
  },
  { name: "compact", weight: 6, step: (run, random) => withTopic(run, random, (name) => run.compact(name)) },
  { name: "shrink", weight: 2, step: (run) => void run.node.broker.shrink() },
  {
    name: "save state",
    weight: 6,
    step: (run, random) => withTopic(run, random, (name) => run.save(name, "saveState")),
  },
  { name: "sync", weight: 6, step: (run, random) => withTopic(run, random, (name) => run.sync(name)) },
  { name: "persist metadata", weight: 2, step: (run) => run.persistMetadata() },
  { name: "retry", weight: 3, step: (run) => run.retry() },
  { name: "make channel", weight: 8, step: makeChannel },
  { name: "delete channel", weight: 1, step: deleteChannel },
  { name: "empty channel", weight: 1, step: emptyChannel },
  { name: "pause channel", weight: 1, step: pauseChannel },
  { name: "pause topic", weight: 2, step: pauseTopic },
  { name: "unpause", weight: 4, step: unpause },
  {
    name: "empty topic",
    weight: 2,
    step: (run, random) => withTopic(run, random, (name) => run.emptyTopic(name)),
  },
  { name: "delete topic", weight: 1, step: deleteTopic },
  { name: "drain", weight: 1, step: drain },
  { name: "trouble", weight: 1, step: trouble },
  { name: "no trouble", weight: 2, step: noTrouble },
  { name: "die soon", weight: 2, step: dieSoon },
  { name: "crash", weight: 1, step: (run, random) => run.crash(random, ending(random)) },
  { name: "close", weight: 1, step: (run, random) => run.close(random) },
  { name: "fork", weight: 12, step: (run, random) => run.fork(random, ending(random)) },
];
const WEIGHTS = STEPS.reduce((sum, { weight }) => sum + weight, 0);

/** A step of the random numbers. */
export function stepOf(random: Random): { name: string; step: Step } {
  let at = random.below(WEIGHTS);
  for (const { name, step, weight } of STEPS) {
    if (at < weight) return { name, step };
    at -= weight;
  }
  throw new Error("No step");
}

/** What a run is made of. */
export function randomProfile(random: Random): Profile {
  const large = random.oneIn(6);
  const topics = ["fsync1", "fsync2", "disk", "memory"].filter(() => random.oneIn(2));
  return {
    limits: {
      memQueueSize: random.pick([0, 1, 5, 20]),
      maxBytesPerFile: large ? 100_000 : random.pick([100, 300, 1000, 4000]),
      maxChannelConsumers: 0,
      maxMsgTimeoutMs: MAX_MSG_TIMEOUT_MS,
      // Which messages are dropped is not what this is about.
      ephemeralDepthMax: 1_000_000,
    },
    syncEvery: random.pick([1, 5, 2500]),
    topics: topics.length > 0 ? topics : ["fsync"],
    channels: ["a", "b", "c", EPHEMERAL].slice(0, 1 + random.below(4)),
    bodySizeMax: large ? LARGE_BODY : random.pick([8, 60, 400]),
    byFolder: random.oneIn(2),
  };
}

/** Only segments of at least 64 KiB are rewritten without what is finished. */
function isLarge(profile: Profile): boolean {
  return profile.bodySizeMax === LARGE_BODY;
}

/** The node, or the power, ends. */
export function ending(random: Random): Ending {
  return random.oneIn(3) ? "kill" : "power loss";
}

function sizes(run: CrashRun, random: Random): number[] {
  const count = random.oneIn(isLarge(run.profile) ? 2 : 3) ? 1 + random.below(12) : 1;
  return Array.from({ length: count }, () => 4 + random.below(run.profile.bodySizeMax - 3));
}

function deferral(random: Random): number {
  const kind = random.below(10);
  return kind < 6 ? 0 : kind < 8 ? 1 + random.below(5000) : 50_000 + random.below(300_000);
}

function append(run: CrashRun, random: Random): void {
  const name = random.pick(run.profile.topics);
  const deferMs = deferral(random);
  const all = sizes(run, random);
  // Only a single message can be deferred.
  if (deferMs === 0) run.append(name, all, 0);
  else for (const size of all) run.append(name, [size], deferMs);
  run.note(
    `${name} ${all.length} messages${
      deferMs > 0 ? ` in ${deferMs} ms` : ""
    }, up to #${run.record.messages.size}`,
  );
}

function publish(run: CrashRun, random: Random): void {
  const name = random.pick(run.profile.topics);
  const deferMs = deferral(random);
  const all = sizes(run, random);
  run.publish(name, deferMs > 0 ? all.slice(0, 1) : all, deferMs);
  run.note(`${name} ${deferMs} up to #${run.record.messages.size}`);
}

function advance(run: CrashRun, random: Random): void {
  const ms = random.pick([1, 10, 300, 3000, 3000, 40_000, 120_000]);
  run.advance(1 + random.below(ms));
}

function setClock(run: CrashRun, random: Random): void {
  const ms = random.pick([-100_000, -20_000, -1000, 1000, 20_000, 100_000]);
  run.note(`by ${ms} ms`);
  run.stepClock(ms);
}

function withTopic(run: CrashRun, random: Random, work: (name: string) => void): void {
  const topics = [...run.record.topics.keys()];
  if (topics.length === 0) return;
  const name = random.pick(topics);
  run.note(name);
  work(name);
}

function withChannel(run: CrashRun, random: Random, work: (topic: string, channel: string) => void): void {
  const channels = [...run.record.topics.values()].flatMap(({ name, live }) =>
    [...live].map((channel) => [name, channel])
  );
  if (channels.length === 0) return;
  const [topic, channel] = random.pick(channels);
  run.note(`${topic}/${channel}`);
  work(topic, channel);
}

function channelOf(run: CrashRun, topic: string, name: string) {
  const { real, record } = run.topic(topic);
  const channel = real.channels.get(name);
  if (!channel) throw new Error(`${topic}/${name} is not there`);
  return { real, record, channel };
}

function subscribe(run: CrashRun, random: Random): void {
  withChannel(run, random, (topic, channel) => addConsumer(run, random, topic, channel));
}

function addConsumer(run: CrashRun, random: Random, topic: string, name: string): RunConsumer {
  const { channel, record } = channelOf(run, topic, name);
  const consumer = run.consume(record, name, 1000 + random.below(50_000));
  channel.addConsumer(consumer.consumer);
  consumer.consumer.readyCount = 1 + random.below(20);
  channel.awake(consumer.consumer);
  return consumer;
}

/** A consumer whose channel is there. */
function withConsumer(run: CrashRun, random: Random, work: (consumer: RunConsumer) => void): void {
  const open = run.consumers.filter(({ closed }) => !closed);
  if (open.length > 0) work(random.pick(open));
}

function unsubscribe(run: CrashRun, random: Random): void {
  withConsumer(run, random, (consumer) => {
    const { channel } = channelOf(run, consumer.topic.name, consumer.channel);
    consumer.closed = true;
    const isLast = channel.consumers.size === 1;
    if (isLast && channel.ephemeral) dropChannel(run, consumer.topic, channel.name);
    channel.removeConsumer(consumer.consumer);
  });
}

function ready(run: CrashRun, random: Random): void {
  withConsumer(run, random, (consumer) => {
    const { channel } = channelOf(run, consumer.topic.name, consumer.channel);
    consumer.consumer.readyCount = random.below(20);
    channel.awake(consumer.consumer);
  });
}

function finish(run: CrashRun, random: Random): void {
  for (const consumer of run.consumers) {
    if (!random.oneIn(4)) finishAll(run, consumer, () => !random.oneIn(6));
  }
}

function finishAll(run: CrashRun, consumer: RunConsumer, which: () => boolean = () => true): void {
  const flights = consumer.closed ? [] : consumer.flights.filter(which);
  if (flights.length === 0) return;
  const { channel } = channelOf(run, consumer.topic.name, consumer.channel);
  for (const flight of flights) {
    consumer.flights.splice(consumer.flights.indexOf(flight), 1);
    run.record.finish(flight.entry);
    channel.finish(consumer.consumer, flight.position, run.clock.monotonicMs());
    run.count("finished");
  }
  run.note(
    `${consumer.topic.name}/${consumer.channel} ${flights.map(({ entry }) => `#${entry.message.id}`)}`,
  );
}

/** Consumers do what they are there for, for a while. */
async function consume(run: CrashRun, random: Random): Promise<void> {
  for (const record of run.record.topics.values()) {
    for (const channel of record.live) {
      const isConsumed = run.consumers.some((consumer) =>
        consumer.topic === record && consumer.channel === channel && !consumer.closed
      );
      if (!isConsumed) addConsumer(run, random, record.name, channel);
    }
  }
  for (let i = 1 + random.below(5); i > 0; i--) {
    run.turn();
    await run.settle(random.below(6));
    if (random.oneIn(3)) run.advance(1 + random.below(500));
    finish(run, random);
    if (random.oneIn(3)) requeue(run, random);
  }
}

/** Of large segments so little is left that they are rewritten. */
async function leaveFew(run: CrashRun, random: Random): Promise<void> {
  if (!isLarge(run.profile)) return;
  const name = random.pick(run.profile.topics);
  for (let i = 0; i < 3; i++) run.append(name, Array.from({ length: 12 }, () => run.profile.bodySizeMax), 0);
  const { record } = run.topic(name);
  for (const channel of record.live) addConsumer(run, random, name, channel).consumer.readyCount = 100;
  for (let i = 0; i < 4; i++) {
    run.turn();
    await run.settle(4);
    for (const consumer of run.consumers) {
      finishAll(run, consumer, () => !random.oneIn(12));
      if (consumer.flights.length > 0 && !consumer.closed) giveBack(run, consumer, 1 + random.below(100_000));
    }
  }
  for (let i = 0; i < 3; i++) {
    run.save(name, "flush");
    run.compact(name);
    await run.settle(2 + random.below(5));
  }
}

function requeue(run: CrashRun, random: Random): void {
  withConsumer(run, random, (consumer) => {
    if (consumer.flights.length === 0) return;
    giveBack(run, consumer, random.oneIn(2) ? 0 : 1 + random.below(random.oneIn(2) ? 2000 : 100_000));
  });
}

/** REQ of the message that was delivered first. */
function giveBack(run: CrashRun, consumer: RunConsumer, delayMs: number): void {
  const [flight] = consumer.flights.splice(0, 1);
  const { channel } = channelOf(run, consumer.topic.name, consumer.channel);
  run.record.requeue(flight.entry, delayMs === 0 ? 0 : run.clock.nowMs() + delayMs);
  channel.requeue(consumer.consumer, flight.position, { delayMs, nowMs: run.clock.monotonicMs() });
  run.count(delayMs > 0 ? "requeued with a delay" : "requeued");
  run.note(`${consumer.topic.name}/${consumer.channel} #${flight.entry.message.id} in ${delayMs} ms`);
}

function touch(run: CrashRun, random: Random): void {
  withConsumer(run, random, (consumer) => {
    if (consumer.flights.length === 0) return;
    const flight = random.pick(consumer.flights);
    const { channel } = channelOf(run, consumer.topic.name, consumer.channel);
    const nowMs = run.clock.monotonicMs();
    channel.touch(consumer.consumer, flight.position, nowMs);
    flight.deadlineMs = Math.min(
      nowMs + consumer.consumer.msgTimeoutMs,
      flight.deliveredMs + run.profile.limits.maxMsgTimeoutMs,
    );
    run.count("touched");
  });
}

function makeChannel(run: CrashRun, random: Random): void {
  const name = random.pick(run.profile.topics);
  const channel = random.pick(run.profile.channels);
  const { real, record } = run.topic(name);
  run.note(`${name}/${channel}`);
  run.follow(record);
  real.channel(channel);
  run.record.makeChannel(record, channel);
  run.follow(record);
}

function deleteChannel(run: CrashRun, random: Random): void {
  withChannel(run, random, (topic, name) => {
    const { real, record } = channelOf(run, topic, name);
    dropChannel(run, record, name);
    real.deleteChannel(name);
    run.save(topic, "saveState");
  });
}

function dropChannel(run: CrashRun, topic: TopicRecord, name: string): void {
  run.record.deleteChannel(topic, name);
  for (const consumer of run.consumers) {
    if (consumer.topic === topic && consumer.channel === name) consumer.flights.length = 0;
  }
}

function emptyChannel(run: CrashRun, random: Random): void {
  withChannel(run, random, (topic, name) => {
    const { channel, record } = channelOf(run, topic, name);
    run.record.emptyChannel(record, name);
    for (const consumer of run.consumers) {
      if (consumer.topic === record && consumer.channel === name) consumer.flights.length = 0;
    }
    channel.empty();
    run.save(topic, "saveState");
  });
}

function pauseChannel(run: CrashRun, random: Random): void {
  withChannel(run, random, (topic, name) => {
    const { channel, record } = channelOf(run, topic, name);
    if (channel.paused) {
      channel.unpause();
      record.pausedChannels.delete(name);
    } else {
      channel.pause();
      record.pausedChannels.add(name);
    }
    run.persistMetadata();
  });
}

function pauseTopic(run: CrashRun, random: Random): void {
  withTopic(run, random, (name) => {
    const { real, record } = run.topic(name);
    run.follow(record);
    record.paused = !real.paused;
    if (real.paused) real.unpause();
    else real.pause();
    run.follow(record);
    run.persistMetadata();
  });
}

function unpause(run: CrashRun): void {
  for (const record of run.record.topics.values()) {
    const real = run.node.broker.topics.get(record.name);
    if (!real) continue;
    for (const channel of real.channels.values()) channel.unpause();
    record.pausedChannels.clear();
    record.paused = false;
    run.follow(record);
    real.unpause();
    run.follow(record);
  }
  run.persistMetadata();
}

async function deleteTopic(run: CrashRun, random: Random): Promise<void> {
  const topics = [...run.record.topics.values()];
  if (topics.length === 0) return;
  const topic = random.pick(topics);
  run.note(topic.name);
  run.record.deleteTopic(topic);
  const { fault } = run.files;
  if (random.oneIn(3)) {
    run.troubled = true;
    run.files.fault = (call) => /^remove|rename/.test(call) && random.oneIn(2) ? "EIO" : undefined;
  }
  for (const consumer of run.consumers) {
    if (consumer.topic === topic) consumer.flights.length = 0;
  }
  run.node.broker.deleteTopic(topic.name);
  await run.settle(random.below(4));
  run.files.fault = fault;
  if (run.files.dead || run.disk.filesOf(topic.name).length > 0) {
    // What is left of it is there again when its name is used again: let that be in another node.
    run.count("topic not deleted");
    await run.crash(random, "kill");
    return;
  }
  run.record.topicIsDeleted(topic);
  // The ids of a topic begin with the time.
  run.clock.advance(2);
}

function trouble(run: CrashRun, random: Random): void {
  const code = random.pick(Object.keys(FAULTS) as Fault[]);
  const { files } = run;
  const n = random.pick([1, 1, 2, 5]);
  const only = code === "EIO" && random.oneIn(2) ? random.pick(CALLS) : undefined;
  run.note(`${code} in 1 of ${n}${only ? ` ${only}` : ""}`);
  run.troubled = true;
  // What cannot be read for long is put aside, and so is lost to consumers: that is not what this is about.
  const reads = new Map<string, number>();
  files.fault = (call, path) => {
    if (call === "read") {
      const count = reads.get(path) ?? 0;
      reads.set(path, count + 1);
      // It may fail when it begins, and when it ends.
      if (count % (READ_FAILURES_MAX + 2) >= READ_FAILURES_MAX) return undefined;
    }
    return (only ?? call) === call && files.random.oneIn(n) ? code : undefined;
  };
}

function noTrouble(run: CrashRun): void {
  run.files.fault = () => undefined;
}

async function dieSoon(run: CrashRun, random: Random): Promise<void> {
  await microtasks();
  run.files.lastCall = Math.min(run.files.lastCall, run.files.calls + 1 + random.below(20));
}

/** The disk is well again: then everything comes, and nothing is left. */
async function drain(run: CrashRun, random: Random): Promise<void> {
  noTrouble(run);
  run.turn();
  unpause(run);
  const topics = [...run.record.topics.values()].filter(({ live }) => live.size > 0);
  for (const topic of topics) {
    for (const channel of topic.live) {
      addConsumer(run, random, topic.name, channel).consumer.readyCount = 1000;
    }
  }
  const left = () => topics.flatMap((topic) => [...topic.live].flatMap((channel) => topic.present(channel)));
  for (let round = 0; left().length > 0 || round < 2; round++) {
    must(round < DRAIN_ROUNDS_MAX, () => `${left().map(({ message }) => `#${message.id}`)} do not come`);
    for (const { name } of topics) run.save(name, "flush");
    run.turn();
    await run.settleAll();
    if (run.files.dead) return;
    for (const consumer of run.consumers) finishAll(run, consumer);
    run.advance(round % 3 === 0 ? 200_000 : 1);
  }
  for (let i = 0; i < 3; i++) {
    for (const { name } of topics) run.save(name, "flush");
    await run.settleAll();
  }
  // A message that is lost, and was deferred, is looked for when it is due.
  if (run.files.dead || run.disk.mayBeDamaged) return;
  for (const { name } of topics) {
    must(run.disk.filesOf(name).length === 0, () => `${run.disk.filesOf(name)} are left`);
  }
}

/** Does a step; when the node dies of it, another one goes on. */
export async function doStep(run: CrashRun, random: Random): Promise<void> {
  const { name, step } = stepOf(random);
  run.files.random = random;
  run.note(`\n${name}`);
  run.count(`step: ${name}`);
  try {
    await step(run, random);
    await microtasks();
  } catch (error) {
    if (!(error instanceof Died || error instanceof StepRefused)) throw error;
  }
  if (run.files.dead) {
    run.note("died");
    await run.crash(random, ending(random));
  }
}
