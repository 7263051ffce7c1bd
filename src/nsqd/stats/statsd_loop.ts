/**
 * Sends the statistics to a statsd over UDP, every `--statsd-interval` (nsqd/statsd.go, `statsdLoop`). As in NSQ the packets of
 * a push are spread over the interval but for its last second, so that neither the network nor statsd gets them at once; when
 * the interval is a second or less they go out one after the other. The name is resolved anew for each push.
 *
 * @module
 */
import { errorText } from "../../base/error_text.ts";
import { othersFirst, sleep } from "../../base/every.ts";
import type { Logger } from "../../base/logger.ts";
import { inSlices } from "../../base/time_slice.ts";
import { parseAddress } from "../../config/address.ts";
import { DatagramSender, type DatagramTarget } from "../../net/datagrams.ts";
import { collectStats, EVERYTHING, memoryStats, type StatsSource } from "./stats.ts";
import type { StatsdOptions } from "./statsd_options.ts";
import { type Snapshot, statsdLines, statsdPackets } from "./statsd_packets.ts";

/** What the loop uses of the daemon it belongs to. */
export interface StatsdContext extends StatsSource {
  readonly logger: Logger;
  /** The options in force, with the node's address in the prefix. */
  readonly options: StatsdOptions;
}

/** What the loop uses of the world. */
export interface StatsdWorld {
  /** A way to an address. @throws {Error} If it has none. */
  open(target: DatagramTarget): Promise<Pick<DatagramSender, "send"> & Disposable>;
  readonly sleep: typeof sleep;
}

/** So much of the interval is left free of packets. */
const REST_MS = 1000;
/** Packets are not spread more finely than that. */
const STEP_MS = 10;
/** Packets that are sent without a pause where they are not spread. */
const AT_ONCE = 64;

const WORLD: StatsdWorld = { open: (target) => DatagramSender.to(target), sleep };

/** Pushes statistics again and again. */
export class StatsdLoop {
  readonly #context: StatsdContext;
  readonly #world: StatsdWorld;
  #before: Snapshot | undefined;
  /** What was last said to be wrong. */
  #failure = "";
  #packets = 0;
  #failedPackets = 0;

  constructor(context: StatsdContext, world: StatsdWorld = WORLD) {
    this.#context = context;
    this.#world = world;
  }

  /** Packets that were sent, and those that could not be, since the start. */
  get counts(): { readonly sent: number; readonly failed: number } {
    return { sent: this.#packets, failed: this.#failedPackets };
  }

  /** Runs until the signal aborts; what a push has begun to send is sent to its end then. */
  async run(signal: AbortSignal): Promise<void> {
    const { options: { statsdIntervalMs: intervalMs }, clock, logger } = this.#context;
    let dueMs = clock.monotonicMs() + intervalMs;
    for (;;) {
      await this.#world.sleep(Math.max(dueMs - clock.monotonicMs(), 0), signal);
      if (signal.aborted) break;
      await this.#push(signal);
      // A push that took longer than the interval leaves pushes out.
      dueMs += intervalMs * Math.max(1, Math.ceil((clock.monotonicMs() - dueMs) / intervalMs));
    }
    logger.info("STATSD: closing");
  }

  async #push(signal: AbortSignal): Promise<void> {
    const { logger, options: { statsdAddress } } = this.#context;
    try {
      const address = parseAddress(statsdAddress);
      if (address?.kind !== "tcp") throw new Error("it is no address");
      using sender = await this.#world.open(address);
      logger.info(`STATSD: pushing stats to ${statsdAddress}`);
      await this.#send(sender, await this.#packetsOfNow(), signal);
      this.#failure = "";
    } catch (error) {
      // Not again and again, if it stays the same.
      const failure = errorText(error);
      if (failure !== this.#failure) {
        logger.error(`STATSD: failed to push stats to statsd(${statsdAddress}) - ${failure}`);
      }
      this.#failure = failure;
    }
  }

  async #packetsOfNow(): Promise<Uint8Array[]> {
    const { statsdPrefix, statsdMemStats, statsdExcludeEphemeral, statsdUdpPacketSizeBytes } =
      this.#context.options;
    const filter = { ...EVERYTHING, excludeEphemeral: statsdExcludeEphemeral };
    const now: Snapshot = {
      stats: await collectStats(this.#context, filter),
      memory: statsdMemStats ? memoryStats() : undefined,
    };
    const lines = statsdLines(statsdPrefix, now, this.#before);
    this.#before = now;
    const packets: Uint8Array[] = [];
    await inSlices(statsdPackets(lines, statsdUdpPacketSizeBytes), (packet) => packets.push(packet));
    return packets;
  }

  /** @throws {Error} Why some could not be sent; all have been tried. */
  async #send(
    sender: Pick<DatagramSender, "send">,
    packets: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<void> {
    const spreadMs = Math.max(this.#context.options.statsdIntervalMs - REST_MS, 0);
    const atOnce = spreadMs > 0 ? Math.ceil(packets.length * STEP_MS / spreadMs) : AT_ONCE;
    const pauseMs = spreadMs / Math.ceil(packets.length / atOnce);
    let failure: unknown;
    for (let i = 0; i < packets.length; i += atOnce) {
      for (const packet of packets.slice(i, i + atOnce)) {
        try {
          await sender.send(packet);
          this.#packets++;
        } catch (error) {
          this.#failedPackets++;
          failure ??= error;
        }
      }
      if (spreadMs === 0 || signal.aborted) await othersFirst();
      else await this.#world.sleep(pauseMs, signal);
    }
    if (failure !== undefined) throw failure;
  }
}
