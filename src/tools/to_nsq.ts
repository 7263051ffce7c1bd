/**
 * to_nsq: publishes what comes on standard input.
 *
 * @module
 */

import { formatDuration } from "../base/duration.ts";
import { errorText } from "../base/error_text.ts";
import { sleep } from "../base/every.ts";
import { RateLimit } from "../base/rate_limit.ts";
import { Producer } from "../client/mod.ts";
import { BatchSender, type Sending } from "./batch_sender.ts";
import { follow } from "./connecting.ts";
import { checkAddresses, producerOptions, usable } from "./options.ts";
import { PositionFile } from "./position_file.ts";
import { Progress } from "./progress.ts";
import { InputError, type InputRecord, recordReader } from "./records.ts";
import { Routing } from "./routing.ts";
import {
  type ExitCode,
  runTool,
  type Tool,
  type ToolContext,
  ToolError,
  whenAborted,
  writeAll,
} from "./tool.ts";
import { TO_NSQ_OPTIONS, type ToNsqOptions } from "./to_nsq_options.ts";

/** to_nsq, to be run by `runTool()`. */
export const TO_NSQ: Tool<typeof TO_NSQ_OPTIONS> = { name: "to_nsq", table: TO_NSQ_OPTIONS, run };

/** Runs to_nsq as the process's program. */
export function runToNsq(args: readonly string[]): Promise<number> {
  return runTool(TO_NSQ, args);
}

/** Bytes that are read at once. */
const READ_SIZE = 128 * 1024;
/** How long what was sent may take to be answered when something else has failed. */
const GIVE_UP_MS = 1000;

async function run(options: ToNsqOptions, context: ToolContext): Promise<ExitCode> {
  const { nsqdTcpAddress, lookupdHttpAddress, input, delimiter } = options;
  const routing = new Routing(options);
  const delimiterBytes = new TextEncoder().encode(delimiter);
  if (delimiterBytes.length !== 1) throw new ToolError("--delimiter must be a single byte");
  checkAddresses({ flag: "nsqd-tcp-address", addresses: nsqdTcpAddress }, lookupdHttpAddress);
  if (options.batch < 1) throw new ToolError("--batch must be at least 1");

  const file = options.resume === "" ? undefined : new PositionFile(options.resume);
  const start = file?.read() ?? 0;
  await using destinations = new Destinations(options, context);
  const sender = new BatchSender(destinations.producers, start, (position) => file?.save(position));
  const limit = new RateLimit(options.rate);
  if (options.rate > 0) context.log.info(`Throttling messages rate to max:${options.rate}/second`);
  using _progress = new Progress({
    log: context.log,
    logged: options.progress,
    count: () => sender.messages,
    text: (count) => `${count} messages, ${(sender.bytes / 1e6).toFixed(1)} MB published`,
  });

  const reader = recordReader(input, delimiterBytes[0]);
  const pieces = new Pieces(options, context);
  // A failure ends it also while nothing comes.
  void Promise.race([sender.failed, whenAborted(context.stop)]).then(() => pieces.end());
  let failure: unknown;
  let ended = false;
  let left = 0;
  while (!ended && !failure && !context.stop.aborted) {
    const records: InputRecord[] = [];
    try {
      const piece = await pieces.next();
      if (piece) reader.push(piece, records);
      else if (piece === null) reader.end(records);
      else break;
      ended = piece === null;
    } catch (error) {
      if (!(error instanceof InputError || error instanceof ToolError)) throw error;
      // What came before it is good.
      failure = error instanceof InputError ? new ToolError(error.message, { cause: error }) : error;
    }
    try {
      const fresh = records.filter(({ end }) => end > start);
      if (fresh.length > 0) {
        await destinations.connect();
        left = await sendAll(fresh, { routing, limit, sender, batch: options.batch, stop: context.stop });
      }
    } catch (error) {
      failure ??= error;
    }
  }
  try {
    await sender.drain();
    await file?.flush();
  } catch (error) {
    // What was not published is more than a message that could not be read behind it.
    failure = error;
  }
  if (failure) {
    destinations.hurry();
    if (!(failure instanceof ToolError)) throw failure;
    throw new ToolError(`${failure.message}; ${publishedText(sender.messages)}`, { cause: failure });
  }
  if (ended && pieces.bytes < start) {
    throw new ToolError(
      `the input has ${pieces.bytes} bytes, and --resume ${options.resume} is at ${start}: another input?`,
    );
  }
  if (left > 0) context.log.error(`stopped: the last ${left} messages that were read are not published`);
  return 0;
}

/** Of those in a batch that has failed some may be published too. */
function publishedText(messages: number): string {
  return messages === 0 ? "nothing was published for sure" : `at least ${messages} messages were published`;
}

