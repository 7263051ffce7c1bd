/**
 * nsqd's part in discovery (nsqd/lookup.go): every configured nsqlookupd is kept informed of this node, its topics and
 * its channels, and is asked for the channels of a topic that is new here. One that is slow or dead delays neither
 * the others nor this node's clients; only the first messages of a new topic wait, for a limited time, until its
 * channels are known.
 *
 * @module
 */

import { AsyncGroup } from "../../base/async_group.ts";
import { sleep } from "../../base/every.ts";
import { hostPort } from "../../base/host_port.ts";
import { CHANNELS_ANSWER_SIZE_MAX, type QueriedLookupd, queryChannels } from "../../cluster/channel_query.ts";
import { DenoConnection } from "../../net/connection.ts";
import { isEphemeral, isValidChannelName } from "../../protocol/names.ts";
import { followAddress, type LookupHost, resolveName, type Resolver } from "./addresses.ts";
import type { LookupOutside } from "./connection.ts";
import type { LookupOptions } from "./options.ts";
import { LookupPeer, type LookupPeerContext } from "./peer.ts";

/** What the loop uses of the daemon it belongs to. */
export interface LookupContext extends LookupPeerContext {
  /** The options in force; asked anew whenever they are needed, because some can be changed. */
  readonly options: LookupOptions;
}

/** What the loop uses of the world. */
export interface LookupWorld extends LookupOutside {
  readonly resolve: Resolver;
}

/** Topics whose channels are asked for at the same time; further ones wait for their turn. */
export const QUERIES_MAX = 64;

const WORLD: LookupWorld = {
  connect: async (hostname, port, signal) =>
    new DenoConnection(await Deno.connect({ hostname, port, signal })),
  sleep,
  resolve: resolveName,
};

/** Keeps all nsqlookupds informed. */
export class LookupLoop {
  readonly #context: LookupContext;
  readonly #world: LookupWorld;
  readonly #stopped = new AbortController();
  readonly #tasks = new AsyncGroup();
  /** By address as configured. */
  readonly #followed = new Map<string, Followed>();
  /** By `host:port`. */
  readonly #peers = new Map<string, { readonly peer: LookupPeer; readonly end: AbortController }>();
  #running = false;
  #queries = 0;
  readonly #queriesWaiting: (() => void)[] = [];

