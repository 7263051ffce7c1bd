/**
 * Starts an nsqd in the test's own process, on ports of its own and with a data path of its own, for the tests
 * that look into it. Its log is kept, and shown only when the test fails.
 *
 * @module
 */

import { assert } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { defaultOptions } from "../../src/config/option.ts";
import { Nsqd } from "../../src/nsqd/nsqd.ts";
import { NSQD_OPTIONS, type NsqdOptions } from "../../src/nsqd/options.ts";
import { RawClient } from "./frames_client.ts";
import { testIoThreads } from "./io_threads.ts";

/** A running nsqd. */
export class NsqdInProcess {
  readonly nsqd: Nsqd;
  /** The log's lines, without prefix and time. */
  readonly lines: string[];

  constructor(nsqd: Nsqd, lines: string[]) {
    this.nsqd = nsqd;
    this.lines = lines;
  }

  /** `host:port` of the TCP protocol, or the path of its socket. */
  get tcpAddress(): string {
    if (this.nsqd.tcpAddress === undefined) throw new Error("nsqd does not serve the TCP protocol");
    return this.nsqd.tcpAddress;
  }

  /** `http://host:port` of the HTTP API. */
  get httpUrl(): string {
    return `http://127.0.0.1:${this.nsqd.httpPort}`;
  }

  /** A client that has said the magic. */
  connect(options: { readonly magic?: string } = {}): Promise<RawClient> {
    return RawClient.connect(this.tcpAddress, options);
  }
}

/** A new, empty data path for `use`, removed afterwards. */
export async function withDataPath(use: (dataPath: string) => Promise<void>): Promise<void> {
  const dataPath = await Deno.makeTempDir({ prefix: "denosq_test_" });
  try {
    await use(dataPath);
  } finally {
    await Deno.remove(dataPath, { recursive: true });
  }
}

/** Starts an nsqd in the data path for `use`, and stops it afterwards; returns its log. */
export async function withNsqd(
  dataPath: string,
  options: Partial<NsqdOptions>,
  use: (nsqd: NsqdInProcess) => Promise<void>,
): Promise<string[]> {
  const lines: string[] = [];
  const nsqd = nsqdIn(dataPath, options, lines);
  try {
    await nsqd.start();
    try {
      await use(new NsqdInProcess(nsqd, lines));
    } finally {
      await nsqd.stop();
    }
  } catch (error) {
    console.error(`--- log of nsqd ---\n${lines.join("\n")}\n--- end of log ---`);
    throw error;
  }
  return lines;
}

/** A test with an nsqd in an empty data path. */
export function nsqdTest(
  name: string,
  test: (nsqd: NsqdInProcess) => Promise<void>,
  options: Partial<NsqdOptions> = {},
): void {
  Deno.test(name, () =>
    withDataPath(async (dataPath) => {
      await withNsqd(dataPath, options, test);
    }));
}

/** An nsqd that is not started yet, and writes its log to `lines`. */
export function nsqdIn(dataPath: string, options: Partial<NsqdOptions>, lines: string[]): Nsqd {
  const level = LOG_LEVELS.info;
  const logger = new Logger({ prefix: "", level, write: (line) => lines.push(line.slice(27)) });
  const given = {
    tcpAddress: "127.0.0.1:0",
    ...testIoThreads,
    httpAddress: "127.0.0.1:0",
    dataPath,
    nodeId: 5,
    ...options,
  };
  const tls = { pair: undefined, rootCa: undefined };
  return new Nsqd({ options: { ...defaultOptions(NSQD_OPTIONS), ...given }, tls }, logger);
}

/** Ports, durations and other numbers that differ from run to run, and the temporary folder, as `#`. */
export function steady(lines: readonly string[], dataPath: string): string[] {
  return lines.map((line) =>
    line.replaceAll(dataPath, "<data>").replace(/v1\.3\.0 \(.*\)/, "v1.3.0 (…)").replace(
      /127\.0\.0\.1:\d+/g,
      "127.0.0.1:#",
    )
  );
}

/** How many messages of a channel are where. */
export interface ChannelCounts {
  readonly depth: number;
  readonly inFlight: number;
  readonly deferred: number;
}

/** The counts of a channel that must be there. */
export function countsOf({ nsqd }: NsqdInProcess, topic: string, channel: string): ChannelCounts {
  const found = nsqd.broker.topics.get(topic)?.channels.get(channel);
  assert(found, `there is no channel ${topic}/${channel}`);
  return { depth: found.depth, inFlight: found.inFlightCount, deferred: found.deferredCount };
}
