/**
 * One run of the load program: connects the publishers and consumers of a scenario, lets them work, and measures
 * a window of that work. It neither starts servers nor prints.
 *
 * ```
 *   connect ── fill (consume only) ── warm-up ──┤ measured window ├── close
 *                                               └─ ends with the duration, or with the last message
 * ```
 *
 * @module
 */

import { AsyncGroup } from "../src/base/async_group.ts";
import { LatencyHistogram, type LatencySummary } from "./histogram.ts";
import { LoadConsumer } from "./load_consumer.ts";
import { LoadPublisher, type PublisherOptions } from "./load_publisher.ts";
import { type ProcessUsage, readProcessUsage } from "./process_usage.ts";

/** What flows: into the server, out of it, or both at once. */
export type LoadMode = "pub" | "sub" | "e2e";

/** A scenario. */
export interface LoadOptions {
  readonly tcpAddress: string;
  readonly mode: LoadMode;
  readonly topic: string;
  readonly channel: string;
  readonly writers: number;
  readonly readers: number;
  readonly sizeBytes: number;
  readonly batch: number;
  readonly window: number;
  readonly rdy: number;
  readonly warmupMs: number;
  readonly durationMs: number;
  /** End when so many messages are through, instead of after `durationMs`. */
  readonly messages?: number | undefined;
  readonly rate?: number | undefined;
  readonly outputBufferSize?: number | undefined;
  readonly outputBufferTimeoutMs?: number | undefined;
  /** The server's process, to read its usage. */
  readonly pid?: number | undefined;
}

/** Messages through one side of the server in the measured window. */
export interface Flow {
  readonly messages: number;
  readonly perSecond: number;
  readonly megabytesPerSecond: number;
}

/** What was measured. */
export interface LoadResult {
  readonly seconds: number;
  readonly published?: Flow;
  readonly consumed?: Flow;
  /** Messages delivered more than once, of all that were delivered. */
  readonly redelivered: number;
  readonly publishRoundTrip: LatencySummary | undefined;
  readonly endToEnd: LatencySummary | undefined;
  /** Processor cores that this program kept busy; near 1 it is the bottleneck itself, as it has one thread. */
  readonly clientCores: number;
  readonly server?: { readonly cpuSeconds: number; readonly cores: number; readonly peakRssBytes: number };
}

/** Connections that fill a topic before a consume-only run. */
const FILL_WRITERS = 2;
const FILL_BATCH = 200;
const FILL_WINDOW = 8;

