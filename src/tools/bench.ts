/**
 * bench: measures how fast an nsqd, any nsqd, takes and delivers messages.
 *
 * | | |
 * | --- | --- |
 * | `pub` | publishes; the time until each command is answered |
 * | `sub` | takes what is there, and finishes it |
 * | `both` | both at the same time |
 * | `latency` | publishes at a rate, and takes it: the time from when a message was due until it is there |
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import { every } from "../base/every.ts";
import { formatDuration } from "../base/duration.ts";
import { Consumer, type Message, Producer } from "../client/mod.ts";
import { MARK_SIZE, publishAll, Schedule, takeAll } from "./bench_actors.ts";
import { BENCH_MODES, BENCH_OPTIONS, type BenchMode, type BenchOptions } from "./bench_options.ts";
import { CSV_HEADER, csvOf, histogramOf, Measured, textOf } from "./bench_report.ts";
import { follow } from "./connecting.ts";
import { explained } from "./explained.ts";
import { checkAddresses, consumerOptions, producerOptions, usable } from "./options.ts";
import { Progress } from "./progress.ts";
import {
  type ExitCode,
  runTool,
  type Tool,
  type ToolContext,
  ToolError,
  whenAborted,
  writeAll,
} from "./tool.ts";

/** Runs bench as the process's program; the first argument says what is measured. */
export function runBench(args: readonly string[]): Promise<number> {
  const mode = BENCH_MODES.find((mode) => mode === args[0]);
  return mode ? runTool(benchTool(mode), args.slice(1)) : runTool(NO_MODE, args);
}

/** bench in one of its modes, to be run by `runTool()`. */
export function benchTool(mode: BenchMode): Tool<typeof BENCH_OPTIONS> {
  return { name: "bench", table: BENCH_OPTIONS, run: (options, context) => run(mode, options, context) };
}

/** Without a mode there is help, and nothing else. */
const NO_MODE: Tool<typeof BENCH_OPTIONS> = {
  name: `bench ${BENCH_MODES.join("|")}`,
  table: BENCH_OPTIONS,
  run: () =>
    Promise.reject(
      new ToolError(`what is to be measured? bench ${BENCH_MODES.join("|")} [flags]`, { code: 2 }),
    ),
};

const LATENCY_RATE = 1000;
/** A message a turn: what is published together would arrive together. */
const LATENCY_BATCH = 1;
/** How often it is looked at whether something still comes or goes, in a timeout. */
const LOOKS = 4;
/** How long what is on its way at the end may take. */
const CLOSE_MS = 2000;

async function run(mode: BenchMode, options: BenchOptions, context: ToolContext): Promise<ExitCode> {
  check(mode, options);
  const bench = new Bench(mode, options, context);
  let late = false;
  try {
    late = await bench.measure() === "late";
  } finally {
    await bench.close();
  }
  const sides = bench.sides;
  const text = options.csv ? CSV_HEADER + sides.map(csvOf).join("") : sides.map(textOf).join("");
  await writeAll(context.world.stdout, new TextEncoder().encode(text));
  if (options.histogram !== "") {
    try {
      await Deno.writeTextFile(
        options.histogram,
        sides.filter(({ times }) => times.count > 0).map(histogramOf).join(""),
      );
    } catch (cause) {
      throw new ToolError(`cannot write --histogram ${options.histogram} - ${errorText(cause)}`, { cause });
    }
  }
  if (late) {
    throw new ToolError(`nothing has come or gone for ${formatDuration(options.timeout)}`, { code: 124 });
  }
  return 0;
}

function check(mode: BenchMode, options: BenchOptions): void {
  const { msgs, duration, size, clients, batch, throughput, timeout } = options;
  checkAddresses({ flag: "nsqd-tcp-address", addresses: options.nsqdTcpAddress }, options.lookupdHttpAddress);
  if (msgs < 0) throw new ToolError("--msgs must not be negative");
  if (msgs === 0 && duration <= 0) throw new ToolError("--msgs or --duration required");
  if (clients < 1) throw new ToolError("--clients must be at least 1");
  if (batch < 1) throw new ToolError("--batch must be at least 1");
  if (throughput < 0) throw new ToolError("--throughput must not be negative");
  if (timeout <= 0) throw new ToolError("--timeout should be positive");
  const sizeMin = mode === "latency" ? MARK_SIZE : 1;
  if (size < sizeMin) throw new ToolError(`--size must be at least ${sizeMin}`);
}

/** One measurement. */
class Bench {
  /** What was measured. */
  readonly sides: readonly Measured[];
  readonly #mode: BenchMode;
  readonly #options: BenchOptions;
  readonly #context: ToolContext;
  readonly #count: number;
  readonly #producers: readonly Producer[];
  readonly #consumers: readonly Consumer[];
  readonly #pub: Measured | undefined;
  readonly #sub: Measured | undefined;
  readonly #end = new AbortController();
  /** Of this run's messages. */
  readonly #mark = Math.random();

