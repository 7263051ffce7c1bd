/**
 * Many messages that are put off: to the same moment, to moments that are spread evenly, by a publisher or by a consumer.
 *
 * @module
 */

import { AsyncGroup } from "../../src/base/async_group.ts";
import { Random } from "../../tests/support/random.ts";
import { fileBytes } from "../folder_bytes.ts";
import { drain, fill, makeChannel, openConsumers } from "../fill_and_drain.ts";
import { describeMebibytes, describeMs } from "../load_report.ts";
import { pause } from "../phase.ts";
import { publishDeferred } from "./deferred_publishing.ts";
import { describeLongestPub, peakRssBytes, scaled, scaledMs, type StallCase } from "./stall_case.ts";

const MB = 1e6;
const MIB = 2 ** 20;
const TOPIC = "deferred";
const CHANNEL = "work";
const DRAINING = { topic: TOPIC, channel: CHANNEL };
const ON_DISK = ["--durability=disk"];

/** "Send at 9:00": everything is due in the same moment, and consumers come after it. */
const AT_ONCE: StallCase = {
  name: "at-once",
  title: "800 MiB deferred to one moment",
  diskBytes: 900 * MIB,
  async play(play) {
    const sizeBytes = 1000;
    const messages = scaled(play, 800 * MIB / sizeBytes);
    const leadMs = scaledMs(play, 90_000, 12_000);
    const nearMs = leadMs / 4;
    await using stage = await play.open({ ours: ON_DISK });
    await makeChannel(stage.tcpAddress, DRAINING);
    const dueAt = performance.now() + leadMs;
    const deferMs = () => dueAt - performance.now();
    const phases = [
      await stage.phase(
        "publish",
        () => publishDeferred(stage.tcpAddress, { topic: TOPIC, messages, sizeBytes, deferMs }),
      ),
      await stage.phase("wait", () => pause(Math.max(0, deferMs() - nearMs))),
    ];
    const due = [
      await stage.phase("become due, nobody reads", () => pause(Math.max(0, deferMs()) + nearMs / 2)),
      await stage.phase("drain", () => drain(stage.tcpAddress, { ...DRAINING, sizeBytes, messages })),
    ];
    const p99Ms = Math.max(...due.map(({ probes }) => probes[0].answers?.p99Ms ?? 0));
    return [
      {
        measure: "800 MiB deferred to one moment: peak memory",
        value: `${describeMebibytes(peakRssBytes(...phases, ...due))} MiB`,
        goal: "300 MiB",
      },
      { measure: "… PUB of others, 99th percentile", value: describeMs(p99Ms), goal: "50 ms" },
      { measure: "… longest PUB", value: describeLongestPub(...due), goal: "" },
    ];
  },
};

/** A stock of messages that are due one after the other, in another order than they were published, to a consumer. */
const STEADILY: StallCase = {
  name: "steadily",
  title: "278 deferred messages due each second out of 240 MB",
  diskBytes: 500 * MB,
  async play(play) {
    const sizeBytes = 2400;
    const spreadMs = scaledMs(play, 360_000, 36_000);
    const messages = scaled(play, 100_000);
    const random = new Random(1);
    await using stage = await play.open({ ours: ON_DISK });
    await makeChannel(stage.tcpAddress, DRAINING);
    const deferMs = () => random.below(spreadMs);
    await stage.phase(
      "publish",
      () => publishDeferred(stage.tcpAddress, { topic: TOPIC, messages, sizeBytes, deferMs }),
    );

    const [consumer] = await openConsumers(stage.tcpAddress, { ...DRAINING, sizeBytes }, 1);
    await using work = new AsyncGroup();
    work.spawn("consumer", () => consumer.run());
    await stage.phase("what was due while publishing", () => pause(spreadMs / 36));
    const before = consumer.received;
    const steady = await stage.phase("become due, and are consumed", () => pause(spreadMs / 6));
    const received = consumer.received - before;
    consumer.close();
    await work.wait();

    const perMessage = steady.readBytes / received;
    return [
      {
        measure: "278 deferred messages due each second out of 240 MB: CPU",
        value: `${(100 * steady.cpuSeconds / steady.seconds).toFixed(0)} % (${
          (received / steady.seconds).toFixed(0)
        } messages/s)`,
        goal: "10 %",
      },
      {
        measure: "… bytes read per message",
        value: `${(perMessage / sizeBytes).toFixed(1)} times its size (${
          (perMessage / 1024).toFixed(1)
        } KiB)`,
        goal: "10 times its size",
      },
      { measure: "… longest PUB", value: describeLongestPub(steady), goal: "" },
    ];
  },
};

