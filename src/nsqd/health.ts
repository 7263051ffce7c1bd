/**
 * Whether this nsqd can do what it is there for, as `/ping`, `/stats` and `/health/ready` say it.
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import type { Logger } from "../base/logger.ts";
import { oneLine } from "../base/one_line.ts";
import type { Readiness } from "../http/health_pages.ts";
import type { DataPath } from "../storage/data_path.ts";
import type { DrainProgress } from "./drain.ts";

/** What nsqd is doing as a whole. */
export type Phase = "loading" | "running" | "draining" | "stopping";

/** What health depends on besides the disk. */
export interface HealthContext {
  readonly logger: Logger;
  readonly dataPath: Pick<DataPath, "path" | "probe">;
  /** Why no message can be taken, if that is so. */
  readonly memoryProblem: string | undefined;
  /** What is wrong with gossip, if something is. */
  readonly gossipProblem: string | undefined;
  /** How far the drain is, if there is one. */
  readonly drain: DrainProgress | undefined;
}

/** Knows what is wrong. */
export class Health {
  phase: Phase = "loading";
  readonly #context: HealthContext;
  #storeError: unknown;
  /** Throws as long as the store cannot be opened that could not be the last time. */
  #tryAgain: (() => void) | undefined;

  constructor(context: HealthContext) {
    this.#context = context;
  }

  /** "OK", or "NOK - " and why. */
  get text(): string {
    if (this.phase === "loading") return "NOK - loading";
    if (this.#storeError !== undefined) return `NOK - ${errorText(this.#storeError)}`;
    const { memoryProblem, gossipProblem } = this.#context;
    if (memoryProblem !== undefined) return `NOK - ${memoryProblem}`;
    // It may have names in it that other members have chosen.
    return gossipProblem === undefined ? "OK" : `NOK - gossip unhealthy: ${oneLine(gossipProblem)}`;
  }

  /** Whether clients can be served. Without gossip they can; that it is not well `text` says. */
  get readiness(): Readiness {
    const { memoryProblem, drain } = this.#context;
    const reasons: string[] = this.phase === "running" ? [] : [this.phase];
    if (this.#storeError !== undefined) reasons.push(`disk: ${errorText(this.#storeError)}`);
    if (memoryProblem !== undefined) reasons.push(`memory: ${memoryProblem}`);
    return { ready: reasons.length === 0, state: this.phase, reasons, drain };
  }

  /** Something could not be written the last time it was tried. */
  get storeFails(): boolean {
    return this.#storeError !== undefined;
  }

  /** Something was written, or could not be: the error says why. */
  stored(error: unknown): void {
    if (error !== undefined || this.#tryAgain === undefined) this.#storeError = error;
  }

  /** A store could not be opened: that is so until `tryAgain` does not throw, whatever else can be written. */
  unopened(error: unknown, tryAgain: () => void): void {
    this.#storeError = error;
    this.#tryAgain = tryAgain;
  }

  /** Whether what was wrong with the disk still is: perhaps nobody publishes any more who would find out. */
  async probe(): Promise<void> {
    const { dataPath, logger } = this.#context;
    try {
      await dataPath.probe();
      this.#tryAgain?.();
      this.#tryAgain = undefined;
      this.#storeError = undefined;
      logger.info(`NSQ: ${dataPath.path} can be written to again`);
    } catch (error) {
      this.#storeError = error;
    }
  }
}