  constructor(mode: BenchMode, options: BenchOptions, context: ToolContext) {
    const { clients, topic, channel, nsqdTcpAddress: nsqd, lookupdHttpAddress: lookupd } = options;
    this.#mode = mode;
    this.#options = options;
    this.#context = context;
    this.#count = options.msgs === 0 ? Infinity : options.msgs;
    const each = Array.from({ length: clients });
    const settings = { ...producerOptions("bench", options), nsqd, lookupd, batch: false as const };
    this.#producers = mode === "sub" ? [] : usable(() => each.map(() => new Producer(settings)));
    const taking = {
      // nsqd would keep messages for up to 250 ms, to send more of them at once.
      ...mode === "latency" && { outputBufferSizeBytes: -1, outputBufferTimeoutMs: -1 },
      ...consumerOptions("bench", { ...options, retry: false }),
    };
    this.#consumers = mode === "pub"
      ? []
      : usable(() => each.map(() => new Consumer(topic, channel, taking)));
    this.#pub = mode === "sub" ? undefined : new Measured("pub", "time until the answer");
    this.#sub = mode === "pub"
      ? undefined
      : new Measured("sub", "time from when it was due until it was there");
    this.sides = [this.#pub, this.#sub].filter((side) => side !== undefined);
  }

  /** Measures, until all messages are through, or it is told to stop, or nothing happens any more. */
  async measure(): Promise<"done" | "late"> {
    const { log, stop } = this.#context;
    const connected: Promise<void>[] = [];
    const followed = [...this.#producers, ...this.#consumers].map((client, i) => {
      const first = Promise.withResolvers<void>();
      connected.push(first.promise);
      return follow(client, { log, id: i + 1, retry: false, connected: first.resolve });
    });
    const failed = Promise.race(followed).then((): never => {
      throw new ToolError("the connections have ended");
    });
    // Nobody waits for it when the measurement is over.
    failed.catch(() => undefined);

    const taken = this.#sub && takeAll(this.#consumers, {
      count: this.#count,
      measured: this.#sub,
      dueMsOf: (message) => this.#dueMsOf(message),
    });
    const ready = Promise.all([...this.#producers.map((producer) => producer.ready(stop)), ...connected]);
    await Promise.race([ready, failed, whenAborted(stop)]);
    if (stop.aborted) return "done";

    const signals = [stop, this.#end.signal];
    if (this.#options.duration > 0) signals.push(AbortSignal.timeout(this.#options.duration));
    const signal = AbortSignal.any(signals);
    using _progress = new Progress({
      log,
      logged: false,
      count: () => this.#through(),
      text: () => this.sides.map(({ name, messages }) => `${name} ${messages}`).join(", "),
    });
    const done = Promise.all([this.#publish(signal), taken]).then(() => "done" as const);
    const stopped = whenAborted(signal).then(() => "done" as const);
    return await Promise.race([done, stopped, failed, this.#late(signal)]);
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.#end.abort();
    const timeoutMs = CLOSE_MS;
    await Promise.all([...this.#producers, ...this.#consumers].map((client) => client.close({ timeoutMs })));
  }

  async #publish(signal: AbortSignal): Promise<void> {
    const measured = this.#pub;
    if (!measured) return;
    const { topic, throughput, batch } = this.#options;
    const isLatency = this.#mode === "latency";
    const schedule = new Schedule(this.#count, throughput || (isLatency ? LATENCY_RATE : 0));
    try {
      await Promise.all(this.#producers.map((producer) =>
        publishAll(producer, {
          topic,
          schedule,
          batch: isLatency ? LATENCY_BATCH : batch,
          bodyOf: this.#bodies(),
          measured,
          signal,
        })
      ));
    } catch (error) {
      // When it is over, what is still on its way ends with the connections.
      if (signal.aborted) return;
      throw new ToolError(`cannot publish - ${explained(error as Error)}`, { cause: error });
    }
  }

  /** Bodies that say when they were due; without that they are all the same. */
  #bodies(): (dueMs: number) => Uint8Array {
    const { size } = this.#options;
    const body = new Uint8Array(size).fill(0x78);
    if (this.#mode !== "latency") return () => body;
    return (dueMs) => {
      const marked = body.slice();
      const view = new DataView(marked.buffer);
      view.setFloat64(0, this.#mark);
      view.setFloat64(8, dueMs);
      return marked;
    };
  }

  #dueMsOf({ body }: Message): number | undefined {
    if (this.#mode !== "latency") return NaN;
    if (body.length < MARK_SIZE) return undefined;
    const view = new DataView(body.buffer, body.byteOffset);
    return view.getFloat64(0) === this.#mark ? view.getFloat64(8) : undefined;
  }

  /** How many messages are through, on all sides. */
  #through(): number {
    return this.sides.reduce((sum, { messages }) => sum + messages, 0);
  }

  /** Settles when nothing has happened for too long. */
  #late(signal: AbortSignal): Promise<"late"> {
    const { timeout } = this.#options;
    let last = { messages: this.#through(), ms: performance.now() };
    return new Promise((resolve) => {
      void every(timeout / LOOKS, signal, () => {
        const messages = this.#through();
        const ms = performance.now();
        if (messages > last.messages) last = { messages, ms };
        else if (ms - last.ms >= timeout) resolve("late");
      });
    });
  }
}
