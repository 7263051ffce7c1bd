/**
 * Ten million waiting messages: fills a server with them, leaves them, takes them out again, and measures from
 * outside what they cost meanwhile: memory for a message, and the longest time in which the server did not
 * answer. It starts the server itself and throws the messages away at the end.
 *
 * @module
 */

import { nsqdCommand, type NsqdProcess, startNsqd } from "../tests/support/nsqd_process.ts";
import { Flags } from "../tests/support/flags.ts";
import { drain, fill, makeChannel } from "./fill_and_drain.ts";
import { folderBytes } from "./folder_bytes.ts";
import { describeCount, describeMebibytes, describeMs } from "./load_report.ts";
import { markdownTable } from "./markdown_table.ts";
import { measurePhase, pause, type Phase } from "./phase.ts";
import { Probe } from "./probe.ts";
import type { ProbePhase } from "./probe_worker.ts";

const USAGE = `usage: deno run -A bench/backlog.ts [flags]

--server 'COMMAND'        the nsqd to start, ports and data path are added (default: this project's)
--memory                  give it a --mem-queue-size that holds everything; without it the default
                          applies, and most messages wait on disk
--messages N --size BYTES (10000000, 200)
--probe tcp|http          ask by PUB to another topic, or by GET /ping (tcp)
--interval 5ms            between two questions
--rest 3s                 how long to leave the messages, and the empty server after them`;

const TOPIC = "backlog";
const CHANNEL = "backlog";

interface BacklogOptions {
  readonly messages: number;
  readonly sizeBytes: number;
  readonly probe: "tcp" | "http";
  readonly intervalMs: number;
  readonly restMs: number;
}

interface BacklogPhase extends Phase {
  readonly messages: number;
  readonly diskBytes: number;
}

if (import.meta.main) {
  const names = ["server", "messages", "size", "probe", "interval", "rest"];
  const flags = new Flags({ usage: USAGE, names, switches: ["memory"] });
  const options: BacklogOptions = {
    messages: flags.count("messages") ?? 10_000_000,
    sizeBytes: flags.count("size") ?? 200,
    probe: flags.choice("probe", ["tcp", "http"]) ?? "tcp",
    intervalMs: flags.durationMs("interval") ?? 5,
    restMs: flags.durationMs("rest") ?? 3000,
  };
  const command = [
    ...flags.text("server")?.trim().split(/\s+/) ?? nsqdCommand(),
    ...flags.isSet("memory") ? [`--mem-queue-size=${2 * options.messages}`] : [],
  ];
  await using nsqd = await startNsqd({ command });
  const phases = await nsqd.run(() => measureBacklog(nsqd, options));
  // A graceful stop would have to save whatever is left.
  await nsqd.kill();
  console.log(describe(command, options, phases));
}

async function measureBacklog(nsqd: NsqdProcess, options: BacklogOptions): Promise<BacklogPhase[]> {
  const address = options.probe === "tcp" ? nsqd.tcpAddress : nsqd.httpAddress;
  using probe = new Probe({ kind: options.probe, address, intervalMs: options.intervalMs });
  // The channel exists before the first message, so that the messages wait in it.
  const { messages, sizeBytes } = options;
  const draining = { topic: TOPIC, channel: CHANNEL, sizeBytes };
  await makeChannel(nsqd.tcpAddress, draining);
  const phase = async (name: string, messages: number, work: () => Promise<void>) => ({
    ...await measurePhase({ name, pid: nsqd.pid, probes: [probe], work }),
    messages,
    diskBytes: folderBytes(nsqd.dataPath),
  });
  const rest = () => pause(options.restMs);
  return [
    await phase("start", 0, rest),
    await phase("fill", messages, () => fill(nsqd.tcpAddress, { topic: TOPIC, messages, sizeBytes })),
    await phase("rest", 0, rest),
    await phase("drain", messages, () => drain(nsqd.tcpAddress, { ...draining, messages })),
    await phase("end", 0, rest),
  ];
}

function describe(
  command: readonly string[],
  options: BacklogOptions,
  phases: readonly BacklogPhase[],
): string {
  const { messages, sizeBytes, probe, intervalMs } = options;
  const head = [
    ...["phase", "seconds", "messages/s", "server cores", "peak RSS MiB", "end RSS MiB", "disk MiB"],
    ...["answer p50", "p99", "max", "prober late p99", "max"],
  ];
  const rows = phases.map((phase) => [
    phase.name,
    phase.seconds.toFixed(1),
    phase.messages > 0 ? describeCount(phase.messages / phase.seconds) : "",
    (phase.cpuSeconds / phase.seconds).toFixed(2),
    describeMebibytes(phase.peakRssBytes),
    describeMebibytes(phase.endRssBytes),
    describeMebibytes(phase.diskBytes),
    ...phase.probes.flatMap(describeProbe),
  ]);
  const [start, fill, rest] = phases;
  const perMessage = (bytes: number) => ((bytes - start.endRssBytes) / messages).toFixed(0);
  return [
    command.map((word) => word.replace(/^\/.*\//, "")).join(" "),
    `${describeCount(messages)} messages of ${sizeBytes} B, probed by ${probe} every ${intervalMs} ms`,
    "",
    markdownTable(head, rows),
    "",
    `memory for a message: ${perMessage(rest.endRssBytes)} B at rest, ${
      perMessage(fill.peakRssBytes)
    } B at the ` +
    `peak of filling; on disk ${(rest.diskBytes / messages).toFixed(0)} B`,
  ].join("\n");
}

function describeProbe({ answers, lateness }: ProbePhase): string[] {
  const latencies = [answers?.p50Ms, answers?.p99Ms, answers?.maxMs, lateness?.p99Ms, lateness?.maxMs];
  return latencies.map((ms) => ms === undefined ? "–" : describeMs(ms));
}
