/**
 * How soon an nsqlookupd knows everything that an nsqd has: after a restart of the nsqd, and after one of the
 * nsqlookupd; and how long the nsqd's clients wait meanwhile. Ours and Go's, each with ours and Go's, in one run.
 *
 * @module
 */

import { goLookupd, LookupdProcess, OUR_LOOKUPD } from "../tests/support/lookupd_process.ts";
import { nsqdCommand, type NsqdProcess, startNsqd } from "../tests/support/nsqd_process.ts";
import { compareTable, type Measurement } from "./compare_table.ts";
import { Flags } from "../tests/support/flags.ts";
import { Probe } from "./probe.ts";
import { readProcessUsage } from "./process_usage.ts";

const USAGE =
  `usage: deno run -A bench/registering.ts [flags]   Go's need NSQ_BIN, the folder of NSQ's programs

--topics N --channels N   what the nsqd has (10000, each with 3)
--rounds N                (1)`;

const POLL_INTERVAL_MS = 20;
const PROBE_INTERVAL_MS = 5;
const QUIET_MS = 1000;

interface Sizes {
  readonly topics: number;
  readonly channels: number;
}

if (import.meta.main) {
  const flags = new Flags({ usage: USAGE, names: ["topics", "channels", "rounds"] });
  const sizes = { topics: flags.count("topics") ?? 10_000, channels: flags.count("channels") ?? 3 };
  const [goNsqd, goNsqlookupd] = [goLookupd()[0].replace(/nsqlookupd$/, "nsqd"), goLookupd()];
  const nsqds = [{ name: "Go's nsqd", command: [goNsqd] }, { name: "denosq nsqd", command: nsqdCommand() }];
  const lookupds = [["Go's nsqlookupd", goNsqlookupd], ["denosq nsqlookupd", OUR_LOOKUPD]] as const;
  const measurements: Measurement[] = [];
  for (let round = 0; round < (flags.count("rounds") ?? 1); round++) {
    for (const [lookupdName, lookupdCommand] of lookupds) {
      for (const { name, command } of nsqds) {
        const results = await measure({ command, lookupdCommand, sizes });
        for (const [measure, unit, value] of results) {
          measurements.push({ server: name, measure: `${lookupdName}: ${measure}`, unit, value });
        }
      }
    }
  }
  console.log(compareTable(nsqds.map(({ name }) => name), measurements));
}

async function measure(
  { command, lookupdCommand, sizes }: {
    readonly command: readonly string[];
    readonly lookupdCommand: readonly string[];
    readonly sizes: Sizes;
  },
): Promise<(readonly [measure: string, unit: string, value: number | undefined])[]> {
  const dataPath = await Deno.makeTempDir({ prefix: "denosq_registering_" });
  try {
    await Deno.writeTextFile(`${dataPath}/nsqd.dat`, JSON.stringify(metadata(sizes)));
    await using lookupd = await LookupdProcess.start(lookupdCommand);
    const args = [`--lookupd-tcp-address=${lookupd.tcpAddress}`, "--broadcast-address=127.0.0.1"];
    await using nsqd = await startNsqd({ command, args, dataPath });
    const startMs = performance.now();
    const probe = new Probe({ kind: "tcp", address: nsqd.tcpAddress, intervalMs: PROBE_INTERVAL_MS });
    await allRegistered(lookupd, sizes);
    const startedMs = performance.now() - startMs;
    const { answers } = await probe.endPhase();
    probe[Symbol.dispose]();
    const cpuSeconds = readProcessUsage(nsqd.pid)?.cpuSeconds;

    await quiet(nsqd);
    await lookupd.kill();
    await lookupd.startAgain();
    const restartMs = performance.now();
    await allRegistered(lookupd, sizes);
    const restartedMs = performance.now() - restartMs;
    // A graceful stop would save what there is, for which nobody waits here.
    await nsqd.kill();
    return [
      ["from the nsqd's start until all is registered", "s", startedMs / 1000],
      ["the nsqd's processor time until then", "s", cpuSeconds],
      ["longest wait for a PUB meanwhile", "ms", answers?.maxMs],
      ["from the nsqlookupd's restart until all is registered", "s", restartedMs / 1000],
    ];
  } finally {
    await Deno.remove(dataPath, { recursive: true });
  }
}

/** Waits until the nsqd logs nothing: Go's registers what it has found at its start a second time. */
async function quiet(nsqd: NsqdProcess): Promise<void> {
  for (let length = -1; length !== nsqd.log.length;) {
    length = nsqd.log.length;
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  }
}

/** What `nsqd.dat` has; both programs read it. */
function metadata({ topics, channels }: Sizes) {
  const channelList = Array.from({ length: channels }, (_, i) => ({ name: `channel_${i}`, paused: false }));
  return {
    topics: Array.from(
      { length: topics },
      (_, i) => ({ name: `topic_${i}`, paused: false, channels: channelList }),
    ),
    version: "1.3.0",
  };
}

/** Waits until the nsqlookupd knows every topic. Its channels are registered with it, so none is missing then. */
async function allRegistered(lookupd: LookupdProcess, { topics }: Sizes): Promise<void> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
    const response = await fetch(`http://${lookupd.httpAddress}/topics`);
    const answer: { readonly topics: readonly string[] } = await response.json();
    if (answer.topics.filter((topic) => topic.startsWith("topic_")).length === topics) return;
  }
}
