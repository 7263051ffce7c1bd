/**
 * Runs NSQ's own load programs, bench_writer and bench_reader, against a server, as NSQ's bench script does:
 * first only writing, then only reading what was written.
 *
 * @module
 */

import { startNsqd } from "../tests/support/nsqd_process.ts";

const TOPIC = "sub_bench";
const CHANNEL = "ch";

/** Messages a second of both programs; a reader that ran out of messages has no figure. */
export interface NsqBenchResult {
  readonly writerPerSecond: number;
  readonly readerPerSecond: number | undefined;
}

/** Starts a server, lets the writer and then the reader run for `durationMs` together, and ends the server. */
export async function runNsqBench(
  options: { readonly nsqBin: string; readonly durationMs: number; readonly command: readonly string[] },
): Promise<NsqBenchResult> {
  const { nsqBin, durationMs, command } = options;
  await using nsqd = await startNsqd({ command });
  return await nsqd.run(async () => {
    await post(`http://${nsqd.httpAddress}/topic/create?topic=${TOPIC}`);
    await post(`http://${nsqd.httpAddress}/channel/create?topic=${TOPIC}&channel=${CHANNEL}`);
    // Writing is faster than reading; the writer's longer time makes sure that the reader doesn't run dry.
    const [writeMs, readMs] = [durationMs * 0.6, durationMs * 0.4];
    const writerPerSecond = await runProgram(`${nsqBin}/bench_writer`, nsqd.tcpAddress, writeMs);
    const readerPerSecond = await runProgram(`${nsqBin}/bench_reader`, nsqd.tcpAddress, readMs);
    const dry = await channelDepth(nsqd.httpAddress) === 0;
    await nsqd.kill();
    return { writerPerSecond, readerPerSecond: dry ? undefined : readerPerSecond };
  });
}

async function runProgram(program: string, tcpAddress: string, durationMs: number): Promise<number> {
  const { success, stderr } = await new Deno.Command(program, {
    args: [`--nsqd-tcp-address=${tcpAddress}`, `--runfor=${durationMs}ms`, `--topic=${TOPIC}`],
  }).output();
  const text = new TextDecoder().decode(stderr);
  const rate = /([\d.]+)ops\/s/.exec(text)?.[1];
  if (!success || rate === undefined) throw new Error(`${program} failed: ${text}`);
  return Number(rate);
}

async function post(url: string): Promise<void> {
  const response = await fetch(url, { method: "POST" });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  await response.body?.cancel();
}

async function channelDepth(httpAddress: string): Promise<number> {
  const response = await fetch(`http://${httpAddress}/stats?format=json&topic=${TOPIC}`);
  const stats: { topics: { channels: { depth: number }[] }[] } = await response.json();
  return stats.topics[0].channels[0].depth;
}
