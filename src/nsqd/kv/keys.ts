/**
 * Where everything is in the database. All keys begin with `nsq` and the number of this layout; `vs` is a versionstamp, the
 * place of a commit among all others, which the database puts there itself. So what is published has its order without
 * anything being read, and two who publish are never in each other's way.
 *
 * ```
 *  t topic                      the topic: its channels, what is paused, where each begins (topic_record.ts)
 *  i topic vs                   a chunk of messages (chunk.ts)
 *  d topic dueMs vs             the same, of messages that were deferred when they were published
 *  b topic part vs              the chunk's bytes, of a large message in parts
 *  s topic channel vs           what has become of the chunk's messages in the channel (chunk_state.ts); absent: nothing yet
 *  n topic messages|bytes       how much was ever published: a sum
 *  n topic what channel         how many were finished, requeued, timed out: sums
 *  x topic [channel]            what is older than this record is to be removed
 * ```
 *
 * @module
 */

/** Begins every key; the number changes when an older program could not read what is there. */
const ROOT = ["nsq", 1] as const;

/** Characters of a versionstamp: 10 bytes in hexadecimal. */
export const VERSIONSTAMP_LENGTH = 20;
/** Before every versionstamp. */
export const BEGINNING = "";

/** Names of topics, as they are in keys. */
export function topicsPrefix(): Deno.KvKey {
  return [...ROOT, "t"];
}

/** The record of a topic. */
export function topicKey(topic: string): Deno.KvKey {
  return [...ROOT, "t", topic];
}

/** The entries of chunks that could be delivered at once. */
export function chunksPrefix(topic: string): Deno.KvKey {
  return [...ROOT, "i", topic];
}

/** The entries of chunks that were deferred, by when they are due. */
export function deferredPrefix(topic: string): Deno.KvKey {
  return [...ROOT, "d", topic];
}

/** What the entry of a chunk is kept under, without its versionstamp; due at 0 is at once. */
export function entryPrefix(topic: string, dueMs: number): Deno.KvKey {
  return dueMs === 0 ? chunksPrefix(topic) : [...deferredPrefix(topic), dueMs];
}

/** What a part of a chunk's bytes is kept under, without the versionstamp. */
export function partPrefix(topic: string, part: number): Deno.KvKey {
  return [...ROOT, "b", topic, part];
}

/** The states of chunks in a channel. */
export function statesPrefix(topic: string, channel?: string): Deno.KvKey {
  return channel === undefined ? [...ROOT, "s", topic] : [...ROOT, "s", topic, channel];
}

/** The state of a chunk in a channel. */
export function stateKey(topic: string, channel: string, versionstamp: string): Deno.KvKey {
  return [...statesPrefix(topic, channel), versionstamp];
}

/** A number of the topic that only grows. */
export function topicCountKey(topic: string, what: "messages" | "bytes"): Deno.KvKey {
  return [...ROOT, "n", topic, what];
}

/** A number of the channel that only grows. */
export function channelCountKey(
  { topic, channel }: { readonly topic: string; readonly channel: string },
  what: "finished" | "requeued" | "timedOut",
): Deno.KvKey {
  return [...ROOT, "n", topic, what, channel];
}

/** What is to be removed. */
export function removalsPrefix(): Deno.KvKey {
  return [...ROOT, "x"];
}

/** What is to be removed of a topic, or of a channel. */
export function removalKey(topic: string, channel?: string): Deno.KvKey {
  return channel === undefined ? [...removalsPrefix(), topic] : [...removalsPrefix(), topic, channel];
}

/** The last part of a key: its versionstamp. */
export function versionstampOf(key: Deno.KvKey): string {
  return String(key[key.length - 1]);
}

/** The smallest text after this one: where a list begins that is to go on behind it. */
export function after(versionstamp: string): string {
  return `${versionstamp}\0`;
}
