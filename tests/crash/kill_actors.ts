/**
 * What those have in common who publish to and consume from a server that will be killed: the record that they tell
 * everything, and the time.
 *
 * @module
 */

import { isEnd, type KillClient } from "./kill_client.ts";
import type { KillRecord } from "./kill_record.ts";

/** What actors share. */
export interface Work {
  readonly tcpAddress: string;
  readonly httpAddress: string;
  readonly record: KillRecord;
  readonly longDeferrals: boolean;
  /** The server's, for consumers that ask for none. */
  readonly msgTimeoutMs: number;
  /** The server is about to end, or has ended: from now on everything may fail. */
  ending: boolean;
  /** How long publishers have waited for answers. */
  readonly waits: { readonly atMs: number; readonly ms: number }[];
  /** Publishes that have no answer yet, by the time they were sent at. */
  readonly unanswered: Set<{ readonly sentMs: number }>;
  /** Connections of consumers. */
  readonly clients: Set<KillClient>;
}

/** Of a message that is deferred, or requeued, for a short time. */
export const DELAY_MAX_MS = 1000;

/** Now, in ms since 1970 with fractions. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Lets time pass. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Makes a channel; the others that there are come before it. */
export async function makeChannel(topic: string, channel: string, work: Work): Promise<void> {
  const { record, httpAddress } = work;
  record.channelBegun(topic, channel, nowMs());
  // Nobody may have published to it yet.
  await post(`http://${httpAddress}/topic/create?topic=${topic}`, "");
  const answer = await post(`http://${httpAddress}/channel/create?topic=${topic}&channel=${channel}`, "");
  if (answer?.status === 200) record.channelMade(topic, channel, nowMs());
  else ended(`/channel/create was answered by ${answer?.status} ${answer?.text}`, work);
}

/** Posts; undefined when the server has gone. */
export async function post(
  url: string,
  body: BodyInit,
): Promise<{ status: number; text: string } | undefined> {
  try {
    const response = await fetch(url, { method: "POST", body });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    // All that `fetch` says of a connection that has ended.
    if (error instanceof TypeError || isEnd(error)) return undefined;
    throw error;
  }
}

/** Something has ended or failed: that is to be expected only when the server ends. */
export function ended(what: string, work: Work): void {
  if (!work.ending) work.record.violations.push(`${what}, though the server runs`);
}