/** The same moment once more, with messages that are in memory and a consumer that waits for them. */
const CONSUMED_AT_ONCE: StallCase = {
  name: "consumed-at-once",
  title: "400,000 messages due at once, and consumed",
  diskBytes: 200 * MB,
  async play(play) {
    const messages = scaled(play, 400_000);
    const leadMs = scaledMs(play, 20_000, 5000);
    await using stage = await play.open({ ours: ON_DISK });
    await makeChannel(stage.tcpAddress, DRAINING);
    const dueAt = performance.now() + leadMs;
    const deferMs = () => dueAt - performance.now();
    await stage.phase(
      "publish",
      () => publishDeferred(stage.tcpAddress, { topic: TOPIC, messages, sizeBytes: 200, deferMs }),
    );
    await stage.phase("wait", () => pause(Math.max(0, deferMs() - 500)));
    const due = await stage.phase(
      "become due, and are consumed",
      () => drain(stage.tcpAddress, { ...DRAINING, messages, connections: 1 }),
    );
    return [{
      measure: "400,000 due at once, consumed: longest PUB",
      value: describeLongestPub(due),
      goal: "",
    }];
  },
};

/** A service that all messages need is away for a day. */
const REQUEUED_FOR_LONG: StallCase = {
  name: "requeued-for-long",
  title: "1 million REQ with delay",
  diskBytes: 400 * MB,
  async play(play) {
    const messages = scaled(play, 1_000_000);
    const random = new Random(2);
    const requeue = { every: 1, delayMs: () => 3_000_000 + random.below(77_000_000) };
    const flags = { any: ["--max-req-timeout=24h"], ours: ON_DISK };
    await using stage = await play.open(flags);
    await makeChannel(stage.tcpAddress, DRAINING);
    await stage.phase("fill", () => fill(stage.tcpAddress, { topic: TOPIC, messages, sizeBytes: 100 }));
    const rest = await stage.phase("rest", () => pause(3000));
    const requeueing = await stage.phase(
      "requeue",
      () => drain(stage.tcpAddress, { ...DRAINING, messages, requeue, connections: 1 }),
    );
    const waiting = await stage.phase("wait, one message a second", async () => {
      const one = { topic: TOPIC, messages: 1, sizeBytes: 100 };
      for (let second = 0; second < 8; second++) {
        await fill(stage.tcpAddress, one);
        await drain(stage.tcpAddress, { ...DRAINING, messages: 1, connections: 1 });
        await pause(1000);
      }
    });
    const stateBytes = fileBytes(`${stage.dataPath}/${TOPIC}.topic/state`);
    const emptied = await stage.phase("empty the channel, and 6 s after it", async () => {
      await stage.post(`/channel/empty?topic=${TOPIC}&channel=${CHANNEL}`);
      await pause(6000);
    });
    return [
      {
        measure: "1 million REQ with delay: longest PUB",
        value: describeLongestPub(requeueing, waiting),
        goal: "",
      },
      {
        measure: "… memory more than before",
        value: `${describeMebibytes(peakRssBytes(requeueing, waiting) - rest.endRssBytes)} MiB`,
        goal: "",
      },
      {
        measure: "… and when they are gone",
        value: `${describeMebibytes(emptied.endRssBytes - rest.endRssBytes)} MiB`,
        goal: "",
      },
      { measure: "… saved state", value: `${(stateBytes / MIB).toFixed(1)} MiB`, goal: "" },
    ];
  },
};

/** Messages that are put off. */
export const DEFERRED_CASES: readonly StallCase[] = [AT_ONCE, STEADILY, CONSUMED_AT_ONCE, REQUEUED_FOR_LONG];