/** Sends messages as fast as the rate allows; how many are left when it is told to stop. @throws {ToolError} */
async function sendAll(
  records: readonly InputRecord[],
  { routing, limit, sender, batch, stop }: {
    readonly routing: Routing;
    readonly limit: RateLimit;
    readonly sender: BatchSender;
    readonly batch: number;
    readonly stop: AbortSignal;
  },
): Promise<number> {
  let from = 0;
  while (from < records.length && !stop.aborted) {
    const wanted = Math.min(batch, records.length - from);
    const count = limit.take(wanted, performance.now());
    if (count === 0) {
      await sleep(limit.intervalMs, stop);
      continue;
    }
    const sendings: Sending[] = [];
    for (let i = from; i < from + count; i++) {
      try {
        sendings.push(routing.of(records[i]));
      } catch (error) {
        await sender.send(sendings);
        throw error;
      }
    }
    await sender.send(sendings);
    from += count;
  }
  return records.length - from;
}

/** The pieces of the input. */
class Pieces {
  /** Bytes that were read. */
  bytes = 0;
  readonly #context: ToolContext;
  readonly #tee: boolean;
  #ended = false;
  /** Ends what waits for input. */
  #wake: (() => void) | undefined;

  constructor({ tee }: ToNsqOptions, context: ToolContext) {
    this.#tee = tee;
    this.#context = context;
  }

  /** No more are wanted. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** The next; null at the end, undefined when no more are wanted. @throws {ToolError} */
  async next(): Promise<Uint8Array | null | undefined> {
    const { stdin, stdout } = this.#context.world;
    // Bodies are parts of it, and go out later: each piece has its own bytes.
    const buffer = new Uint8Array(READ_SIZE);
    if (this.#ended) return undefined;
    let count: number | null | undefined;
    try {
      // No race with a promise that stays: it would keep every piece.
      count = await new Promise<number | null | undefined>((resolve, reject) => {
        this.#wake = () => resolve(undefined);
        stdin.read(buffer).then(resolve, reject);
      });
    } catch (cause) {
      throw new ToolError(`cannot read standard input - ${errorText(cause)}`, { cause });
    }
    if (count === null || count === undefined) return count;
    const piece = buffer.subarray(0, count);
    this.bytes += count;
    try {
      if (this.#tee) await writeAll(stdout, piece);
    } catch (cause) {
      throw new ToolError(`cannot write to standard output - ${errorText(cause)}`, { cause });
    }
    return piece;
  }
}

/** Where messages go. */
class Destinations implements AsyncDisposable {
  readonly producers: readonly Producer[];
  readonly #options: ToNsqOptions;
  readonly #context: ToolContext;
  #connected: Promise<void> | undefined;
  #closeMs: number | undefined;

  constructor(options: ToNsqOptions, context: ToolContext) {
    const { nsqdTcpAddress, lookupdHttpAddress, mode, batch } = options;
    const settings = {
      ...producerOptions(TO_NSQ.name, options),
      strategy: mode === "failover" ? "first" as const : "round-robin" as const,
      // Batches are made before.
      ...batch === 1 && { batch: false as const },
    };
    const apart = mode === "all" && nsqdTcpAddress.length > 0;
    const groups = apart ? [...new Set(nsqdTcpAddress)].map((address) => [address]) : [nsqdTcpAddress];
    this.producers = usable(() =>
      groups.map((nsqd) => new Producer({ ...settings, nsqd, lookupd: lookupdHttpAddress }))
    );
    this.#options = options;
    this.#context = context;
  }

  /** Connects to all of them, when something is to be published for the first time. @throws {ToolError} */
  connect(): Promise<void> {
    this.#connected ??= this.#connect();
    return this.#connected;
  }

  /** Something has failed: nothing is waited for any more. */
  hurry(): void {
    this.#closeMs = GIVE_UP_MS;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const timeoutMs = this.#closeMs;
    await Promise.all(
      this.producers.map((producer) => producer.close(timeoutMs === undefined ? {} : { timeoutMs })),
    );
  }

  async #connect(): Promise<void> {
    const { wait, nsqdTcpAddress } = this.#options;
    const { log, stop } = this.#context;
    const nodes = this.producers.length > 1 ? 1 : nsqdTcpAddress.length || 1;
    const followed = this.producers.map((producer, i) =>
      follow(producer, { log, id: i + 1, retry: wait > 0, nodes })
    );
    const late = AbortSignal.timeout(Math.max(wait, 1000));
    const ready = Promise.all(
      this.producers.map((producer) => producer.ready(AbortSignal.any([late, stop]))),
    );
    try {
      await Promise.race([ready, ...followed]);
    } catch (error) {
      if (error instanceof ToolError) throw error;
      if (stop.aborted) return;
      throw new ToolError(`no nsqd to publish to within ${formatDuration(wait)}`, { cause: error });
    }
  }
}
