/**
 * A large backlog waits on disk, because a channel is paused. Some of its messages are requeued or deferred by another
 * channel, and at last the operator deletes the one that holds it.
 *
 * @module
 */

import { drain, fill } from "../fill_and_drain.ts";
import { describeMebibytes, describeMs } from "../load_report.ts";
import { pause } from "../phase.ts";
import type { Stage } from "./stage.ts";
import { describeLongestPub, peakRssBytes, scaled, type StallCase } from "./stall_case.ts";

const GB = 1e9;
const SIZE_BYTES = 1000;
const TOPIC = "backlog";
const DRAINING = { topic: TOPIC, channel: "work", sizeBytes: SIZE_BYTES };
const FLAGS = { ours: ["--durability=disk"] };
const REST_MS = 3000;
/** Below the longest delay that a server takes by default. */
const LONG_MS = 50 * 60_000;

/** 1 % of what is consumed is requeued at once, and waits behind the backlog. */
const REQUEUED: StallCase = {
  name: "requeued",
  title: "600 MB backlog on disk, 1 % requeued",
  diskBytes: 1.3 * GB,
  async play(play) {
    await using stage = await play.open(FLAGS);
    await fillBacklog(stage, scaled(play, 600_000));
    const rest = await stage.phase("rest", () => pause(REST_MS));
    const requeue = { every: 100, delayMs: () => 0 };
    const messages = scaled(play, 600_000);
    const consume = await stage.phase(
      "consume, 1 % requeued",
      () => drain(stage.tcpAddress, { ...DRAINING, messages, requeue }),
    );
    const unread = await stage.phase("nobody reads", () => pause(REST_MS));
    return [
      {
        measure: "600 MB backlog on disk, 1 % requeued: memory more than before",
        value: `${describeMebibytes(peakRssBytes(consume, unread) - rest.endRssBytes)} MiB`,
        goal: "30 MiB",
      },
      { measure: "… longest PUB while it is consumed", value: describeLongestPub(consume, unread), goal: "" },
    ];
  },
};

/** The channel that holds the backlog is deleted, while another has put off 2 % of it. */
const DELETED: StallCase = {
  name: "deleted",
  title: "Deleting the channel that holds a 1.5 GB backlog",
  diskBytes: 3.2 * GB,
  async play(play) {
    await using stage = await play.open(FLAGS);
    await fillBacklog(stage, scaled(play, 1_500_000));
    const messages = scaled(play, 1_500_000);
    const requeue = { every: 50, delayMs: () => LONG_MS };
    await stage.phase(
      "consume, 2 % deferred",
      () => drain(stage.tcpAddress, { ...DRAINING, messages, requeue }),
    );
    const rest = await stage.phase("rest", () => pause(REST_MS));
    let requestMs = 0;
    const deleting = await stage.phase("delete, and 10 s after it", async () => {
      const startedAt = performance.now();
      await stage.post(`/channel/delete?topic=${TOPIC}&channel=held`);
      requestMs = performance.now() - startedAt;
      await pause(10_000);
    });
    return [
      {
        measure: "deleting the channel that holds a 1.5 GB backlog: memory more",
        value: `${describeMebibytes(deleting.peakRssBytes - rest.endRssBytes)} MiB`,
        goal: "64 MiB",
      },
      { measure: "… longest PUB", value: describeLongestPub(deleting), goal: "50 ms" },
      { measure: "… the request itself", value: describeMs(requestMs), goal: "" },
    ];
  },
};

/** Backlogs, and what becomes of them. */
export const BACKLOG_CASES: readonly StallCase[] = [REQUEUED, DELETED];

/** Makes a backlog: everything is in the channel `work`, and in `held`, which is paused. */
async function fillBacklog(stage: Stage, messages: number): Promise<void> {
  await stage.post(`/topic/create?topic=${TOPIC}`);
  for (const channel of ["held", "work"]) {
    await stage.post(`/channel/create?topic=${TOPIC}&channel=${channel}`);
  }
  await stage.post(`/channel/pause?topic=${TOPIC}&channel=held`);
  await stage.phase("fill", () => fill(stage.tcpAddress, { topic: TOPIC, messages, sizeBytes: SIZE_BYTES }));
}
