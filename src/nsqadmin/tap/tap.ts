/**
 * A live tap: a look at the messages of a topic as they come. It is a consumer of a channel of its own, which is ephemeral and so is
 * gone with it, and finishes at once what it is given: a copy, of which others miss nothing.
 *
 * Where a topic has no channel its messages wait for the first one: that would be the tap's, and they would be gone. Such nodes
 * are left out, and a tap ends when it is left alone.
 *
 * @module
 */

import type { Clock } from "../../base/clock.ts";
import { errorText } from "../../base/error_text.ts";
import { every, sleep } from "../../base/every.ts";
import { RateLimit } from "../../base/rate_limit.ts";
import type { ConnectionOptions, Consumer, Message } from "../../client/mod.ts";
import { UnansweredError } from "../../cluster/asked.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { httpAddressOf } from "../../cluster/cluster_nodes.ts";
import { SHOWN_BODY_SIZE } from "../../cluster/messages.ts";
import { tcpAddressesOf } from "../node_connections.ts";

/** What the channel of each tap begins with. */
export const TAP_CHANNEL = "nsqadmin_tap_";
/** How often it is looked whether it is alone, in ms. */
const LOOK_INTERVAL_MS = 2000;
const END_TIMEOUT_MS = 1000;

/** What is looked at. */
export interface TapOrder {
  readonly topic: string;
  /** `host:port` of HTTP; empty for all. */
  readonly node: string;
  /** Messages that a node may have sent and that are not yet shown. */
  readonly ready: number;
}

/** A message, as far as it is shown. */
export interface TappedMessage {
  /** `host:port` of TCP. */
  readonly node: string;
  readonly id: string;
  readonly timestamp: string;
  readonly attempts: number;
  readonly sizeBytes: number;
  /** Undefined where it is no text. */
  readonly text: string | undefined;
  readonly bytes: Uint8Array;
  readonly isCut: boolean;
}

/** What is said of taps, in one language. */
export interface TapWords {
  readonly withoutChannel: (nodes: string) => string;
  readonly disconnected: (node: string) => string;
  readonly nothingToTap: string;
  readonly timeIsOver: string;
}

/** Whoever looks. */
export interface TapViewer {
  /** What is said of problems, and of why it has ended. */
  readonly words: TapWords;
  /** Settles when the next one may come. */
  message(message: TappedMessage): void | Promise<void>;
  /** Something is not as it should be; it goes on. */
  problem(text: string): void;
  /** Whether it may go on; asked now and then. */
  mayGoOn(): boolean;
}

/** What {@linkcode runTap} is given. */
export interface TapOptions {
  readonly cluster: Cluster;
  readonly order: TapOrder;
  readonly connection: ConnectionOptions;
  readonly clock: Pick<Clock, "monotonicMs">;
  /** Messages in a second: of a topic that has more, a part is seen. */
  readonly rateMax: number;
}

/** Shows messages until the signal aborts; why it has ended, if it has by itself. Never rejects. */
export async function runTap(
  { cluster, order, connection, clock, rateMax }: TapOptions,
  viewer: TapViewer,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { words } = viewer;
  const end = new AbortController();
  const both = AbortSignal.any([signal, end.signal]);
  let reason: string | undefined;
  const over = (text: string | undefined) => {
    reason ??= text;
    end.abort();
  };
  try {
    const { addresses, without } = await tappable(cluster, order);
    if (addresses.length === 0) return words.nothingToTap;
    if (without.length > 0) {
      viewer.problem(words.withoutChannel(without.join(", ")));
    }
    const client = await import("../../client/mod.ts");
    const channel = `${TAP_CHANNEL}${crypto.randomUUID().slice(0, 8)}#ephemeral`;
    const consumer = new client.Consumer(order.topic, channel, {
      ...connection,
      nsqd: addresses,
      maxInFlight: order.ready * addresses.length,
      backoff: false,
    });
    const close = () => consumer.close({ timeoutMs: END_TIMEOUT_MS });
    both.addEventListener("abort", () => void close());
    // Nobody awaits them until messages end: a fault of theirs ends them.
    const failed = (error: unknown) => over(errorText(error));
    const looking = every(LOOK_INTERVAL_MS, both, async () => {
      if (!viewer.mayGoOn()) over(undefined);
      else if (await isAlone(cluster, order)) over(words.nothingToTap);
    }).catch(failed);
    const watching = tellProblems(consumer, viewer, both).catch(failed);
    const rate = new RateLimit(rateMax);
    try {
      for await (const message of both.aborted ? [] : consumer) {
        while (!both.aborted && rate.take(1, clock.monotonicMs()) === 0) await sleep(rate.intervalMs, both);
        if (both.aborted || !viewer.mayGoOn()) break;
        const shown = tapped(message);
        message.finish();
        await viewer.message(shown);
      }
    } finally {
      over(undefined);
      await Promise.all([close(), looking, watching]);
    }
  } catch (error) {
    over(errorText(error));
  }
  return reason;
}

async function tellProblems(consumer: Consumer, viewer: TapViewer, signal: AbortSignal): Promise<void> {
  for await (const status of consumer.status(signal)) {
    if (status.kind !== "connect-failed" && status.kind !== "disconnected") continue;
    const { node, error } = status;
    viewer.problem(
      error === undefined ? viewer.words.disconnected(node) : `${node}: ${errorText(error)}`,
    );
  }
}

/** Where a channel can be added that takes nothing away; and where the topic has none. */
async function tappable(
  cluster: Cluster,
  { topic, node }: TapOrder,
): Promise<{ readonly addresses: readonly string[]; readonly without: readonly string[] }> {
  const known = (await cluster.topicNodes(topic)).value.filter((each) =>
    node === "" || httpAddressOf(each) === node
  );
  if (known.length === 0) return { addresses: [], without: [] };
  const { value } = await cluster.topicStats(known, { topic, channel: "", includeClients: false });
  const having = new Set(value.flatMap((each) => hasOtherChannel(each.channels ?? []) ? each.node : []));
  return {
    addresses: tcpAddressesOf(known.filter((each) => having.has(httpAddressOf(each)))),
    without: known.map(httpAddressOf).filter((each) => !having.has(each)),
  };
}

async function isAlone(cluster: Cluster, order: TapOrder): Promise<boolean> {
  try {
    return (await tappable(cluster, order)).addresses.length === 0;
  } catch (error) {
    // Nobody says so.
    if (error instanceof UnansweredError) return false;
    throw error;
  }
}

function hasOtherChannel(channels: readonly { readonly channel_name: string }[]): boolean {
  return channels.some(({ channel_name }) => !channel_name.startsWith(TAP_CHANNEL));
}

/** As much of a message as is shown, apart from what was read with it. */
function tapped({ node, id, timestampNs, attempts, body }: Message): TappedMessage {
  const bytes = body.slice(0, SHOWN_BODY_SIZE);
  const isCut = body.length > bytes.length;
  return {
    node,
    id,
    timestamp: String(timestampNs),
    attempts,
    sizeBytes: body.length,
    text: textOf(bytes, isCut),
    bytes,
    isCut,
  };
}

/** The bytes as a text, if they are one; a character that is cut is left out. */
function textOf(bytes: Uint8Array, isCut: boolean): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isCut });
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
