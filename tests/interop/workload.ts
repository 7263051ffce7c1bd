/**
 * What a third-party client publishes and consumes in the interop tests, in one place for all clients, and what
 * must be true afterwards, by the client's own record and by the server's.
 *
 * ```
 *   number of a message   it is …
 *   …3                    requeued at once, on its first delivery
 *   …007, …057            requeued with a delay, on its first delivery
 *   ….0020                held, and touched; with no layers for longer than its timeout
 *   …0011                 published with a delay (DPUB)
 *   ..00                  published alone (PUB), all others by MPUB
 * ```
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Certificates } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import type { NsqdProcess } from "../support/nsqd_process.ts";

/** What is put on the clients' connections. */
export interface Layers {
  readonly compression: "none" | "deflate" | "snappy";
  /** With `client certificate` the server takes only clients that show one of its authority. */
  readonly tls: "none" | "server certificate" | "client certificate";
}

/** What each client is tried with. */
export const LAYERS: readonly Layers[] = [
  { compression: "none", tls: "none" },
  { compression: "deflate", tls: "none" },
  { compression: "snappy", tls: "none" },
  { compression: "none", tls: "server certificate" },
  { compression: "deflate", tls: "server certificate" },
  { compression: "snappy", tls: "client certificate" },
];

/** What a client program is told, as JSON in its first argument. */
export interface Workload {
  readonly tcpAddress: string;
  readonly httpAddress: string;
  readonly topic: string;
  readonly channel: string;
  readonly messages: number;
  readonly compression: Layers["compression"];
  /** Files in PEM form; without it, no TLS. */
  readonly tls: { readonly caPath: string; readonly certPath: string; readonly keyPath: string } | undefined;
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
  readonly touchIntervalMs: number;
  readonly messageTimeoutMs: number;
  readonly holdMs: number;
}

/**
 * That touching gives more time is seen without layers; a layer has to carry it like all else. No other message may be held
 * for as long as the timeout, on a machine that does other things, too.
 */
const PLAIN_TOUCHES = { touchIntervalMs: 1250, messageTimeoutMs: 5000, holdMs: 6000 };
const LAYERED_TOUCHES = { touchIntervalMs: 250, messageTimeoutMs: 60_000, holdMs: 1000 };

/** The server's flags for these layers. */
export function flagsFor({ tls }: Layers, { ca, server }: Certificates): string[] {
  if (tls === "none") return [];
  // The tests ask for /stats in plain.
  const required = ["--tls-required=tcp-https", "--https-address=127.0.0.1:0"];
  const flags = [`--tls-cert=${server.certPath}`, `--tls-key=${server.keyPath}`, ...required];
  if (tls === "server certificate") return flags;
  return [...flags, `--tls-root-ca-file=${ca.certPath}`, "--tls-client-auth-policy=require-verify"];
}

/** The workload of one client against one server. */
export function workloadFor(
  nsqd: NsqdProcess,
  { topic, layers, certificates: { ca, client } }: {
    readonly topic: string;
    readonly layers: Layers;
    readonly certificates: Certificates;
  },
): Workload {
  const { compression, tls } = layers;
  return {
    tcpAddress: nsqd.tcpAddress,
    httpAddress: nsqd.httpAddress,
    topic,
    channel: "interop",
    messages: messagesFor(layers),
    compression,
    tls: tls === "none"
      ? undefined
      : { caPath: ca.certPath, certPath: client.certPath, keyPath: client.keyPath },
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
    ...isPlain(layers) ? PLAIN_TOUCHES : LAYERED_TOUCHES,
  };
}

/** How many messages there are with these layers. */
export function messagesFor(layers: Layers): number {
  return isPlain(layers) ? 10_000 : 2_000;
}

function isPlain({ compression, tls }: Layers): boolean {
  return compression === "none" && tls === "none";
}

/** The layers in words, for the name of a test. */
export function describeLayers({ compression, tls }: Layers): string {
  return `compression: ${compression}, TLS: ${tls}`;
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

/** Checks that both connections had the layers, for a server may decline them and all else would still pass. */
export async function assertUpgraded(nsqd: NsqdProcess, { compression, tls }: Layers): Promise<void> {
  const expected = [...tls === "none" ? [] : ["TLS"], ...compression === "none" ? [] : [compression]];
  await eventually("the log says so", () => {
    const lines = [...nsqd.log.matchAll(/upgrading connection to (TLS|deflate|snappy)/g)];
    assertEquals(lines.map(([, what]) => what).sort(), [...expected, ...expected].sort());
    return true;
  });
}

/** Checks the server's record of a run: everything gone, nothing timed out, nothing delivered in secret. */
export async function assertChannelDone(nsqd: NsqdProcess, workload: Workload): Promise<void> {
  // FIN has no answer that a client could wait for.
  const channel = await eventually("the last FINs have come", async () => {
    const counts = await channelCounts(nsqd, workload);
    return counts.in_flight_count === 0 && counts;
  });

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

async function channelCounts(nsqd: NsqdProcess, { topic, channel }: Workload): Promise<ChannelCounts> {
  const response = await fetch(
    `http://${nsqd.httpAddress}/stats?format=json&topic=${topic}&channel=${channel}`,
  );
  const stats: { topics: { channels: ChannelCounts[] }[] } = await response.json();
  const { depth, in_flight_count, deferred_count, message_count, requeue_count, timeout_count } =
    stats.topics[0].channels[0];
  return { depth, in_flight_count, deferred_count, message_count, requeue_count, timeout_count };
}
