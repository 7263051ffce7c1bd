/**
 * What a restart after a kill costs, by what there is to recover: finished history, an unfinished backlog, messages that
 * are deferred for long; and what the latter cost while they wait. Starts the servers itself.
 *
 * @module
 */

import { type NsqdProcess, startNsqd } from "../tests/support/nsqd_process.ts";
import { drain, fill, makeChannel } from "./fill_and_drain.ts";
import { describeCount, describeMebibytes } from "./load_report.ts";
import { markdownTable } from "./markdown_table.ts";
import { pause } from "./phase.ts";
import { readProcessUsage } from "./process_usage.ts";

const TOPIC = "recovery";
const CHANNEL = "recovery";
const SIZE_BYTES = 200;
const HOUR_MS = 3_600_000;
const FLAGS = ["--durability=disk", "--sync-timeout=500ms"];
/** Longer than it takes to save the state. */
const FLUSHED_MS = 2000;

/** What there is before the kill. */
interface Situation {
  readonly title: string;
  /** Messages that are published. */
  readonly messages: number;
  /** Messages, of these, that are consumed. */
  readonly consumed: number;
  readonly deferMs?: number;
}

/** A table of restarts. */
export async function measureRecovery(messages: number): Promise<string> {
  const situations: Situation[] = [
    { title: "nothing", messages: 0, consumed: 0 },
    { title: "finished", messages, consumed: messages },
    { title: "finished", messages: 5 * messages, consumed: 5 * messages },
    { title: "half of them finished", messages, consumed: messages / 2 },
    { title: "unfinished", messages, consumed: 0 },
    { title: "unfinished", messages: 5 * messages, consumed: 0 },
    { title: "deferred for an hour", messages, consumed: 0, deferMs: HOUR_MS },
  ];
  const rows: string[][] = [];
  for (const situation of situations) {
    console.error(`recovery: ${situation.messages} messages, ${situation.title}`);
    rows.push(await measure(situation));
  }
  return [
    `A restart after SIGKILL, messages of ${SIZE_BYTES} B in \`disk\`:`,
    "",
    markdownTable(
      ["before the kill", "RSS before MiB", "files MiB", "state KiB", "start ms", "RSS after MiB"],
      rows,
    ),
  ].join("\n");
}

async function measure({ title, messages, consumed, deferMs }: Situation): Promise<string[]> {
  const dataPath = await Deno.makeTempDir({ prefix: "denosq_recovery_" });
  try {
    const cells = [`${describeCount(messages)} messages, ${title}`];
    {
      await using nsqd = await startNsqd({ dataPath, args: FLAGS });
      await nsqd.run(async () => {
        // The channel is there before the messages.
        const draining = { topic: TOPIC, channel: CHANNEL };
        await makeChannel(nsqd.tcpAddress, draining);
        await fill(nsqd.tcpAddress, { topic: TOPIC, messages, sizeBytes: SIZE_BYTES, deferMs });
        if (consumed > 0) await drain(nsqd.tcpAddress, { ...draining, messages: consumed, connections: 1 });
      });
      await pause(FLUSHED_MS);
      cells.push(rss(nsqd));
      await nsqd.kill();
    }
    const { bytes, stateBytes } = sizes(dataPath);
    cells.push((bytes / 2 ** 20).toFixed(1), (stateBytes / 1024).toFixed(1));
    await using nsqd = await startNsqd({ dataPath, args: FLAGS, startTimeoutMs: 120_000 });
    cells.push(startMs(nsqd.log).toFixed(0), rss(nsqd));
    await nsqd.kill();
    return cells;
  } finally {
    await Deno.remove(dataPath, { recursive: true });
  }
}

function sizes(dataPath: string): { bytes: number; stateBytes: number } {
  const folder = `${dataPath}/${TOPIC}.topic`;
  let [bytes, stateBytes] = [0, 0];
  // A topic without messages has no folder.
  const there = [...Deno.readDirSync(dataPath)].some(({ name }) => folder.endsWith(`/${name}`));
  for (const { name } of there ? Deno.readDirSync(folder) : []) {
    const { size } = Deno.statSync(`${folder}/${name}`);
    bytes += size;
    if (name === "state") stateBytes = size;
  }
  return { bytes, stateBytes };
}

/** From the first line of the log until it listens, so without the runtime's own start. */
function startMs(log: string): number {
  const times = [/^.*$/m, /^.*TCP: listening on.*$/m].map((line) => {
    const [, hours, minutes, seconds] = / (\d\d):(\d\d):(\d\d\.\d+) /.exec(line.exec(log)?.[0] ?? "") ?? [];
    return ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
  });
  return times[1] - times[0];
}

function rss(nsqd: NsqdProcess): string {
  return describeMebibytes(readProcessUsage(nsqd.pid)?.rssBytes ?? 0);
}
