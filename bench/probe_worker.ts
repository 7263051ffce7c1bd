/**
 * Asks a server for a small answer at a steady pace, from a thread of its own, so that neither the load nor the
 * measuring program delays it, and records how long each answer took. Its own lateness, the time by which the
 * timer woke it too late, shows how much of that is the machine's scheduling.
 *
 * A probe that waits for its answer holds up the following ones; those are counted with the time that they
 * would have waited, for else a stall of a second would be one slow probe among thousands of fast ones.
 *
 * @module
 */

/// <reference lib="deno.worker" />

import { LatencyHistogram, type LatencySummary } from "./histogram.ts";

/** How the server is asked. */
export interface ProbeOptions {
  /** A publish to a topic of its own over TCP, or a GET of /ping. */
  readonly kind: "tcp" | "http";
  readonly address: string;
  readonly intervalMs: number;
}

/** What the worker is told: start, or end a phase and start the next. */
export type ProbeRequest = { readonly start: ProbeOptions } | { readonly endPhase: true };

/** The answers of the server during one phase, and the lateness of the probing itself. */
export interface ProbePhase {
  readonly answers: LatencySummary | undefined;
  readonly lateness: LatencySummary | undefined;
}

const answers = new LatencyHistogram();
const lateness = new LatencyHistogram();
/** The question that waits for its answer. */
let asking: Promise<unknown> = Promise.resolve();

self.onmessage = async (event: MessageEvent<ProbeRequest>) => {
  const request = event.data;
  if ("start" in request) {
    // A rejection ends the worker and reaches the main thread as its error event.
    probe(request.start);
  } else {
    await asking;
    const phase: ProbePhase = { answers: answers.summary(), lateness: lateness.summary() };
    answers.reset();
    lateness.reset();
    self.postMessage(phase);
  }
};

async function probe(options: ProbeOptions): Promise<void> {
  const colon = options.address.lastIndexOf(":");
  const [hostname, port] = [options.address.slice(0, colon), Number(options.address.slice(colon + 1))];
  const conn = await Deno.connect({ hostname, port });
  conn.setNoDelay(true);
  const question = new TextEncoder().encode(options.kind === "tcp" ? PUBLISH : PING);
  const answer = new Uint8Array(4096);
  if (options.kind === "tcp") {
    await conn.write(new TextEncoder().encode(WITHOUT_HEARTBEATS));
    await conn.read(answer);
  }
  for (;;) {
    const dueAt = performance.now() + options.intervalMs;
    await new Promise((resolve) => setTimeout(resolve, options.intervalMs));
    const askedAt = performance.now();
    lateness.record(askedAt - dueAt);
    await conn.write(question);
    // Both answers are far smaller than the buffer and come in one piece.
    const reading = conn.read(answer);
    asking = reading;
    if (await reading === null) return;
    for (let ms = performance.now() - askedAt; ms > 0; ms -= options.intervalMs) answers.record(ms);
  }
}

/** A heartbeat would be taken for an answer. */
const WITHOUT_HEARTBEATS = '  V2IDENTIFY\n\0\0\0\x19{"heartbeat_interval":-1}';
const PUBLISH = "PUB probe#ephemeral\n\0\0\0\x05probe";
const PING = "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n";
