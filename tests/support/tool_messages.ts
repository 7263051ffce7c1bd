/**
 * Messages for tools to take, and those that tools have published.
 *
 * @module
 */

import { Consumer, Producer } from "../../src/client/mod.ts";
import type { NsqdInProcess } from "./nsqd_in_process.ts";

/** Publishes messages to a topic that has the channel `ch`. */
export async function publish(
  nsqd: NsqdInProcess,
  topic: string,
  bodies: readonly (string | Uint8Array)[],
): Promise<void> {
  await createChannel(nsqd, topic, "ch");
  await using producer = new Producer({ nsqd: [nsqd.tcpAddress] });
  await producer.publishMany(topic, bodies);
}

/** Makes a topic and a channel of it. */
export async function createChannel(nsqd: NsqdInProcess, topic: string, channel: string): Promise<void> {
  for (const path of [`/topic/create?topic=${topic}`, `/channel/create?topic=${topic}&channel=${channel}`]) {
    const response = await fetch(`${nsqd.httpUrl}${path}`, { method: "POST" });
    await response.body?.cancel();
  }
}

/** Takes so many messages of a topic, by the channel `ch`. */
export async function take(nsqd: NsqdInProcess, topic: string, count: number): Promise<string[]> {
  await using consumer = new Consumer(topic, "ch", { nsqd: [nsqd.tcpAddress] });
  const bodies: string[] = [];
  if (count === 0) return bodies;
  for await (const message of consumer) {
    bodies.push(message.text());
    message.finish();
    if (bodies.length === count) break;
  }
  return bodies;
}
