/**
 * A peer of nsqd's, that keeps one nsqlookupd informed, without a daemon: topics come and go at a word, connections to
 * this machine are real, and time stands still until it is moved.
 *
 * @module
 */

import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { type Connection, DenoConnection } from "../../src/net/connection.ts";
import type { LookupHost } from "../../src/nsqd/lookup/addresses.ts";
import { LookupPeer } from "../../src/nsqd/lookup/peer.ts";
import type { NodeInfo } from "../../src/protocol/lookup_requests.ts";
import { FakeSleep } from "./fake_sleep.ts";

/** Who the node of the tests is. */
export const NODE_INFO: NodeInfo = {
  broadcast_address: "nsqd.example",
  hostname: "host.example",
  http_port: 4151,
  tcp_port: 4150,
  topology_region: "r",
  topology_zone: "z",
  version: "1.3.0",
};

/** What a test says of a {@linkcode RunningPeer}. */
export interface RunningPeerOptions {
  readonly topics?: Readonly<Record<string, readonly string[]>>;
  /** @default {1024} */
  readonly answerSizeMax?: number;
  /** By default the address of the test's nsqlookupd. */
  readonly host?: LookupHost;
  /** Stands in for a real connection. */
  readonly connect?: (hostname: string, port: number, signal: AbortSignal) => Promise<Connection>;
}

/** Topics with the names of their channels. */
export class FakeTopics {
  readonly map = new Map<string, { readonly channels: Map<string, true> }>();

  constructor(topics: Readonly<Record<string, readonly string[]>> = {}) {
    for (const [name, channels] of Object.entries(topics)) this.add(name, ...channels);
  }

  /** Adds a topic, or channels to it. */
  add(topic: string, ...channels: readonly string[]): void {
    const found = this.map.get(topic) ?? { channels: new Map() };
    this.map.set(topic, found);
    for (const channel of channels) found.channels.set(channel, true);
  }

  /** Removes a topic, or a channel of it. */
  remove(topic: string, channel?: string): void {
    if (channel === undefined) this.map.delete(topic);
    else this.map.get(topic)?.channels.delete(channel);
  }
}

/** A log that keeps its lines, without prefix and time, and with `#` for ports of this machine. */
export function keptLog(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line.slice(27).replace(/127\.0\.0\.1:\d+/g, "127.0.0.1:#"));
  return { logger: new Logger({ prefix: "", level: LOG_LEVELS.debug, write }), lines };
}

/** A real connection. */
export async function connectTcp(hostname: string, port: number, signal: AbortSignal): Promise<Connection> {
  return new DenoConnection(await Deno.connect({ hostname, port, signal }));
}

/** A peer that runs until it is disposed of. */
export class RunningPeer implements AsyncDisposable {
  readonly peer: LookupPeer;
  readonly topics: FakeTopics;
  readonly time = new FakeSleep();
  readonly lines: string[];
  readonly #end = new AbortController();
  readonly #done: Promise<void>;

  constructor(lookupd: { readonly port: number }, options: RunningPeerOptions = {}) {
    const { answerSizeMax = 1024, connect = connectTcp } = options;
    const { port } = lookupd;
    const { logger, lines } = keptLog();
    this.lines = lines;
    this.topics = new FakeTopics(options.topics);
    const host = options.host ?? { text: `127.0.0.1:${port}`, ways: ["127.0.0.1"], port };
    const context = { logger, topics: this.topics.map, answerSizeMax, nodeInfo: () => NODE_INFO };
    this.peer = new LookupPeer(host, context, { connect, sleep: this.time.sleep });
    this.#done = this.peer.run(this.#end.signal);
  }

  /** A topic, or a channel of it, comes. */
  add(topic: string, channel?: string): void {
    this.topics.add(topic, ...channel === undefined ? [] : [channel]);
    this.peer.changed(topic, channel);
  }

  /** A topic, or a channel of it, goes. */
  remove(topic: string, channel?: string): void {
    this.topics.remove(topic, channel);
    this.peer.changed(topic, channel);
  }

  /** The lines of the log at these levels. */
  linesAt(...levels: readonly ("DEBUG" | "INFO" | "WARNING" | "ERROR")[]): string[] {
    return this.lines.filter((line) => levels.some((level) => line.startsWith(`${level}: `)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#done;
  }
}
