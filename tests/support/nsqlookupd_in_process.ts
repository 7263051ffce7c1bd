/**
 * Starts an nsqlookupd in the test's own process, on ports of its own, for the tests that need real sockets. Its log is
 * kept, and shown only when the test fails.
 *
 * @module
 */

import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { defaultOptions } from "../../src/config/option.ts";
import { Nsqlookupd } from "../../src/nsqlookupd/nsqlookupd.ts";
import { NSQLOOKUPD_OPTIONS, type NsqlookupdOptions } from "../../src/nsqlookupd/options.ts";
import { LookupClient } from "./lookup_client.ts";

/** A running nsqlookupd. */
export class NsqlookupdInProcess {
  readonly nsqlookupd: Nsqlookupd;
  /** The log's lines, without prefix and time. */
  readonly lines: string[];

  constructor(nsqlookupd: Nsqlookupd, lines: string[]) {
    this.nsqlookupd = nsqlookupd;
    this.lines = lines;
  }

  /** `host:port` of the TCP protocol. */
  get tcpAddress(): string {
    return `127.0.0.1:${this.nsqlookupd.tcpPort}`;
  }

  /** `host:port` of the HTTP API. */
  get httpAddress(): string {
    return `127.0.0.1:${this.nsqlookupd.httpPort}`;
  }

  /** A client that has said the magic. */
  connect(options: { readonly magic?: string } = {}): Promise<LookupClient> {
    return LookupClient.connect(this.tcpAddress, options);
  }

  /** The JSON of an answer. */
  async json(target: string): Promise<unknown> {
    const response = await fetch(`http://${this.httpAddress}${target}`);
    return await response.json();
  }
}

/** Starts an nsqlookupd for `use`, and stops it afterwards; returns its log. */
export async function withNsqlookupd(
  options: Partial<NsqlookupdOptions>,
  use: (nsqlookupd: NsqlookupdInProcess) => Promise<void>,
): Promise<string[]> {
  const lines: string[] = [];
  const nsqlookupd = nsqlookupdWith(options, lines);
  try {
    nsqlookupd.start();
    try {
      await use(new NsqlookupdInProcess(nsqlookupd, lines));
    } finally {
      await nsqlookupd.stop();
    }
  } catch (error) {
    console.error(`--- log of nsqlookupd ---\n${lines.join("\n")}\n--- end of log ---`);
    throw error;
  }
  return lines;
}

/** A test with an nsqlookupd. */
export function nsqlookupdTest(
  name: string,
  test: (nsqlookupd: NsqlookupdInProcess) => Promise<void>,
  options: Partial<NsqlookupdOptions> = {},
): void {
  Deno.test(name, async () => {
    await withNsqlookupd(options, test);
  });
}

/** An nsqlookupd that is not started yet, and writes its log to `lines`. */
export function nsqlookupdWith(options: Partial<NsqlookupdOptions>, lines: string[]): Nsqlookupd {
  const level = LOG_LEVELS.info;
  const logger = new Logger({ prefix: "", level, write: (line) => lines.push(line.slice(27)) });
  const given = { tcpAddress: "127.0.0.1:0", httpAddress: "127.0.0.1:0", ...options };
  return new Nsqlookupd({ ...defaultOptions(NSQLOOKUPD_OPTIONS), ...given }, logger);
}
