/**
 * A stretch of time in the life of a server, seen from outside: what its process used, and what others waited for
 * meanwhile.
 *
 * @module
 */

import type { Probe } from "./probe.ts";
import type { ProbePhase } from "./probe_worker.ts";
import { type ProcessUsage, readProcessUsage } from "./process_usage.ts";

const RSS_INTERVAL_MS = 50;
const NOTHING: ProcessUsage = { cpuSeconds: 0, readBytes: 0, rssBytes: 0, peakRssBytes: 0 };

/** What was measured. */
export interface Phase {
  readonly name: string;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** What the process has read, from files and sockets. */
  readonly readBytes: number;
  readonly startRssBytes: number;
  /** The greatest RSS, looked at every 50 ms. */
  readonly peakRssBytes: number;
  readonly endRssBytes: number;
  /** What each of the probes saw. */
  readonly probes: readonly ProbePhase[];
}

/** Does the work, and measures meanwhile. */
export async function measurePhase(
  { name, pid, probes, work }: {
    readonly name: string;
    readonly pid: number;
    readonly probes: readonly Probe[];
    readonly work: () => Promise<void>;
  },
): Promise<Phase> {
  const before = readProcessUsage(pid) ?? NOTHING;
  let peakRssBytes = before.rssBytes;
  const sample = () => {
    const usage = readProcessUsage(pid) ?? NOTHING;
    peakRssBytes = Math.max(peakRssBytes, usage.rssBytes);
    return usage;
  };
  const timer = setInterval(sample, RSS_INTERVAL_MS);
  try {
    const startedAt = performance.now();
    await work();
    const seconds = (performance.now() - startedAt) / 1000;
    // A probe that waits for its answer has a part in this phase, and says so first.
    const seen = await Promise.all(probes.map((probe) => probe.endPhase()));
    const after = sample();
    return {
      name,
      seconds,
      cpuSeconds: after.cpuSeconds - before.cpuSeconds,
      readBytes: after.readBytes - before.readBytes,
      startRssBytes: before.rssBytes,
      peakRssBytes,
      endRssBytes: after.rssBytes,
      probes: seen,
    };
  } finally {
    clearInterval(timer);
  }
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
