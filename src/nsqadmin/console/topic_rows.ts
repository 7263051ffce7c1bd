/**
 * A row for each topic of the cluster, out of what all nodes say.
 *
 * @module
 */

import { inSlices } from "../../base/time_slice.ts";
import type { TopicNumbers } from "../../cluster/topic_numbers.ts";
import type { Columns } from "./table.ts";

/** A topic, over all nodes. */
export interface TopicRow {
  readonly name: string;
  /** Of the topic itself: what no channel has yet. */
  depth: number;
  /** Of the channel that has the most. */
  channelDepth: number;
  inFlight: number;
  deferred: number;
  requeued: number;
  timedOut: number;
  messages: number;
  consumers: number;
  nodes: number;
  channels: number;
  paused: boolean;
  /** There are messages, and a channel of them without consumers. */
  isLeft: boolean;
}

/** What the rows can be sorted by. */
export const TOPIC_COLUMNS: Columns<TopicRow> = {
  name: ({ name }) => name,
  depth: ({ depth }) => depth,
  "channel-depth": ({ channelDepth }) => channelDepth,
  "in-flight": ({ inFlight }) => inFlight,
  deferred: ({ deferred }) => deferred,
  requeued: ({ requeued }) => requeued,
  "timed-out": ({ timedOut }) => timedOut,
  messages: ({ messages }) => messages,
  consumers: ({ consumers }) => consumers,
  nodes: ({ nodes }) => nodes,
};

/** Gathers rows. */
export class TopicRows {
  readonly #topics = new Map<string, { readonly row: TopicRow; readonly channels: Map<string, Gathered> }>();

  /** Adds what a node says of a topic. */
  add(topic: TopicNumbers): void {
    const known = this.#topics.get(topic.name) ??
      { row: emptyRow(topic.name), channels: new Map<string, Gathered>() };
    this.#topics.set(topic.name, known);
    const { row, channels } = known;
    row.depth += topic.depth;
    row.messages += topic.messages;
    row.nodes++;
    row.paused ||= topic.paused;
    for (const channel of topic.channels) {
      row.inFlight += channel.inFlight;
      row.deferred += channel.deferred;
      row.requeued += channel.requeued;
      row.timedOut += channel.timedOut;
      row.consumers += channel.consumers;
      const gathered = channels.get(channel.name) ?? { depth: 0, consumers: 0 };
      channels.set(channel.name, gathered);
      gathered.depth += channel.depth;
      gathered.consumers += channel.consumers;
    }
  }

  /** The rows, in no order. */
  async rows(): Promise<TopicRow[]> {
    const rows: TopicRow[] = [];
    await inSlices(this.#topics.values(), ({ row, channels }) => {
      row.channels = channels.size;
      for (const { depth, consumers } of channels.values()) {
        row.channelDepth = Math.max(row.channelDepth, depth);
        row.isLeft ||= depth > 0 && consumers === 0;
      }
      rows.push(row);
    });
    return rows;
  }
}

/** A channel, over all nodes. */
interface Gathered {
  depth: number;
  consumers: number;
}

function emptyRow(name: string): TopicRow {
  return {
    name,
    depth: 0,
    channelDepth: 0,
    inFlight: 0,
    deferred: 0,
    requeued: 0,
    timedOut: 0,
    messages: 0,
    consumers: 0,
    nodes: 0,
    channels: 0,
    paused: false,
    isLeft: false,
  };
}
