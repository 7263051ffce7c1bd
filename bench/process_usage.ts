/**
 * What a process has used so far, read from Linux's /proc: processor time, reads and memory. Works on any process of
 * the machine and needs nothing from it, so the server under load doesn't measure itself.
 *
 * @module
 */

/** Linux counts processor time in hundredths of a second, on every architecture that Deno runs on. */
const TICKS_PER_SECOND = 100;

/** Processor time, reads and memory of a process. */
export interface ProcessUsage {
  readonly cpuSeconds: number;
  /** What it has read, from files and sockets, whether or not the disk had to move. */
  readonly readBytes: number;
  readonly rssBytes: number;
  /** The greatest RSS since the process started. */
  readonly peakRssBytes: number;
}

/** Reads the usage of a process, or nothing where there is no /proc or no such process. */
export function readProcessUsage(pid: number): ProcessUsage | undefined {
  try {
    return {
      cpuSeconds: cpuSeconds(Deno.readTextFileSync(`/proc/${pid}/stat`)),
      readBytes: Number(/^rchar: (\d+)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/io`))?.[1]),
      ...memory(Deno.readTextFileSync(`/proc/${pid}/status`)),
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function cpuSeconds(stat: string): number {
  // The second field is the program's name in brackets and may hold anything, so counting starts behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const userTicks = Number(fields[11]);
  const systemTicks = Number(fields[12]);
  return (userTicks + systemTicks) / TICKS_PER_SECOND;
}

function memory(status: string): { rssBytes: number; peakRssBytes: number } {
  return { rssBytes: kibField(status, "VmRSS") * 1024, peakRssBytes: kibField(status, "VmHWM") * 1024 };
}

function kibField(status: string, name: string): number {
  const line = status.split("\n").find((text) => text.startsWith(`${name}:`));
  return line === undefined ? 0 : Number.parseInt(line.slice(name.length + 1), 10);
}
