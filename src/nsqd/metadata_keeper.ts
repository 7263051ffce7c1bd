/**
 * When the metadata file is written: soon after topics or channels have come or gone, at once where somebody must be
 * able to rely on it, and again with every sync while a disk refuses it.
 *
 * @module
 */

import type { AsyncGroup } from "../base/async_group.ts";
import { errorText } from "../base/error_text.ts";
import { sleep } from "../base/every.ts";
import type { Logger } from "../base/logger.ts";
import type { Broker } from "../broker/broker.ts";
import type { Health } from "./health.ts";
import type { MetadataFile } from "./metadata.ts";

/** Topics and channels that come at the same time are written to the file together. */
const METADATA_DELAY_MS = 20;

/** What the keeper works with. */
export interface MetadataContext {
  readonly logger: Logger;
  readonly file: MetadataFile;
  readonly broker: Broker;
  readonly health: Pick<Health, "stored">;
  /** Runs what is delayed. */
  readonly tasks: Pick<AsyncGroup, "spawn">;
}

/** Keeps the metadata file as it should be. */
export class MetadataKeeper {
  readonly #context: MetadataContext;
  /** Everything is loaded that the file has. */
  #following = false;
  /** The file is not as it should be. */
  #changed = false;
  #scheduled = false;
  /** What was last said about that, until it could be written. */
  #error = "";

  constructor(context: MetadataContext) {
    this.#context = context;
  }

  /** True when the file could not be written the last time. */
  get failing(): boolean {
    return this.#error !== "";
  }

  /** Everything is loaded: what there is is written, and so is what changes from now on. */
  follow(): void {
    this.#following = true;
    // Unlike NSQ, which does not start on a full disk: what is there can be consumed, which makes room.
    this.persist();
  }

  /** Topics or channels that are kept have come or gone. */
  changed(): void {
    if (!this.#following) return;
    this.#changed = true;
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#context.tasks.spawn("metadata", async (signal) => {
      await sleep(METADATA_DELAY_MS, signal);
      this.#scheduled = false;
      if (this.#changed) this.persist();
    });
  }

  /** Writes the file now. Logs a failure, does not throw it. */
  persist(): void {
    try {
      this.#persist();
    } catch (error) {
      const { health, logger } = this.#context;
      health.stored(error);
      const text = errorText(error);
      // It is tried again with every sync, and on a full disk said once.
      if (text !== this.#error) logger.error(`failed to persist metadata - ${text}`);
      this.#error = text;
    }
  }

  /** Writes the file if it is not as it should be: nothing is kept of what it does not know. Throws when it cannot. */
  persistChanges(): void {
    if (this.#changed) this.#persist();
  }

  /** Writes the file if that has failed before. */
  retry(): void {
    // Only when writing it has failed is it still to be written now.
    if (this.#changed && !this.#scheduled) this.persist();
  }

  #persist(): void {
    this.#changed = false;
    try {
      this.#context.file.persist(this.#context.broker);
      this.#error = "";
    } catch (error) {
      this.#changed = true;
      throw error;
    }
  }
}