  constructor(context: LookupContext, world: LookupWorld = WORLD) {
    this.#context = context;
    this.#world = world;
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => stop.resolve(), { once: true });
    if (signal.aborted) stop.resolve();
    this.#running = true;
    this.addressesChanged();
    await Promise.race([stop.promise, this.#tasks.failed]);
    this.#running = false;
    this.#stopped.abort();
    this.#context.logger.info("LOOKUP: closing");
    for (const { end } of [...this.#followed.values(), ...this.#peers.values()]) end.abort();
    await this.#tasks.stop();
  }

  /** A topic, or a channel of it, came or went. */
  changed(topic: string, channel?: string): void {
    for (const { peer } of this.#peers.values()) peer.changed(topic, channel);
  }

  /** The configured addresses may be others now: new ones are connected to, those that are gone are left. */
  addressesChanged(): void {
    if (!this.#running) return;
    const configured = new Set(this.#context.options.lookupdTcpAddresses);
    for (const [address, { end }] of this.#followed) {
      if (configured.has(address)) continue;
      this.#followed.delete(address);
      end.abort();
    }
    for (const address of configured) {
      if (!this.#followed.has(address)) this.#follow(address);
    }
    this.#updatePeers();
  }

  /**
   * The channels that a topic new to this node has elsewhere, without ephemeral ones: those have no consumer here.
   * Takes no longer than the two time limits for HTTP requests together, once it is the topic's turn, and ends when
   * the signal aborts. Never rejects.
   */
  async channelsOf(topic: string, signal: AbortSignal = this.#stopped.signal): Promise<string[]> {
    if (this.#context.options.lookupdTcpAddresses.length === 0) return [];
    if (this.#queries >= QUERIES_MAX) {
      await new Promise<void>((resolve) => this.#queriesWaiting.push(resolve));
    }
    this.#queries++;
    try {
      return await this.#askForChannels(topic, AbortSignal.any([signal, this.#stopped.signal]));
    } finally {
      this.#queries--;
      this.#queriesWaiting.shift()?.();
    }
  }

  async #askForChannels(topic: string, signal: AbortSignal): Promise<string[]> {
    const { logger, answerSizeMax } = this.#context;
    await this.#introductions(signal);
    if (signal.aborted) return [];
    const lookupds = this.#lookupds();
    if (lookupds.length === 0) {
      logger.error(`no available nsqlookupd to query for channels to pre-create for topic ${topic}`);
      return [];
    }
    const { channels, failures } = await queryChannels(topic, {
      lookupds,
      answerSizeMax: Math.min(answerSizeMax, CHANNELS_ANSWER_SIZE_MAX),
      signal,
      onRequest: (url) => logger.info(`CI: querying nsqlookupd ${url}`),
    });
    if (failures.length > 0 && !signal.aborted) {
      const all = failures.length === lookupds.length ? "failed to query any nsqlookupd: " : "";
      logger.warn(
        `failed to query nsqlookupd for channels to pre-create for topic ${topic} - ${all}${
          failures.join("; ")
        }`,
      );
    }
    // NSQ creates a channel of any name that it is told.
    return channels.filter((name) => isValidChannelName(name) && !isEphemeral(name));
  }

  /** Waits for nsqlookupds that are being connected to for the first time, as after a start. */
  async #introductions(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const ending = AbortSignal.any([over.signal, signal]);
    const late = this.#world.sleep(this.#context.options.httpClientConnectTimeoutMs, ending);
    const all = Promise.all([...this.#followed.values()].map(({ found }) => found.promise))
      .then(() => Promise.all([...this.#peers.values()].map(({ peer }) => peer.introduced)));
    await Promise.race([all, late]);
    over.abort();
    await late;
  }

  /** Those that have ever said where they are; one that cannot be reached now is not waited for as long. */
  #lookupds(): QueriedLookupd[] {
    const { httpClientConnectTimeoutMs: connectMs, httpClientRequestTimeoutMs: requestMs } =
      this.#context.options;
    const lookupds = new Map<string, QueriedLookupd>();
    for (const { peer } of this.#peers.values()) {
      const { broadcastAddress: hostname = "", httpPort: port = 0 } = peer.info ?? {};
      if (hostname === "") continue;
      const address = hostPort({ hostname, port });
      const timeoutMs = peer.connected ? requestMs : Math.min(connectMs, requestMs);
      const other = lookupds.get(address);
      if (other === undefined || other.timeoutMs < timeoutMs) lookupds.set(address, { address, timeoutMs });
    }
    return [...lookupds.values()];
  }

  #follow(address: string): void {
    const followed: Followed = { end: new AbortController(), found: Promise.withResolvers(), hosts: [] };
    this.#followed.set(address, followed);
    const following = {
      logger: this.#context.logger,
      resolve: this.#world.resolve,
      sleep: this.#world.sleep,
      signal: followed.end.signal,
      onHosts: (hosts: readonly LookupHost[]) => {
        followed.hosts = hosts;
        this.#updatePeers();
        followed.found.resolve();
      },
    };
    this.#tasks.spawn(`lookup address ${address}`, async () => {
      await followAddress(address, following);
      followed.found.resolve();
    });
  }

  /** Lets there be a peer for each host that is behind any of the addresses, and no other. */
  #updatePeers(): void {
    if (!this.#running) return;
    const { logger } = this.#context;
    const hosts = new Map<string, LookupHost>();
    for (const followed of this.#followed.values()) {
      for (const host of followed.hosts) hosts.set(host.text, host);
    }
    for (const [text, { end }] of this.#peers) {
      if (hosts.has(text)) continue;
      logger.info(`LOOKUP(${text}): removing peer`);
      this.#peers.delete(text);
      end.abort();
    }
    for (const [text, host] of hosts) {
      const known = this.#peers.get(text);
      if (known) {
        known.peer.host = host;
        continue;
      }
      logger.info(`LOOKUP(${text}): adding peer`);
      const end = new AbortController();
      const peer = new LookupPeer(host, this.#context, this.#world);
      this.#peers.set(text, { peer, end });
      this.#tasks.spawn(`lookup peer ${text}`, () => peer.run(end.signal));
    }
  }
}

/** An address, and what is behind it. */
interface Followed {
  readonly end: AbortController;
  /** Settles when the hosts are known for the first time, or never will be. */
  readonly found: PromiseWithResolvers<void>;
  hosts: readonly LookupHost[];
}
