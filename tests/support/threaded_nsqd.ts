/**
 * Starts an nsqd with two I/O threads in the test's own process, by its flags, whatever else the tests run over.
 *
 * @module
 */

import { assert } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { Nsqd } from "../../src/nsqd/nsqd.ts";
import { loadNsqdOptions } from "../../src/nsqd/options.ts";
import { withDataPath } from "./nsqd_in_process.ts";

/** An nsqd that serves the TCP protocol. */
export type ThreadedNsqd = Nsqd & { readonly tcpAddress: string };

/** An nsqd with threads and flags, in an empty data path; its log is `lines`. */
export async function withThreads(
  flags: readonly string[],
  use: (nsqd: ThreadedNsqd, lines: readonly string[]) => Promise<void>,
): Promise<void> {
  await withDataPath((dataPath) => withThreadsIn(dataPath, flags, use));
}

/** The same in a data path. */
export async function withThreadsIn(
  dataPath: string,
  flags: readonly string[],
  use: (nsqd: ThreadedNsqd, lines: readonly string[]) => Promise<void>,
): Promise<void> {
  const start = loadNsqdOptions([
    "--tcp-address=127.0.0.1:0",
    "--http-address=",
    "--https-address=",
    `--data-path=${dataPath}`,
    "--io-threads=2",
    ...flags,
  ]);
  assert(start.kind === "run", JSON.stringify(start));
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line.slice(27));
  const nsqd = new Nsqd(start, new Logger({ prefix: "", level: LOG_LEVELS.info, write }));
  await nsqd.start();
  try {
    await use(nsqd as ThreadedNsqd, lines);
  } finally {
    await nsqd.stop();
  }
}
