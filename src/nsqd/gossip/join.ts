/**
 * Joining the cluster through the seeds. A seed that could not be reached is tried again, and so are all of them when
 * a member has gone: a seed that starts anew has no seed to join, so it is up to the others to find it. After the
 * agent was lost, members known from before are joined, too.
 *
 * @module
 */

import { Backoff } from "../../base/backoff.ts";
import { Bell } from "../../base/bell.ts";
import type { Logger } from "../../base/logger.ts";
import { SerfError } from "../../cluster/serf_records.ts";
import type { SerfLink, SerfWorld } from "./link.ts";

/** What is joined, and with what. */
export interface GossipJoinOptions {
  readonly world: SerfWorld;
  readonly logger: Logger;
  readonly seeds: readonly string[];
  /** Addresses of up to so many members that are known from before. */
  readonly knownAddresses: (countMax: number) => string[];
}

/** Waits before seeds are tried again that could not be reached, or have gone. NSQ always waits for 15 s. */
const RETRY_DELAY_MIN_MS = 1000;
const RETRY_DELAY_MAX_MS = 15_000;
/** How often they are joined though nobody has gone, so that no split lasts that nobody has noticed. */
const REJOIN_INTERVAL_MS = 60 * 60 * 1000;
const KNOWN_MAX = 5;

/** Joins the cluster. */
export class GossipJoin {
  readonly #options: GossipJoinOptions;
  readonly #bell = new Bell();
  #problem: string | undefined;
  #complaint = "";

  constructor(options: GossipJoinOptions) {
    this.#options = options;
  }

  /** Why no seed was joined, when that was last tried. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** A member has gone, which may be a seed. */
  memberGone(): void {
    this.#bell.ring();
  }

  /** Joins, and joins again when there is reason to, until the connection ends. */
  async join(link: SerfLink): Promise<void> {
    const { world: { timers }, seeds, knownAddresses } = this.#options;
    const { signal } = link;
    const backoff = new Backoff({ minMs: RETRY_DELAY_MIN_MS, maxMs: RETRY_DELAY_MAX_MS });
    await this.#joinKnown(link, knownAddresses(KNOWN_MAX));
    while (!signal.aborted && seeds.length > 0) {
      if (await this.#joinSeeds(link)) {
        backoff.reset();
        await this.#bell.wait(timers, REJOIN_INTERVAL_MS, signal);
      }
      await timers.sleep(backoff.next(), signal);
    }
  }

  async #joinKnown(link: SerfLink, known: readonly string[]): Promise<void> {
    if (known.length === 0) return;
    const { logger } = this.#options;
    try {
      logger.info(`SERF: joined ${await this.#ask(link, known)} nodes again`);
    } catch (error) {
      if (!(error instanceof SerfError)) throw error;
      logger.debug(`SERF: ${error.message}`);
    }
  }

  /** True when all were reached. */
  async #joinSeeds(link: SerfLink): Promise<boolean> {
    const { logger, seeds } = this.#options;
    try {
      const count = await this.#ask(link, seeds);
      this.#problem = undefined;
      if (count >= seeds.length) {
        logger.info(`SERF: joined ${count} nodes`);
        this.#complaint = "";
        return true;
      }
      this.#complain(`joined ${count} of ${seeds.length} seeds only`);
    } catch (error) {
      if (!(error instanceof SerfError)) throw error;
      if (link.signal.aborted) return false;
      this.#problem = `no seed can be joined: ${error.message}`;
      this.#complain(`failed to join serf - ${error.message}`);
    }
    return false;
  }

  /** Said when it is new: seeds may be away for long. */
  #complain(text: string): void {
    if (text !== this.#complaint) this.#options.logger.error(`SERF: ${text}`);
    this.#complaint = text;
  }

  /** Has a connection of its own, because an agent takes up to 10 s for each address, and meanwhile no other request. */
  async #ask({ endpoint, signal }: SerfLink, addresses: readonly string[]): Promise<number> {
    const client = await this.#options.world.connect(endpoint);
    const close = () => void client.close();
    signal.addEventListener("abort", close);
    if (signal.aborted) close();
    try {
      // With the latest events: what there is need not be waited for until it is told anew.
      return await client.join(addresses, { replay: true });
    } finally {
      signal.removeEventListener("abort", close);
      await client.close();
    }
  }
}