/** Runs a scenario against a server that is already there. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  using run = new LoadRun(options);
  return await run.measure();
}

class LoadRun implements Disposable {
  readonly #options: LoadOptions;
  readonly #publishers: LoadPublisher[] = [];
  readonly #consumers: LoadConsumer[] = [];

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  async measure(): Promise<LoadResult> {
    const { mode, warmupMs, durationMs, messages } = this.#options;
    // The channel exists first, as with any topic in use: it gets every message, and publishing pays for that.
    await this.#openConsumers();
    if (mode === "pub") { for (const consumer of this.#consumers.splice(0)) consumer.close(); }
    if (mode === "sub") await this.#fill();
    else await this.#openPublishers();

    await using work = new AsyncGroup();
    const finished = this.#start(work);
    const failed = work.failed.then((error) => {
      throw error;
    });
    const early = await Promise.race([pause(warmupMs, work.signal), finished, failed]);
    if (early === "finished") throw new Error("All messages were through before the warm-up was over");
    const before = this.#snapshot();
    for (const publisher of this.#publishers) publisher.roundTrips.reset();
    for (const consumer of this.#consumers) consumer.latencies.reset();
    const ends = messages === undefined ? [pause(durationMs, work.signal)] : [finished];
    await Promise.race([...ends, failed]);
    const after = this.#snapshot();

    work.abort();
    this[Symbol.dispose]();
    await work.wait();
    return this.#result(before, after);
  }

  [Symbol.dispose](): void {
    for (const connection of [...this.#publishers, ...this.#consumers]) connection.close();
  }

  async #openConsumers(): Promise<void> {
    const { tcpAddress, readers, sizeBytes, mode } = this.#options;
    const bufferBytes = Math.max(readers > 8 ? 128 * 1024 : 1024 * 1024, 2 * sizeBytes + 1024);
    const options = { ...this.#options, stamped: mode === "e2e", bufferBytes };
    for (let i = 0; i < readers; i++) this.#consumers.push(await LoadConsumer.open(tcpAddress, options));
  }

  async #openPublishers(): Promise<void> {
    const { tcpAddress, writers, messages, rate, mode } = this.#options;
    const options: PublisherOptions = {
      ...this.#options,
      stamped: mode === "e2e",
      messages: messages && Math.ceil(messages / writers),
      rate: rate && rate / writers,
    };
    for (let i = 0; i < writers; i++) this.#publishers.push(await LoadPublisher.open(tcpAddress, options));
  }

  /** Publishes the messages that a consume-only run is about. */
  async #fill(): Promise<void> {
    const { messages } = this.#options;
    if (messages === undefined) return;
    const options = {
      ...this.#options,
      batch: FILL_BATCH,
      window: FILL_WINDOW,
      stamped: false,
      rate: undefined,
    };
    await using work = new AsyncGroup();
    for (let i = 0; i < FILL_WRITERS; i++) {
      const share = { ...options, messages: Math.ceil(messages / FILL_WRITERS) };
      const publisher = await LoadPublisher.open(options.tcpAddress, share);
      work.spawn(`fill ${i}`, async (signal) => {
        await publisher.run(signal);
        publisher.close();
      });
    }
    await work.wait();
  }

  /** Lets everything run; the promise settles when all messages of a counted run are through. */
  #start(work: AsyncGroup): Promise<"finished"> {
    const { messages, mode } = this.#options;
    const finished = Promise.withResolvers<"finished">();
    for (const consumer of this.#consumers) {
      consumer.onProgress = () => {
        if (messages !== undefined && sum(this.#consumers, "received") >= messages) {
          finished.resolve("finished");
        }
      };
      work.spawn("consumer", () => consumer.run());
    }
    const publishing = this.#publishers.map((publisher) => {
      const done = Promise.withResolvers<void>();
      work.spawn("publisher", async (signal) => {
        await publisher.run(signal);
        done.resolve();
      });
      return done.promise;
    });
    if (mode === "pub") Promise.all(publishing).then(() => finished.resolve("finished"));
    return finished.promise;
  }

  #snapshot(): Snapshot {
    const { pid } = this.#options;
    return {
      atMs: performance.now(),
      published: sum(this.#publishers, "published"),
      received: sum(this.#consumers, "received"),
      client: readProcessUsage(Deno.pid),
      server: pid === undefined ? undefined : readProcessUsage(pid),
    };
  }

  #result(before: Snapshot, after: Snapshot): LoadResult {
    const { mode, sizeBytes } = this.#options;
    const seconds = (after.atMs - before.atMs) / 1000;
    const flow = (messages: number): Flow => ({
      messages,
      perSecond: messages / seconds,
      megabytesPerSecond: messages * sizeBytes / seconds / 1e6,
    });
    const serverCpu = (after.server?.cpuSeconds ?? 0) - (before.server?.cpuSeconds ?? 0);
    const clientCpu = (after.client?.cpuSeconds ?? 0) - (before.client?.cpuSeconds ?? 0);
    return {
      seconds,
      ...mode !== "sub" && { published: flow(after.published - before.published) },
      ...mode !== "pub" && { consumed: flow(after.received - before.received) },
      redelivered: sum(this.#consumers, "redelivered"),
      publishRoundTrip: LatencyHistogram.merge(this.#publishers.map((publisher) => publisher.roundTrips))
        .summary(),
      endToEnd: LatencyHistogram.merge(this.#consumers.map((consumer) => consumer.latencies)).summary(),
      clientCores: clientCpu / seconds,
      ...after.server && {
        server: {
          cpuSeconds: serverCpu,
          cores: serverCpu / seconds,
          peakRssBytes: after.server.peakRssBytes,
        },
      },
    };
  }
}

interface Snapshot {
  readonly atMs: number;
  readonly published: number;
  readonly received: number;
  readonly client: ProcessUsage | undefined;
  readonly server: ProcessUsage | undefined;
}

function sum<K extends string>(items: readonly Record<K, number>[], key: K): number {
  return items.reduce((total, item) => total + item[key], 0);
}

/** Waits for a time, or until `signal` aborts, and leaves no timer behind. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
