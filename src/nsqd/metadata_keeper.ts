/**
 * When the metadata file is written: soon after topics or channels have come or gone, at once where somebody must be
 * able to rely on it, and again with every sync while a disk refuses it. One write runs at a time, and nobody stands
 * still meanwhile.
 *
 * ```
 *  changed() ── 20 ms ──┐
 *  persist() ───────────┤
 *  keeping() ───────────┼──▶ one write for all who ask while another runs ──▶ the file
 *  retry() ─────────────┘
 * ```
 *
 * Changes are counted, and so it is known what a write has in it: the file is as it should be when the last one is in.
 *
 * @module
 */

import type { AsyncGroup } from "../base/async_group.ts";
import { errorText } from "../base/error_text.ts";
import type { Logger } from "../base/logger.ts";
import { SharedRun } from "../base/shared_run.ts";
import type { Timers } from "../base/timers.ts";
import type { Broker } from "../broker/broker.ts";
import type { Health } from "./health.ts";
import type { MetadataFile } from "./metadata.ts";

/** Topics and channels that come at the same time are written to the file together. */
const METADATA_DELAY_MS = 20;

/** What the keeper works with. */
export interface MetadataContext {
  readonly logger: Logger;
  readonly timers: Pick<Timers, "sleep">;
  readonly file: Pick<MetadataFile, "persist" | "removeLeftovers">;
  readonly broker: Broker;
  readonly health: Pick<Health, "stored">;
  /** Runs what is delayed. */
  readonly tasks: Pick<AsyncGroup, "spawn">;
}

/** A write that runs, and what it writes. */
interface Write {
  readonly changes: number;
  readonly end: Promise<void>;
}

/** Keeps the metadata file as it should be. */
export class MetadataKeeper {
  readonly #context: MetadataContext;
  /** Everything is loaded that the file has. */
  #following = false;
  /** How often something has changed, and how many of these changes are in the file. */
  #changes = 0;
  #written = 0;
  #scheduled = false;
  readonly #writes = new SharedRun(() => this.#begin());
  #running: Write | undefined;
  #failure: unknown;

  constructor(context: MetadataContext) {
    this.#context = context;
  }

  /** Why the file could not be written the last time; undefined when it could. */
  get keepingFailure(): unknown {
    return this.#failure;
  }

  /**
   * For who keeps something of topics and channels: undefined while the file knows all of them, else a promise that
   * settles when it does, and rejects when it cannot be written.
   */
  keeping(): Promise<void> | undefined {
    if (this.#written === this.#changes) return undefined;
    return this.#running?.changes === this.#changes ? this.#running.end : this.#writes.request();
  }

  /** Everything is loaded: what there is is written, and so is what changes from now on. */
  async follow(): Promise<void> {
    this.#following = true;
    this.#context.file.removeLeftovers();
    // Unlike NSQ, which does not start on a full disk: what is there can be consumed, which makes room.
    await this.persist();
  }

  /** Topics or channels that are kept have come or gone. */
  changed(): void {
    if (!this.#following) return;
    this.#changes++;
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#context.tasks.spawn("metadata", async (signal) => {
      await this.#context.timers.sleep(METADATA_DELAY_MS, signal);
      this.#scheduled = false;
      await this.#catchUp();
    });
  }

  /** Writes the file with all that there is now. Logs a failure, does not reject. */
  async persist(): Promise<void> {
    this.#changes++;
    await this.#catchUp();
  }

  /** Writes the file if that has failed before. Logs a failure, does not reject. */
  async retry(): Promise<void> {
    // Only when writing it has failed is it still to be written now.
    if (!this.#scheduled) await this.#catchUp();
  }

  /** Settles when no write runs any more, and the file is as it should be or cannot be. */
  async finish(): Promise<void> {
    await this.#catchUp();
    await this.#writes.idle();
  }

  async #catchUp(): Promise<void> {
    try {
      await this.keeping();
    } catch {
      // It has been reported, and is tried again.
    }
  }

  async #begin(): Promise<void> {
    const changes = this.#changes;
    const end = this.#write(changes);
    this.#running = { changes, end };
    await end;
  }

  async #write(changes: number): Promise<void> {
    try {
      await this.#context.file.persist(this.#context.broker);
    } catch (error) {
      this.#failed(error);
      throw error;
    } finally {
      this.#running = undefined;
    }
    this.#written = changes;
    this.#failure = undefined;
  }

  #failed(error: unknown): void {
    const { health, logger } = this.#context;
    health.stored(error);
    const reason = errorText(error);
    // It is tried again with every sync, and on a full disk said once.
    if (this.#failure === undefined || reason !== errorText(this.#failure)) {
      logger.error(`failed to persist metadata - ${reason}`);
    }
    this.#failure = error;
  }
}
