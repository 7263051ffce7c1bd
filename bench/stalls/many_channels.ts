/**
 * Very many channels, or channels that have to do with very many segments: what is saved of them, what they finish, and
 * what has passed through them.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { AsyncGroup } from "../../src/base/async_group.ts";
import { TestConsumer, testTopic } from "../../tests/support/broker_setup.ts";
import { fileBytes } from "../folder_bytes.ts";
import { fill, type Filling, openConsumers } from "../fill_and_drain.ts";
import { type ConsumerOptions, LoadConsumer } from "../load_consumer.ts";
import { describeMebibytes, describeMs } from "../load_report.ts";
import { pause } from "../phase.ts";
import type { Stage } from "./stage.ts";
import { describeLongestPub, type Finding, scaled, type StallCase } from "./stall_case.ts";

const GB = 1e9;
const TOPIC = "channels";
const HELD = "held";
/** Saved every two seconds, so some of that falls into it. */
const TRAFFIC_SECONDS = 10;
const ON_DISK = ["--durability=disk"];
const PASSED_CHANNELS = 10;
/** Below the longest delay that a server takes by default. */
const LONG_MS = 50 * 60_000;

/** A paused channel keeps 1 GB; the others have nothing to do with it. */
const BEHIND_BACKLOG: StallCase = {
  name: "channels",
  title: "2000 channels behind 1 GB",
  diskBytes: 1.1 * GB,
  async play(play) {
    await using stage = await play.open({ ours: ON_DISK });
    await hold(stage, { messages: scaled(play, 1_000_000), sizeBytes: 1000 });
    const name = "2000 channels behind 1 GB";
    return await playChannels(stage, name, scaled(play, 2000));
  },
};

/** The same with small files: 20,000 segments stand for a backlog of 78 GiB. */
const BEHIND_SEGMENTS: StallCase = {
  name: "segments",
  title: "20 channels behind 20,000 segments, as many as 78 GiB have",
  diskBytes: 0.8 * GB,
  async play(play) {
    await using stage = await play.open({ any: ["--max-bytes-per-file=30000"], ours: ON_DISK });
    // One by one, for an MPUB is never divided.
    await hold(stage, { messages: scaled(play, 20_000), sizeBytes: 28_000, batch: 1 });
    return await playChannels(stage, "20 channels behind 20,000 segments (78 GiB)", 20);
  },
};

async function hold(stage: Stage, backlog: Omit<Filling, "topic">): Promise<void> {
  await stage.post(`/topic/create?topic=${TOPIC}`);
  await stage.post(`/channel/create?topic=${TOPIC}&channel=${HELD}`);
  await stage.post(`/channel/pause?topic=${TOPIC}&channel=${HELD}`);
  await stage.phase("fill", () => fill(stage.tcpAddress, { topic: TOPIC, ...backlog }));
}

async function playChannels(stage: Stage, name: string, channels: number): Promise<Finding[]> {
  await stage.phase("make channels", async () => {
    for (let i = 1; i < channels; i++) {
      await stage.post(`/channel/create?topic=${TOPIC}&channel=channel_${i}`);
    }
  });
  await stage.phase("rest", () => pause(4000));
  const traffic = await stage.phase("one message a second", async () => {
    for (let second = 0; second < TRAFFIC_SECONDS; second++) {
      await fill(stage.tcpAddress, { topic: TOPIC, messages: 1, sizeBytes: 100 });
      await pause(1000);
    }
  });
  const stateBytes = fileBytes(`${stage.dataPath}/${TOPIC}.topic/state`);
  const deleting = await stage.phase("delete the one that holds it, and 4 s after it", async () => {
    await stage.post(`/channel/delete?topic=${TOPIC}&channel=${HELD}`);
    await pause(4000);
  });
  return [
    { measure: `${name}: longest PUB`, value: describeLongestPub(traffic), goal: "20 ms" },
    {
      measure: "… CPU with one message a second; saved state",
      value: `${(100 * traffic.cpuSeconds / traffic.seconds).toFixed(0)} %; ${
        (stateBytes / 2 ** 20).toFixed(2)
      } MiB`,
      goal: "",
    },
    { measure: "… longest PUB while the one is deleted", value: describeLongestPub(deleting), goal: "" },
  ];
}

