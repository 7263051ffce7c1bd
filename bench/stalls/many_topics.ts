/**
 * Many topics: what they take when nobody wants anything of them, and how long they take to be saved at a stop.
 *
 * @module
 */

import { fill } from "../fill_and_drain.ts";
import { LoadConnection } from "../load_connection.ts";
import { pause } from "../phase.ts";
import { type Finding, type Play, scaled, type StallCase } from "./stall_case.ts";

const MB = 1e6;
/** Longer than it takes until what was published is saved. */
const FLUSHED_MS = 3000;

/** Topics with a backlog, after a restart; their consumers are down. */
const RESTARTED: StallCase = {
  name: "restarted",
  title: "50 topics with a backlog, restarted, nobody connected",
  diskBytes: 1100 * MB,
  async play(play) {
    const findings = await playRestarts(play, "memory");
    return play.server.isOurs ? [...findings, ...await playRestarts(play, "disk")] : findings;
  },
};

async function playRestarts(play: Play, durability: "memory" | "disk"): Promise<Finding[]> {
  const topics = scaled(play, 50);
  await using stage = await play.open({ ours: [`--durability=${durability}`], unprobed: true });
  await stage.restart();
  const empty = await stage.phase("without messages", () => pause(5000));
  await stage.phase(`fill, in ${durability}`, async () => {
    for (let i = 0; i < topics; i++) {
      const topic = `topic_${i}`;
      await stage.post(`/topic/create?topic=${topic}`);
      await stage.post(`/channel/create?topic=${topic}&channel=work`);
      await fill(stage.tcpAddress, { topic, messages: 20_000, sizeBytes: 1000 });
    }
  });
  await stage.phase("rest", () => pause(FLUSHED_MS));
  const findings: Finding[] = [];
  for (const how of ["kill", "stop"] as const) {
    await stage.restart(how);
    const { endRssBytes } = await stage.phase(`after a ${how}, nobody connected`, () => pause(5000));
    const kib = (endRssBytes - empty.endRssBytes) / 1024 / topics;
    findings.push({
      measure: `50 topics with a backlog (${durability}), after a ${how}, nobody connected: memory a topic`,
      value: kib >= 1024 ? `${(kib / 1024).toFixed(1)} MiB` : `${kib.toFixed(0)} KiB`,
      goal: "100 KiB",
    });
  }
  return findings;
}

/** Each topic has one message in memory, which a stop in order saves. */
const STOPPED: StallCase = {
  name: "stopped",
  title: "A stop with 8000 topics of one message",
  diskBytes: 100 * MB,
  async play(play) {
    const topics = scaled(play, 8000);
    await using stage = await play.open({ unprobed: true });
    const made = await stage.phase("make topics", async () => {
      using connection = await LoadConnection.open(stage.tcpAddress, { bufferBytes: 64 * 1024 });
      for (let i = 0; i < topics; i++) {
        await connection.write(new TextEncoder().encode(`PUB topic_${i}\n\0\0\0\x01x`));
        if (await connection.readOks() < 0) throw new Error("nsqd closed the connection of a publisher");
      }
    });
    const { stopSeconds, startSeconds } = await stage.restart();
    const kept = await stage.depth();
    if (kept !== topics) throw new Error(`${kept} of ${topics} messages are there after the restart`);
    return [
      {
        measure: "stop with 8000 topics of one message",
        value: `${stopSeconds.toFixed(1)} s`,
        goal: "no longer than NSQ",
      },
      { measure: "… start after it", value: `${startSeconds.toFixed(1)} s`, goal: "" },
      { measure: "… making them, one by one", value: `${made.seconds.toFixed(1)} s`, goal: "" },
    ];
  },
};

/** Topics, very many of them or with very much in them. */
export const TOPIC_CASES: readonly StallCase[] = [RESTARTED, STOPPED];
