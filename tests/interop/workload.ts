/**
 * What a third-party client publishes and consumes in the interop tests, in one place for all clients, and what
 * must be true afterwards, by the client's own record and by the server's.
 *
 * ```
 *   number of a message   it is …
 *   …3                    requeued at once, on its first delivery
 *   …007, …057            requeued with a delay, on its first delivery
 *   ….0020                held for longer than its timeout, and touched
 *   …0011                 published with a delay (DPUB)
 *   ..00                  published alone (PUB), all others by MPUB
 * ```
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { MissingError } from "../support/interop.ts";
import type { NsqdProcess } from "../support/nsqd_process.ts";

/** What a client program is told, as JSON in its first argument. */
export interface Workload {
  readonly tcpAddress: string;
  readonly httpAddress: string;
  readonly topic: string;
  readonly channel: string;
  readonly messages: number;
  readonly compression: "none" | "deflate" | "snappy";
  readonly singleEvery: number;
  readonly deferEvery: number;
  readonly deferAt: number;
  readonly deferMs: number;
  readonly requeueEvery: number;
  readonly requeueAt: number;
  readonly delayEvery: number;
  readonly delayAt: number;
  readonly delayMs: number;
  readonly touchEvery: number;
  readonly touchAt: number;
  readonly messageTimeoutMs: number;
  readonly holdMs: number;
}

/** The workload of one client against one server. */
export function workloadFor(
  nsqd: NsqdProcess,
  options: Pick<Workload, "topic" | "messages" | "compression">,
): Workload {
  return {
    tcpAddress: nsqd.tcpAddress,
    httpAddress: nsqd.httpAddress,
    channel: "interop",
    singleEvery: 100,
    deferEvery: 1000,
    deferAt: 11,
    deferMs: 300,
    requeueEvery: 10,
    requeueAt: 3,
    delayEvery: 50,
    delayAt: 7,
    delayMs: 200,
    touchEvery: 2000,
    touchAt: 20,
    messageTimeoutMs: 2000,
    holdMs: 3000,
    ...options,
  };
}

/** What a client program prints in the end. */
interface ClientReport {
  readonly published: number;
  readonly finished: number;
  readonly requeued: number;
  readonly touched: number;
  /** Everything that was not as it must be: attempts, bodies, messages that came too early or too often. */
  readonly problems: readonly string[];
}

/** Checks the client's record of a run. */
export function assertClientReport(stdout: string, workload: Workload): void {
  const report: ClientReport = JSON.parse(stdout);

  assertEquals(report.problems.slice(0, 10), []);
  assertEquals(report.published, workload.messages);
  assertEquals(report.finished, workload.messages);
  assertEquals(report.requeued, requeuesOf(workload));
  assert(report.touched > 0, "no message was touched");
}

/**
 * Checks that both connections were compressed, for a server may decline it and all else would still pass.
 *
 * @throws {MissingError} If the server declines this compression.
 */
export function assertCompressed(nsqd: NsqdProcess, { compression }: Workload): void {
  const upgraded = nsqd.log.match(/upgrading connection to (deflate|snappy)/g) ?? [];
  if (compression !== "none" && upgraded.length === 0) throw new MissingError(`a server with ${compression}`);

  const line = `upgrading connection to ${compression}`;
  assertEquals(upgraded, compression === "none" ? [] : [line, line]);
}

/** Checks the server's record of a run: everything gone, nothing timed out, nothing delivered in secret. */
export async function assertChannelDone(nsqd: NsqdProcess, workload: Workload): Promise<void> {
  const channel = await settledChannel(nsqd, workload);

  assertEquals(channel, {
    depth: 0,
    in_flight_count: 0,
    deferred_count: 0,
    message_count: workload.messages,
    requeue_count: requeuesOf(workload),
    timeout_count: 0,
  });
}

function requeuesOf({ messages, requeueEvery, delayEvery }: Workload): number {
  return messages / requeueEvery + messages / delayEvery;
}

interface ChannelCounts {
  readonly depth: number;
  readonly in_flight_count: number;
  readonly deferred_count: number;
  readonly message_count: number;
  readonly requeue_count: number;
  readonly timeout_count: number;
}

/** The channel's counts, once its last FINs have arrived; FIN has no answer that a client could wait for. */
async function settledChannel(nsqd: NsqdProcess, workload: Workload): Promise<ChannelCounts> {
  const deadline = performance.now() + 5000;
  for (;;) {
    const counts = await channelCounts(nsqd, workload);
    if (counts.in_flight_count === 0 || performance.now() > deadline) return counts;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function channelCounts(nsqd: NsqdProcess, { topic, channel }: Workload): Promise<ChannelCounts> {
  const response = await fetch(
    `http://${nsqd.httpAddress}/stats?format=json&topic=${topic}&channel=${channel}`,
  );
  const stats: { topics: { channels: ChannelCounts[] }[] } = await response.json();
  const { depth, in_flight_count, deferred_count, message_count, requeue_count, timeout_count } =
    stats.topics[0].channels[0];
  return { depth, in_flight_count, deferred_count, message_count, requeue_count, timeout_count };
}
