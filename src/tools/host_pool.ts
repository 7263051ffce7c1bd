/**
 * Which of several destinations gets the next message. Pure; time and chance are passed in.
 *
 * - `round-robin`: each in turn.
 * - `hostpool`: each in turn that works. One that has failed rests for 30 s, and for twice as long each time that it still
 *   fails, up to 15 minutes. When all rest, all are tried.
 * - `epsilon-greedy`: mostly by chance, the faster the more often; now and then any, to learn how fast it is.
 *
 * @module
 */

/** How destinations are chosen. */
export type PoolMode = "round-robin" | "hostpool" | "epsilon-greedy";

const RETRY_MIN_MS = 30_000;
const RETRY_MAX_MS = 900_000;

const EPSILON_FIRST = 0.3;
const EPSILON_DECAY = 0.9;
const EPSILON_MIN = 0.01;
/** What is known of a destination's speed is forgotten in 5 minutes, a bucket at a time. */
const BUCKETS = 120;
const BUCKET_MS = 300_000 / BUCKETS;

interface Host {
  readonly name: string;
  /** Undefined while it works. */
  retryAtMs: number | undefined;
  retryDelayMs: number;
  /** For each bucket, how many answers there were, and how long they took together, in ms. */
  readonly counts: Float64Array;
  readonly sumsMs: Float64Array;
}

/** Destinations. */
export class HostPool {
  readonly #hosts: readonly Host[];
  readonly #mode: PoolMode;
  readonly #random: () => number;
  #next: number;
  #epsilon = EPSILON_FIRST;
  #bucket = 0;
  #bucketEndMs = NaN;

  constructor(names: readonly string[], mode: PoolMode, random: () => number = Math.random) {
    this.#hosts = names.map((name) => ({
      name,
      retryAtMs: undefined,
      retryDelayMs: RETRY_MIN_MS,
      counts: new Float64Array(BUCKETS),
      sumsMs: new Float64Array(BUCKETS),
    }));
    this.#mode = mode;
    this.#random = random;
    // NSQ compat: in turn means from the second on.
    this.#next = mode === "round-robin" ? 1 : 0;
  }

  /** The name of the one to try. */
  pick(nowMs: number): string {
    if (this.#mode === "round-robin") return this.#hosts[this.#next++ % this.#hosts.length].name;
    return this.#mode === "hostpool" ? this.#inTurn(nowMs) : this.#byChance(nowMs);
  }

  /** Tells what has come of a try. */
  mark(name: string, { failed, tookMs, nowMs }: {
    readonly failed: boolean;
    readonly tookMs: number;
    readonly nowMs: number;
  }): void {
    const host = this.#hosts.find((host) => host.name === name);
    if (host === undefined) return;
    if (!failed) {
      host.retryAtMs = undefined;
      this.#turnBuckets(nowMs);
      host.counts[this.#bucket]++;
      host.sumsMs[this.#bucket] += tookMs;
    } else if (host.retryAtMs === undefined) {
      host.retryDelayMs = RETRY_MIN_MS;
      host.retryAtMs = nowMs + RETRY_MIN_MS;
    }
  }

  #inTurn(nowMs: number): string {
    const count = this.#hosts.length;
    for (let i = 0; i < count; i++) {
      const at = (this.#next + i) % count;
      const host = this.#hosts[at];
      if (!canTry(host, nowMs)) continue;
      this.#next = at + 1;
      return tried(host, nowMs).name;
    }
    for (const host of this.#hosts) host.retryAtMs = undefined;
    this.#next = 0;
    return this.#hosts[0].name;
  }

  #byChance(nowMs: number): string {
    this.#turnBuckets(nowMs);
    if (this.#random() < this.#epsilon) {
      this.#epsilon = Math.max(EPSILON_MIN, this.#epsilon * EPSILON_DECAY);
      return this.#inTurn(nowMs);
    }
    const known = this.#hosts.filter((host) => canTry(host, nowMs)).flatMap((host) => {
      const averageMs = this.#averageMs(host);
      return averageMs > 0 ? [{ host, weight: 1 / averageMs }] : [];
    });
    let left = this.#random() * known.reduce((sum, { weight }) => sum + weight, 0);
    for (const { host, weight } of known) {
      left -= weight;
      if (left <= 0) return tried(host, nowMs).name;
    }
    return this.#inTurn(nowMs);
  }

  /** How long answers took of late; the newer, the more they count. */
  #averageMs({ counts, sumsMs }: Host): number {
    let value = 0;
    let last = 0;
    for (let i = 1; i <= BUCKETS; i++) {
      const at = (this.#bucket + i) % BUCKETS;
      if (counts[at] > 0) last = sumsMs[at] / counts[at];
      value += last * i / BUCKETS;
    }
    return value;
  }

  #turnBuckets(nowMs: number): void {
    if (Number.isNaN(this.#bucketEndMs)) this.#bucketEndMs = nowMs + BUCKET_MS;
    for (let i = 0; i < BUCKETS && this.#bucketEndMs <= nowMs; i++) {
      this.#bucket = (this.#bucket + 1) % BUCKETS;
      this.#bucketEndMs += BUCKET_MS;
      for (const { counts, sumsMs } of this.#hosts) {
        counts[this.#bucket] = 0;
        sumsMs[this.#bucket] = 0;
      }
    }
    if (this.#bucketEndMs <= nowMs) this.#bucketEndMs = nowMs + BUCKET_MS;
  }
}

function canTry({ retryAtMs }: Host, nowMs: number): boolean {
  return retryAtMs === undefined || retryAtMs < nowMs;
}

/** One that has failed is tried again, and rests for longer if that fails, too. */
function tried(host: Host, nowMs: number): Host {
  if (host.retryAtMs === undefined) return host;
  host.retryDelayMs = Math.min(2 * host.retryDelayMs, RETRY_MAX_MS);
  host.retryAtMs = nowMs + host.retryDelayMs;
  return host;
}
