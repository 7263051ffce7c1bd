/**
 * nsq_stat: reports how channels stand, again and again.
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import { sleep } from "../base/every.ts";
import { type ChannelRow, channelsIn, type Look, rowsOf } from "./channel_stats.ts";
import { getJson, type HttpAsking } from "./http_json.ts";
import { nodesOf } from "./lookupd_nodes.ts";
import { NSQ_STAT_OPTIONS, type NsqStatOptions } from "./nsq_stat_options.ts";
import { checkAddresses } from "./options.ts";
import { CSV_HEADER, csvRow, jsonRow, nsqHeader, nsqRow, sorted, table } from "./stat_report.ts";
import { type ExitCode, runTool, type Tool, type ToolContext, ToolError, writeAll } from "./tool.ts";

/** nsq_stat, to be run by `runTool()`. */
export const NSQ_STAT: Tool<typeof NSQ_STAT_OPTIONS> = { name: "nsq_stat", table: NSQ_STAT_OPTIONS, run };

/** Runs nsq_stat as the process's program. */
export function runNsqStat(args: readonly string[]): Promise<number> {
  return runTool(NSQ_STAT, args);
}

/** Goes to the upper left corner and empties the terminal. */
const CLEAR = "\x1b[H\x1b[2J";

async function run(options: NsqStatOptions, context: ToolContext): Promise<ExitCode> {
  const { count, intervalMs } = options;
  check(options);
  const hungUp = new AbortController();
  context.onSignal("SIGHUP", () => hungUp.abort());
  const stop = AbortSignal.any([context.stop, hungUp.signal]);
  const nodes = new Nodes(options, stop);
  const report = new Report(options, context.world.stdout.isTerminal());
  const encoder = new TextEncoder();

  let before: Look | undefined;
  for (let reports = 0; reports < (count ?? Infinity);) {
    const look = await nodes.look();
    if (stop.aborted) return 0;
    for (const failure of look.failures) context.log.error(failure);
    // What comes later may pass: a report that is left out is better than none any more.
    if (look.answered === 0 && before === undefined) throw new ToolError("ERROR: no nsqd has answered");
    if (look.answered > 0) {
      const rows = rowsOf(look, before);
      // As with NSQ's the header comes with the first look, and the rows, for their rates, with the second.
      const text = before === undefined ? report.begin(rows) : report.rows(rows, new Date());
      await write(context, encoder.encode(text));
      if (before !== undefined) reports++;
      before = look;
    }
    if (reports < (count ?? Infinity)) await sleep(intervalMs, stop);
    if (stop.aborted) return 0;
  }
  return 0;
}

function check(options: NsqStatOptions): void {
  const { intervalMs, connectTimeoutMs, requestTimeoutMs, count, nsqdHttpAddress, lookupdHttpAddress } =
    options;
  if (options.topic === "" && options.channel !== "") throw new ToolError("--topic required with --channel");
  if (intervalMs <= 0) throw new ToolError("--interval should be positive");
  if (connectTimeoutMs <= 0) throw new ToolError("--http-client-connect-timeout should be positive");
  if (requestTimeoutMs <= 0) throw new ToolError("--http-client-request-timeout should be positive");
  if (count !== undefined && count <= 0) throw new ToolError("--count should be positive");
  checkAddresses({ flag: "nsqd-http-address", addresses: nsqdHttpAddress }, lookupdHttpAddress);
  for (const [flag, addresses] of [["nsqd", nsqdHttpAddress], ["lookupd", lookupdHttpAddress]] as const) {
    if (addresses.some((address) => address.startsWith("http"))) {
      throw new ToolError(`--${flag}-http-address error - address should not contain scheme`);
    }
  }
  if (options.json && options.csv) throw new ToolError("use --json or --csv not both");
}

async function write({ world }: ToolContext, bytes: Uint8Array): Promise<void> {
  try {
    await writeAll(world.stdout, bytes);
  } catch (cause) {
    throw new ToolError(`cannot write to standard output - ${errorText(cause)}`, { cause });
  }
}

/** The nsqds that are asked. */
class Nodes {
  readonly #options: NsqStatOptions;
  readonly #asking: HttpAsking;

  constructor(options: NsqStatOptions, signal: AbortSignal) {
    const { connectTimeoutMs, requestTimeoutMs, httpToken: token } = options;
    this.#options = options;
    this.#asking = { connectTimeoutMs, requestTimeoutMs, token, signal };
  }

  /** Asks all of them. Never rejects. */
  async look(): Promise<Look & { readonly failures: readonly string[]; readonly answered: number }> {
    const { topic, channel } = this.#options;
    const failures: string[] = [];
    const { nsqdHttpAddress, lookupdHttpAddress } = this.#options;
    const found = await nodesOf(lookupdHttpAddress, topic, this.#asking, failures);
    const addresses = [...new Set([...nsqdHttpAddress, ...found])];
    const query = `${topic === "" ? "" : `&topic=${encodeURIComponent(topic)}`}${
      channel === "" ? "" : `&channel=${encodeURIComponent(channel)}`
    }`;
    const answers = await Promise.all(addresses.map(async (address) => {
      try {
        const answer = await getJson(
          `http://${address}/stats?format=json&include_clients=false${query}`,
          this.#asking,
        );
        return channelsIn(address, answer);
      } catch (error) {
        failures.push(`ERROR: failed to get nsqd stats - ${errorText(error)}`);
        return undefined;
      }
    }));
    const channels = answers.flatMap((answer) => answer ?? []);
    const answered = answers.filter((answer) => answer !== undefined).length;
    return { channels, atMs: performance.now(), failures, answered };
  }
}

/** Makes the text of reports. */
class Report {
  readonly #options: NsqStatOptions;
  /** NSQ's own form: of one channel, and nothing else is asked for. */
  readonly #isPlain: boolean;
  readonly #clears: boolean;
  #rows = 0;

  constructor(options: NsqStatOptions, isTerminal: boolean) {
    const { topic, channel, json, csv, watch, sort } = options;
    this.#options = options;
    this.#clears = watch && isTerminal;
    this.#isPlain = topic !== "" && channel !== "" && !json && !csv && !watch && sort === "";
  }

  /** What comes before the first report. @throws {ToolError} If the channel that is asked for is not there. */
  begin(rows: readonly ChannelRow[]): string {
    this.#checkFound(rows);
    if (this.#options.csv) return CSV_HEADER;
    return this.#isPlain ? nsqHeader(this.#rows++) : "";
  }

  /** A report. @throws {ToolError} If the channel that is asked for is not there. */
  rows(rows: readonly ChannelRow[], now: Date): string {
    this.#checkFound(rows);
    const { json, csv, sort } = this.#options;
    if (this.#isPlain) return nsqHeader(this.#rows++) + nsqRow(rows[0]);
    const all = sort === "" ? rows : sorted(rows, sort);
    if (json) return all.map((row) => jsonRow(row, now)).join("");
    if (csv) return all.map((row) => csvRow(row, now)).join("");
    return this.#clears ? CLEAR + table(all) : `${table(all)}\n`;
  }

  #checkFound(rows: readonly ChannelRow[]): void {
    const { topic, channel } = this.#options;
    if (rows.length > 0 || channel === "") return;
    throw new ToolError(`ERROR: failed to find channel(${channel}) in stats metadata for topic(${topic})`);
  }
}