/** One message, and a consumer in each of 5000 channels that finishes it. */
const FINISHED: StallCase = {
  name: "finished",
  title: "A message finished by 5000 channels",
  diskBytes: 0,
  async play(play) {
    const channels = scaled(play, 5000);
    const findings: Finding[] = [];
    if (play.server.isSource) {
      findings.push({
        measure: "a message finished by 5000 channels (in process, from this source)",
        value: describeMs(finishInProcess(channels)),
        goal: "5 ms",
      });
    }
    await using stage = await play.open();
    await using work = new AsyncGroup();
    const options = { topic: TOPIC, rdy: 1, stamped: false, bufferBytes: 4096 };
    const consumers: LoadConsumer[] = [];
    await stage.phase("connect a consumer for each channel", async () => {
      for (let i = 0; i < channels; i++) {
        const consumer = await LoadConsumer.open(stage.tcpAddress, { ...options, channel: `channel_${i}` });
        consumers.push(consumer);
        work.spawn(`consumer ${i}`, () => consumer.run());
      }
    });
    const messages = 10;
    const passing = await stage.phase(`${messages} messages, one after the other`, async () => {
      for (let sent = 1; sent <= messages; sent++) {
        await fill(stage.tcpAddress, { topic: TOPIC, messages: 1, sizeBytes: 100 });
        while (consumers.some(({ received }) => received < sent)) await pause(1);
      }
    });
    for (const consumer of consumers) consumer.close();
    await work.wait();
    findings.push({
      measure: "… over 5000 connections: processor time of the server",
      value: describeMs(1000 * passing.cpuSeconds / messages),
      goal: "",
    }, { measure: "… longest PUB", value: describeLongestPub(passing), goal: "" });
    return findings;
  },
};

/** Ms that the FINs of a message take together, without connections. */
function finishInProcess(channels: number): number {
  const { topic, clock, broker, publish } = testTopic();
  const consumers = Array.from(
    { length: channels },
    (_, i) => new TestConsumer(topic.channel(`channel_${i}`)),
  );
  const rounds = 5;
  let ms = 0;
  for (let round = 0; round < rounds; round++) {
    publish("x");
    broker.pump(clock.nowMs());
    const startedAt = performance.now();
    for (const { channel, consumer, deliveries } of consumers) {
      for (const { position } of deliveries.splice(0)) channel.finish(consumer, position, clock.nowMs());
    }
    ms += performance.now() - startedAt;
  }
  return ms / rounds;
}

/** Millions of messages have passed through ten channels, and a few of them are put off for long. */
const PASSED: StallCase = {
  name: "passed",
  title: "4 million passed, 10 channels, 1 in 20,000 deferred",
  diskBytes: 0.2 * GB,
  async play(play) {
    const { isSource } = play.server;
    await using stage = await play.open({ ours: ON_DISK, ...isSource && { command: WITH_GC } });
    // The server's code is compiled, and its buffers are there, before it is looked at.
    await passThrough(stage, { messages: 200_000 });
    const before = await memoryOf(stage, isSource);
    const requeue = { every: 20_000, delayMs: () => LONG_MS };
    await passThrough(stage, { messages: scaled(play, 4_000_000), requeue });
    const after = await memoryOf(stage, isSource);
    const more = (key: "inUseBytes" | "rssBytes") => `${describeMebibytes(after[key] - before[key])} MiB`;
    return [{
      measure: "4 million passed, 10 channels, 1 in 20,000 deferred: memory in use",
      value: `${more("inUseBytes")}${isSource ? "" : ", garbage included"} (RSS ${more("rssBytes")})`,
      goal: "5 MiB",
    }];
  },
};

/** This project's program, which collects its garbage when it is told to. */
const WITH_GC = [
  ...[Deno.execPath(), "run", "-A", "--v8-flags=--expose-gc"],
  ...[fileURLToPath(new URL("./gc_main.ts", import.meta.url)), "nsqd"],
];

/** Publishes messages while each of the channels consumes them. */
async function passThrough(
  stage: Stage,
  { messages, requeue }: { readonly messages: number; readonly requeue?: ConsumerOptions["requeue"] },
): Promise<void> {
  const consumers: LoadConsumer[] = [];
  for (let i = 0; i < PASSED_CHANNELS; i++) {
    const draining = { topic: TOPIC, channel: `channel_${i}`, requeue };
    consumers.push(...await openConsumers(stage.tcpAddress, draining, 1));
  }
  await using work = new AsyncGroup();
  for (const consumer of consumers) work.spawn("consumer", () => consumer.run());
  await stage.phase(`pass ${messages} messages`, async () => {
    await fill(stage.tcpAddress, { topic: TOPIC, messages, sizeBytes: 20 });
    while (consumers.some(({ received }) => received < messages)) await pause(10);
  });
  for (const consumer of consumers) consumer.close();
  await work.wait();
}

/** Memory of a server at rest; that in use is the least that it says, for at other times there is more garbage. */
async function memoryOf(
  stage: Stage,
  collects: boolean,
): Promise<{ readonly rssBytes: number; readonly inUseBytes: number }> {
  let inUseBytes = Infinity;
  const { endRssBytes } = await stage.phase("rest", async () => {
    for (let i = 0; i < 50; i++) {
      await pause(100);
      if (collects) Deno.kill(stage.pid, "SIGUSR2");
      inUseBytes = Math.min(inUseBytes, await stage.heapInUseBytes());
    }
  });
  return { rssBytes: endRssBytes, inUseBytes };
}

/** Channels, very many of them or with very much behind them. */
export const CHANNEL_CASES: readonly StallCase[] = [BEHIND_BACKLOG, BEHIND_SEGMENTS, FINISHED, PASSED];
