/**
 * What every program tells of itself in its metrics: the process, under the names that all exporters have, and its event loop.
 * What the machine or the runtime's permissions do not let it see is left out.
 *
 * @module
 */
import { labelText, type MetricFamily, single } from "../base/exposition.ts";
import type { LoopLag } from "../base/loop_lag.ts";
import { DENOSQ_VERSION, NSQ_VERSION } from "../base/version.ts";
import { descriptorLimit } from "../net/descriptors.ts";

const US_PER_S = 1e6;

/** The versions, of a program whose metrics' names begin so. */
export function buildInfo(prefix: string): MetricFamily {
  const labels = labelText({ version: NSQ_VERSION, denosq: DENOSQ_VERSION, deno: Deno.version.deno });
  return {
    name: `${prefix}_build_info`,
    type: "gauge",
    help: "1, with the versions as labels.",
    series: [{ labels, value: 1 }],
  };
}

/** The process, of a program that was started then and whose metrics' names begin so. */
export async function processMetrics(
  { prefix, startMs, lag }: { readonly prefix: string; readonly startMs: number; readonly lag: LoopLag },
): Promise<MetricFamily[]> {
  const { default: process } = await import("node:process");
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, heapTotal, external } = Deno.memoryUsage();
  const open = await openDescriptors();
  const limit = descriptorLimit();
  return [
    single("counter", "process_cpu_seconds_total", "Processor time used, in s.", (user + system) / US_PER_S),
    single("gauge", "process_resident_memory_bytes", "Memory of the process.", rss),
    single("gauge", "process_start_time_seconds", "When it was started, in s since 1970.", startMs / 1000),
    ...open === undefined ? [] : [single("gauge", "process_open_fds", "Open file descriptors.", open)],
    ...limit === undefined
      ? []
      : [single("gauge", "process_max_fds", "File descriptors that may be open.", limit)],
    single("gauge", `${prefix}_heap_used_bytes`, "Memory in use on the runtime's heap.", heapUsed),
    single("gauge", `${prefix}_heap_bytes`, "Size of the runtime's heap.", heapTotal),
    single(
      "gauge",
      `${prefix}_external_memory_bytes`,
      "Memory in use outside of the heap, messages above all.",
      external,
    ),
    {
      name: `${prefix}_event_loop_lag_seconds`,
      type: "histogram",
      help: "How late the event loop comes to what is due.",
      series: [{ labels: "", value: lag.histogram }],
    },
  ];
}

async function openDescriptors(): Promise<number | undefined> {
  let count = 0;
  try {
    for await (const _ of Deno.readDir("/proc/self/fd")) count++;
  } catch (error) {
    // Not every system has it, and under Deno's permissions it takes all of them.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
  // The folder itself was one of them.
  return count - 1;
}
