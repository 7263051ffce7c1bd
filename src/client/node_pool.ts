/**
 * Connections to all the nodes that there are: finds them, connects, and connects again what is lost. Who uses the
 * connections, and for what, is the owner's.
 *
 * ```
 *  node: ──► dialing ──► opened() ──► connected ──► lost ──┐
 *               ▲                                          │
 *               └────── waits, while the node is listed ◄──┘
 * ```
 *
 * @module
 */

import { sleep } from "../base/every.ts";
import { parseNodeAddress } from "./address.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { ConnectionError } from "./errors.ts";
import type { ConsumerIdentity } from "./handshake.ts";
import { lookupdUrl, queryLookupd } from "./lookupd_query.ts";
import { NodeSet } from "./node_set.ts";
import { type ConnectionOptions, DEFAULTS } from "./options.ts";
import { ReconnectWait } from "./reconnect_wait.ts";
import type { StatusBoard } from "./status.ts";

/** nsqlookupds are not asked again sooner than this after a connection was lost, in ms. */
const ASK_AGAIN_MS = 1000;

/** Whoever uses the connections. */
export interface PoolOwner extends ConnectionOwner {
  /** A connection was made; it counts as connected when this is through. */
  opened(connection: Connection): Promise<void>;
  /** It is connected. */
  connected(connection: Connection): void;
}

/** The connections. */
export class NodePool {
  /** Those that can be used. */
  readonly connections: Set<Connection> = new Set();
  readonly #options: ConnectionOptions & ConsumerIdentity;
  readonly #topic: string | undefined;
  readonly #owner: PoolOwner;
  readonly #board: StatusBoard;
  readonly #nodes: NodeSet;
  /** The nodes that are being kept connected, each with its task. */
  readonly #kept = new Map<string, Promise<void>>();
  readonly #end = new AbortController();
  readonly #lost = new Map<Connection, (error: Error | undefined) => void>();
  /** What went wrong last with each node that is not connected. */
  readonly #failures = new Map<string, Error>();
  /** Nodes that were connected and are not. */
  readonly #missing = new Set<string>();
  #discovery: Promise<void> | undefined;
  #started = false;
  /** Somebody wants nsqlookupds to be asked soon. */
  #askWanted = false;
  #wakeAsker: (() => void) | undefined;

  /** @throws {TypeError} If there is nothing to connect to, or an address is none. */
  constructor(
    options: ConnectionOptions & ConsumerIdentity,
    parts: { readonly topic: string | undefined; readonly owner: PoolOwner; readonly board: StatusBoard },
  ) {
    const { nsqd = [], lookupd = [] } = options;
    if (nsqd.length + lookupd.length === 0) throw new TypeError("Neither an nsqd nor an nsqlookupd is named");
    for (const node of nsqd) parseNodeAddress(node);
    for (const address of lookupd) lookupdUrl(address, parts.topic);
    this.#options = options;
    this.#topic = parts.topic;
    this.#owner = parts.owner;
    this.#board = parts.board;
    this.#nodes = new NodeSet(nsqd);
  }

