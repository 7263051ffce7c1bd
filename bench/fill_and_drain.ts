/**
 * Fills a topic with messages, and takes them out of a channel again, as fast as the server can: what the measurements
 * of backlogs begin and end with.
 *
 * @module
 */

import { AsyncGroup } from "../src/base/async_group.ts";
import { type ConsumerOptions, LoadConsumer } from "./load_consumer.ts";
import { LoadPublisher } from "./load_publisher.ts";

const CONNECTIONS = 2;
/** Messages in an MPUB, and bytes of their bodies, at most, unless another number is asked for. */
const BATCH_MAX = 200;
const BATCH_BYTES_MAX = 1024 * 1024;
const WINDOW = 4;
/** Of messages that are published one by one. */
const WINDOW_SINGLE = 500;
const RDY = 2500;
const BUFFER_BYTES = 1024 * 1024;

/** What a topic is filled with. */
export interface Filling {
  readonly topic: string;
  /** So many at least: whole batches are published. */
  readonly messages: number;
  readonly sizeBytes: number;
  /** Messages in an MPUB; 1 is PUB. @default {200, or as many as are 1 MiB} */
  readonly batch?: number;
  /** Every message is deferred by so much. */
  readonly deferMs?: number | undefined;
}

/** Where messages are taken from. */
export type Draining = Pick<ConsumerOptions, "topic" | "channel" | "requeue"> & {
  /** The largest body, in bytes. @default {200} */
  readonly sizeBytes?: number;
};

/** Publishes; settles when all of it is answered. */
export async function fill(tcpAddress: string, filling: Filling): Promise<void> {
  const { deferMs, messages, sizeBytes } = filling;
  const connections = Math.min(CONNECTIONS, messages);
  const share = Math.ceil(messages / connections);
  const batchMax = Math.min(BATCH_MAX, Math.max(1, Math.floor(BATCH_BYTES_MAX / sizeBytes)));
  const batch = deferMs === undefined ? Math.min(filling.batch ?? batchMax, share) : 1;
  await using work = new AsyncGroup();
  for (let i = 0; i < connections; i++) {
    const publisher = await LoadPublisher.open(tcpAddress, {
      ...filling,
      batch,
      window: batch === 1 ? WINDOW_SINGLE : WINDOW,
      stamped: false,
      messages: share,
    });
    work.spawn("publisher", async (signal) => {
      await publisher.run(signal);
      publisher.close();
    });
  }
  await work.wait();
}

/** Connects consumers, which also makes the channel; they are to be run or closed. */
export async function openConsumers(
  tcpAddress: string,
  draining: Draining,
  connections = CONNECTIONS,
): Promise<LoadConsumer[]> {
  const bufferBytes = BUFFER_BYTES + 2 * (draining.sizeBytes ?? 0);
  const options = { ...draining, rdy: RDY, stamped: false, bufferBytes };
  const consumers = [];
  for (let i = 0; i < connections; i++) consumers.push(await LoadConsumer.open(tcpAddress, options));
  return consumers;
}

/** Makes the channel: messages that are published from now on wait in it. */
export async function makeChannel(tcpAddress: string, draining: Draining): Promise<void> {
  for (const consumer of await openConsumers(tcpAddress, draining, 1)) consumer.close();
}

/** Consumes until so many messages have come that were not delivered before. */
export async function drain(
  tcpAddress: string,
  draining: Draining & { readonly messages: number; readonly connections?: number },
): Promise<void> {
  const consumers = await openConsumers(tcpAddress, draining, draining.connections);
  await using work = new AsyncGroup();
  for (const consumer of consumers) {
    consumer.onProgress = () => {
      const firsts = consumers.reduce(
        (total, { received, redelivered }) => total + received - redelivered,
        0,
      );
      if (firsts >= draining.messages) { for (const each of consumers) each.close(); }
    };
    work.spawn("consumer", () => consumer.run());
  }
  await work.wait();
}
