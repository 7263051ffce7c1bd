/**
 * Who consumes: the connections to all channels of all nodes, put together by the process that has opened them, as far as it
 * can be told by what clients say of themselves.
 *
 * @module
 */

import { shortened } from "../base/shortened.ts";
import { inSlices, type Slice } from "../base/time_slice.ts";
import type { ChannelStats, ClientStats } from "./topic_stats.ts";

/** Connections of which something is kept, of all nodes together. */
export const CONNECTIONS_MAX = 50_000;
/** Channels of nodes that are kept, the same on each node for itself. */
export const CHANNELS_MAX = 500_000;
/** Versions, and identities, of a consumer that are told: very many connections may have one each. */
export const TOLD_MAX = 20;
/** Characters of what a client says of itself. */
export const TEXT_LENGTH_MAX = 255;

/** How much is kept. */
interface Limits {
  readonly connectionsMax: number;
  readonly channelsMax: number;
}

/** A channel, with the nodes that have it. */
export interface ConsumedChannel {
  readonly topic: string;
  readonly name: string;
  readonly nodes: ReadonlySet<string>;
}

/** What clients call themselves, up to {@linkcode TEXT_LENGTH_MAX} characters; what is not said may be anything. */
export interface ConsumerName {
  readonly hostname?: string | undefined;
  readonly clientId?: string | undefined;
  readonly userAgent?: string | undefined;
}

/** What connections have in common that are put together: all of their name, which is that of a process, or a part of it. */
export type Grouping = "process" | "host" | "client";

/** What a client says of itself, as much as is kept of it. */
export function nameText(text: string): string {
  return shortened(text, TEXT_LENGTH_MAX);
}

/** A process that consumes. Two that call themselves the same, on one host and with one client, are one. */
export class Consumer {
  /** What all its connections are called. */
  readonly name: ConsumerName;
  /** Of the protocol; up to one more than {@linkcode TOLD_MAX}. */
  readonly versions: Set<string> = new Set();
  /** Who it has shown itself to be; as many. */
  readonly identities: Set<string> = new Set();
  /** To which of a channel's nodes it is connected. */
  readonly channels: Map<ConsumedChannel, Set<string>> = new Map();
  connections = 0;
  tlsConnections = 0;
  deflateConnections = 0;
  snappyConnections = 0;
  authedConnections = 0;
  /** Connections that have all in flight that they want, and have never finished one. */
  slowConnections = 0;
  inFlight = 0;
  ready = 0;
  finished = 0;
  requeued = 0;
  /** When its oldest connection was made, in s of the node's clock. */
  connectedS: number = Infinity;

  constructor(name: ConsumerName) {
    this.name = name;
  }

  get hostname(): string {
    return this.name.hostname ?? "";
  }

  get clientId(): string {
    return this.name.clientId ?? "";
  }

  get userAgent(): string {
    return this.name.userAgent ?? "";
  }

  /** Nodes that it is connected to. */
  get nodes(): number {
    return union(this.channels.values());
  }

  /** Nodes that have a channel of which it consumes. */
  get nodesOfChannels(): number {
    return union(this.channels.keys().map(({ nodes }) => nodes));
  }

  /** Some node has a channel of which it consumes elsewhere, and it gets nothing from there. */
  get isImbalanced(): boolean {
    return this.channels.entries().some(([{ nodes }, connected]) => !nodes.isSubsetOf(connected));
  }

  /** Counts one of its connections. */
  add(channel: ConsumedChannel, client: ClientStats): void {
    this.connections++;
    this.tlsConnections += Number(client.tls);
    this.deflateConnections += Number(client.deflate);
    this.snappyConnections += Number(client.snappy);
    this.authedConnections += Number(client.authed);
    this.slowConnections += Number(isSlow(client));
    this.inFlight += client.in_flight_count;
    this.ready += client.ready_count;
    this.finished += client.finish_count;
    this.requeued += client.requeue_count;
    this.connectedS = Math.min(this.connectedS, client.connect_ts);
    note(this.versions, client.version);
    if (client.auth_identity !== "") note(this.identities, client.auth_identity);
    const connected = this.channels.get(channel) ?? new Set();
    connected.add(client.node);
    this.channels.set(channel, connected);
  }
}

/** All of them. */
export class Consumers {
  readonly #limits: Limits;
  readonly #by: Grouping;
  readonly #channels = new Map<string, ConsumedChannel & { readonly nodes: Set<string> }>();
  readonly #consumers = new Map<string, Consumer>();
  #connectionCount = 0;
  #channelCount = 0;
  #leftOut = 0;

  constructor(
    { by = "process", limits = { connectionsMax: CONNECTIONS_MAX, channelsMax: CHANNELS_MAX } }: {
      readonly by?: Grouping;
      readonly limits?: Limits;
    } = {},
  ) {
    this.#by = by;
    this.#limits = limits;
  }

  /** Those that are known, in no order. */
  get all(): Consumer[] {
    return [...this.#consumers.values()];
  }

  /** Connections, and channels of nodes, for which there was no room. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** Adds what a node has of a channel. */
  async add({ node, topic_name, channel_name, clients }: ChannelStats, slice: Slice): Promise<void> {
    if (this.#channelCount >= this.#limits.channelsMax) {
      this.#leftOut += 1 + (clients?.length ?? 0);
      return;
    }
    this.#channelCount++;
    const key = JSON.stringify([topic_name, channel_name]);
    const channel = this.#channels.get(key) ??
      {
        topic: nameText(topic_name),
        name: nameText(channel_name),
        nodes: new Set<string>(),
      };
    this.#channels.set(key, channel);
    channel.nodes.add(node);
    await inSlices(clients ?? [], (client) => this.#addClient(channel, client), slice);
  }

  #addClient(channel: ConsumedChannel, client: ClientStats): void {
    if (this.#connectionCount >= this.#limits.connectionsMax) {
      this.#leftOut++;
      return;
    }
    this.#connectionCount++;
    const name = NAMES[this.#by](client);
    const key = JSON.stringify(name);
    const consumer = this.#consumers.get(key) ?? new Consumer(name);
    this.#consumers.set(key, consumer);
    consumer.add(channel, client);
  }
}

const NAMES: Readonly<Record<Grouping, (client: ClientStats) => ConsumerName>> = {
  process: ({ hostname, client_id, user_agent }) => ({
    hostname: nameText(hostname),
    clientId: nameText(client_id),
    userAgent: nameText(user_agent),
  }),
  host: ({ hostname }) => ({ hostname: nameText(hostname) }),
  client: ({ client_id }) => ({ clientId: nameText(client_id) }),
};

/** It has all in flight that it wants, and has never finished one. */
export function isSlow({ in_flight_count, ready_count, finish_count }: ClientStats): boolean {
  return in_flight_count > 0 && in_flight_count >= ready_count && finish_count === 0;
}

function note(told: Set<string>, text: string): void {
  if (told.size <= TOLD_MAX) told.add(nameText(text));
}

function union(sets: Iterable<ReadonlySet<string>>): number {
  const all = new Set<string>();
  for (const set of sets) for (const each of set) all.add(each);
  return all.size;
}