  /** What went wrong last with each node that is not connected. */
  get failures(): Error[] {
    return [...this.#failures.values()];
  }

  /** Begins to connect. */
  start(): void {
    if (this.#started || this.#end.signal.aborted) return;
    this.#started = true;
    this.#keepAll();
    if ((this.#options.lookupd ?? []).length > 0) this.#discovery = this.#discover();
  }

  /** Makes no more connections; those that there are stay. */
  stopDialing(): void {
    this.#end.abort(new ConnectionError("", "The client is closing"));
    this.#askSoon();
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    this.stopDialing();
    for (const connection of this.#lost.keys()) connection.close();
    await Promise.all([this.#discovery, ...this.#kept.values()]);
  }

  #keepAll(): void {
    for (const node of this.#nodes.nodes) {
      if (this.#kept.has(node) || this.#end.signal.aborted) continue;
      const task = this.#keep(node).finally(() => this.#kept.delete(node));
      this.#kept.set(node, task);
    }
  }

  /** Keeps a node connected while it is listed. */
  async #keep(node: string): Promise<void> {
    const wait = new ReconnectWait(this.#options.reconnect);
    const { signal } = this.#end;
    while (!signal.aborted && this.#nodes.has(node)) {
      const held = await this.#connectOnce(node);
      if (held.connected) {
        this.#missing.add(node);
        this.#askSoon();
      }
      const goesOn = !signal.aborted && this.#nodes.has(node);
      const retryMs = goesOn ? wait.next(held.ms) : undefined;
      const { error } = held;
      if (held.connected) this.#board.tell({ kind: "disconnected", node, error, retryMs });
      else if (error) this.#board.tell({ kind: "connect-failed", node, error, retryMs });
      if (retryMs !== undefined) await sleep(retryMs, signal);
    }
    this.#failures.delete(node);
  }

  /** Connects, and waits until the connection is lost. */
  async #connectOnce(
    node: string,
  ): Promise<{ readonly connected: boolean; readonly ms: number; readonly error?: Error }> {
    this.#board.tell({ kind: "connecting", node });
    let connection: Connection | undefined;
    let connectedMs: number | undefined;
    try {
      const owner: ConnectionOwner = {
        lost: (of, error) => {
          this.connections.delete(of);
          this.#owner.lost(of, error);
          this.#lost.get(of)?.(error);
        },
      };
      const address = parseNodeAddress(node);
      const opened = connection = await Connection.open(address, this.#options, owner, this.#end.signal);
      if (opened.closed) throw new ConnectionError(node, `${node}: the connection has ended`);
      const lost = new Promise<Error | undefined>((resolve) => this.#lost.set(opened, resolve));
      await this.#owner.opened(opened);
      if (opened.closed) throw new ConnectionError(node, `${node}: the connection has ended`);
      connectedMs = performance.now();
      this.#failures.delete(node);
      this.#missing.delete(node);
      this.connections.add(opened);
      this.#board.tell({ kind: "connected", node, version: opened.info.version });
      this.#owner.connected(opened);
      const error = await lost;
      if (error) this.#failures.set(node, error);
      return { connected: true, ms: performance.now() - connectedMs, ...error && { error } };
    } catch (thrown) {
      const error = thrown as Error;
      connection?.close(error);
      this.#failures.set(node, error);
      return { connected: false, ms: 0, ...!this.#end.signal.aborted && { error } };
    } finally {
      if (connection) this.#lost.delete(connection);
    }
  }

  /**
   * Asks all nsqlookupds now and then, and soon when a node is lost. An nsqlookupd does not list a node that is being
   * started again, and knows nothing when it has been started again itself: so while a node is missing, or an answer, it is
   * asked again after a second, two, four…
   */
  async #discover(): Promise<void> {
    const { signal } = this.#end;
    const intervalMs = this.#options.lookupdPollIntervalMs ?? DEFAULTS.lookupdPollIntervalMs;
    const jitter = this.#options.lookupdPollJitter ?? DEFAULTS.lookupdPollJitter;
    let waitMs = intervalMs * (1 + jitter * Math.random());
    let eagerMs = ASK_AGAIN_MS;
    while (!signal.aborted) {
      const full = await this.#ask();
      this.#keepAll();
      const complete = full && [...this.#missing].every((node) => this.#nodes.has(node));
      eagerMs = complete ? ASK_AGAIN_MS : Math.min(2 * eagerMs, intervalMs);
      // What has not come back by now is not waited for any more.
      if (eagerMs === intervalMs) this.#missing.clear();
      const askedMs = performance.now();
      const early = await this.#nextAsk(complete ? waitMs : Math.min(eagerMs / 2, waitMs));
      if (early) await sleep(Math.max(0, askedMs + ASK_AGAIN_MS - performance.now()), signal);
      waitMs = intervalMs;
    }
  }

  /** Waits; a node that is lost ends it. True if one was. */
  async #nextAsk(ms: number): Promise<boolean> {
    if (!this.#askWanted) {
      const nap = new AbortController();
      this.#wakeAsker = () => nap.abort();
      await sleep(ms, nap.signal);
      this.#wakeAsker = undefined;
    }
    const early = this.#askWanted;
    this.#askWanted = false;
    return early;
  }

  #askSoon(): void {
    this.#askWanted = true;
    this.#wakeAsker?.();
  }

  /** Asks all of them once; true if all have answered. */
  async #ask(): Promise<boolean> {
    const { lookupd = [], filterNodes = (nodes: readonly string[]) => nodes, authSecret } = this.#options;
    const timeoutMs = this.#options.lookupdPollTimeoutMs ?? DEFAULTS.lookupdPollTimeoutMs;
    const { signal } = this.#end;
    const listings = await Promise.all(lookupd.map(async (address) => {
      try {
        const authorized = this.#options.lookupdAuthorization ?? true;
        const secret = typeof authSecret === "function" ? await authSecret() : authSecret;
        const nodes = await queryLookupd(address, {
          topic: this.#topic,
          secret: authorized ? secret : undefined,
          timeoutMs,
          signal,
        });
        const wanted = filterNodes(nodes);
        this.#board.tell({ kind: "discovered", lookupd: address, nodes: wanted });
        return wanted;
      } catch (error) {
        if (!signal.aborted) {
          this.#board.tell({ kind: "discovery-failed", lookupd: address, error: error as Error });
        }
        return undefined;
      }
    }));
    this.#nodes.answered(listings);
    return !listings.includes(undefined);
  }
}
