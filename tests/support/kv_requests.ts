/**
 * What tests of the queue on a database ask of it.
 *
 * @module
 */
import { assertInstanceOf } from "@std/assert";
import { HttpError } from "../../src/http/http_error.ts";
import type { LeasedMessage, Place, Queue, ReceiveWish } from "../../src/nsqd/queue/queue.ts";

/** The channel that is used. */
export const PLACE: Place = { topic: "t", channel: "c" };
/** Who asks. */
export const CLIENT = {
  remoteAddress: "127.0.0.1:1234",
  userAgent: "test/1",
  name: undefined,
  signal: new AbortController().signal,
};

/** Makes the channel, and publishes the texts one by one but at once. */
export async function publish(
  { queue }: { readonly queue: Queue },
  ...texts: readonly string[]
): Promise<void> {
  await queue.createTopic(PLACE.topic);
  await queue.createChannel(PLACE);
  const bodies = texts.map((text) => new TextEncoder().encode(text));
  await Promise.all(bodies.map((body) => queue.publish(PLACE.topic, body, { deferMs: 0 })));
}

/** Receives what is there, for a minute. */
export function receive(
  { queue }: { readonly queue: Queue },
  wish: Partial<ReceiveWish> = {},
  place = PLACE,
): Promise<readonly LeasedMessage[]> {
  const all = { max: 10, bytesMax: 1024 * 1024, waitMs: 0, timeoutMs: 60_000, client: CLIENT };
  return queue.receive(place, { ...all, ...wish });
}

/** The bodies as texts. */
export function textsOf(messages: readonly LeasedMessage[]): string[] {
  return messages.map(({ body }) => new TextDecoder().decode(body));
}

/** Status and message of what is refused. */
export async function refusalOf(request: Promise<unknown>): Promise<[status: number, message: string]> {
  const error = await request.then(() => new Error("It was not refused"), (error: unknown) => error);
  assertInstanceOf(error, HttpError);
  return [error.status, error.message];
}
