/**
 * nsqd's part in gossip discovery (nsqd/gossip.go in NSQ's branch dev): through a Serf agent, each nsqd tells all
 * others where it is and what it has, and learns the same of them, so that any of them can answer what nsqlookupd
 * answers.
 *
 * ```
 *  serfAgent       keeps an agent of our own running              src/cluster/serf_agent.ts
 *  serfEventLoop   keeps a connection to the agent                link.ts
 *                  members and events ──▶ view                    listener.ts, view.ts
 *  gossipLoop      topics and channels ──▶ events                 sender.ts
 *                  all members ──▶ view, now and then             listener.ts
 *  serfJoinLoop    joins the seeds                                join.ts
 * ```
 *
 * The view outlives agents and connections: while there is none, the last that was known is answered. A fault of
 * Serf's is said in the log, by `/ping` and by `/stats`, and never stops nsqd, which serves its clients without.
 *
 * @module
 */

import type { Clock } from "../../base/clock.ts";
import { hostPort } from "../../base/host_port.ts";
import type { Logger } from "../../base/logger.ts";
import { inSlices } from "../../base/time_slice.ts";
import { SYSTEM_TIMERS, within } from "../../base/timers.ts";
import type { RegistrationDb } from "../../cluster/registration_db.ts";
import { SerfAgent } from "../../cluster/serf_agent.ts";
import { SerfClient } from "../../cluster/serf_client.ts";
import { SerfError } from "../../cluster/serf_records.ts";
import type { NodeInfo } from "../../protocol/lookup_requests.ts";
import { isEphemeral } from "../../protocol/names.ts";
import { nodeNameOf, TAG_NAMES, tagsOf, toProducerInfo } from "./event.ts";
import { GossipJoin } from "./join.ts";
import { type AgentSource, type SerfLink, SerfLinks, type SerfWorld } from "./link.ts";
import { GossipListener } from "./listener.ts";
import { type GossipOptions, readGossipSecrets, tcpAddressOf } from "./options.ts";
import { GossipSender, type GossipTopics } from "./sender.ts";
import { GossipView } from "./view.ts";

/** What gossip uses of the daemon it belongs to. */
export interface GossipContext {
  readonly options: GossipOptions;
  readonly logger: Logger;
  /** The time of day; for what passes there are timers. */
  readonly clock: Pick<Clock, "nowMs">;
  /** What this node has. */
  readonly topics: GossipTopics;
  /** Who this node is, and where it is found. */
  readonly nodeInfo: NodeInfo;
  /** Port of HTTPS, `undefined` where there is none. */
  readonly httpsPort: number | undefined;
}

/** A task of nsqd's. */
export interface GossipTask {
  readonly name: string;
  readonly run: (signal: AbortSignal) => Promise<void>;
}

const WORLD: SerfWorld = { timers: SYSTEM_TIMERS, connect: (endpoint) => SerfClient.connect(endpoint) };

/** What a node has not repeated so often, and for so long, is gone. NSQ's measure is 300 s. */
const STALE_AFTER_REGOSSIPS = 5;
const STALE_AFTER_MIN_MS = 300_000;
/** How long it may take to tell the others that this node goes. */
const FAREWELL_TIMEOUT_MS = 2000;
/** How long `/stats` waits for the agent. */
const STATS_TIMEOUT_MS = 1000;

/** Gossip of one nsqd. */
export class Gossip {
  readonly #context: GossipContext;
  readonly #world: SerfWorld;
  /** Absent where an agent is used that is not ours. */
  readonly #agent: SerfAgent | undefined;
  readonly #links: SerfLinks;
  readonly #view: GossipView;
  readonly #sender: GossipSender;
  readonly #join: GossipJoin;
  readonly #listener: GossipListener;
  #leaving: Promise<void> | undefined;

  /**
   * Knows what this node has, and reads the secrets. To be made when the ports are known.
   *
   * @throws {OptionError} If a secret cannot be used.
   */
  constructor(context: GossipContext, world: SerfWorld = WORLD) {
    const { options, logger, nodeInfo: info } = context;
    this.#context = context;
    this.#world = world;
    const secrets = readGossipSecrets(options);
    if (options.serfRpcAddress === "") {
      this.#agent = ownAgent(context, { encryptKey: secrets.encryptKey, world });
    }
    const source = this.#agent ?? foreignAgent(options.serfRpcAddress, secrets.rpcAuthKey);
    this.#links = new SerfLinks(source, { world, logger });
    this.#view = new GossipView({
      logger,
      ownName: nodeNameOf(info),
      ownInfo: toProducerInfo(this.#agent ? advertiseAddressOf(context) : "", info),
      staleAfterMs: Math.max(STALE_AFTER_REGOSSIPS * options.gossipRegossipIntervalMs, STALE_AFTER_MIN_MS),
    });
    this.#sender = new GossipSender({
      logger,
      timers: world.timers,
      topics: context.topics,
      regossipIntervalMs: options.gossipRegossipIntervalMs,
      ownName: () => this.#view.ownName,
      hasPeers: () => this.#view.memberCount > 0,
      clock: context.clock,
    });
    this.#join = new GossipJoin({
      world,
      logger,
      seeds: options.gossipSeedAddresses,
      knownAddresses: (countMax) => this.#view.addresses(countMax),
    });
    this.#listener = new GossipListener({
      logger,
      timers: world.timers,
      clock: context.clock,
      view: this.#view,
      tags: this.#agent ? undefined : tagsOf(info, context.httpsPort),
      memberGone: () => this.#join.memberGone(),
    });
    for (const { topic, channel } of this.#sender.everything()) this.#view.addOwn(topic, channel);
  }

  /** What is to be run, each until its signal aborts. */
  get tasks(): readonly GossipTask[] {
    const agent = this.#agent;
    return [
      ...agent ? [{ name: "serfAgent", run: (signal: AbortSignal) => agent.run(signal) }] : [],
      { name: "serfEventLoop", run: (signal) => this.#links.run(this.#listener, signal) },
      { name: "gossipLoop", run: (signal) => this.#gossip(signal) },
      { name: "serfJoinLoop", run: (signal) => this.#eachLink(signal, (link) => this.#join.join(link)) },
    ];
  }

  /** Who has what, of all nodes that are there. */
  get db(): RegistrationDb {
    return this.#view.db;
  }

  /** What is wrong, if something is. */
  get problem(): string | undefined {
    const alone = this.#view.memberCount === 0 ? this.#join.problem : undefined;
    return this.#agent?.problem ?? this.#links.problem ?? alone;
  }

  /** The channels that a topic has on any node, without ephemeral ones. */
  channelsOf(topic: string): string[] {
    const channels = [...this.db.topics(topic)].flatMap(({ channels }) => [...channels.keys()]);
    return channels.filter((name) => !isEphemeral(name));
  }

  /** A topic, or a channel of it, came or went. */
  changed(topic: string, channel?: string): void {
    if (this.#leaving) return;
    const found = this.#context.topics.get(topic);
    const exists = found !== undefined && (channel === undefined || found.channels.has(channel));
    if (exists) this.#view.addOwn(topic, channel);
    else this.#view.removeOwn(topic, channel);
    this.#sender.add({ topic, channel, operation: exists ? "+" : "-" });
  }

  /** What `/stats` tells: how the agent is, and what it tells of itself. */
  async stats(): Promise<Record<string, string>> {
    const own = {
      health: this.problem ?? "OK",
      node: this.#view.ownName,
      nodes: String(this.#view.memberCount + 1),
      agent_restarts: String(this.#agent?.restartCount ?? 0),
    };
    const client = this.#links.current.value?.client;
    if (client === undefined) return own;
    try {
      const groups = await within(this.#world.timers, STATS_TIMEOUT_MS, client.stats());
      return { ...own, ...Object.fromEntries(groups?.get("serf") ?? []) };
    } catch (error) {
      if (error instanceof SerfError) return own;
      throw error;
    }
  }

  /**
   * Tells the other nodes that this one has nothing any more. An agent of our own leaves when its task ends, but NSQ's
   * nodes take no notice of that; one that is not ours stays, without our tags.
   */
  leave(): Promise<void> {
    return this.#leaving ??= this.#leave();
  }

  async #leave(): Promise<void> {
    const removed = inSlices(this.#view.removingSelf());
    this.#agent?.retire();
    const client = this.#links.current.value?.client;
    if (client) await within(this.#world.timers, FAREWELL_TIMEOUT_MS, this.#sayFarewell(client));
    await removed;
  }

  async #sayFarewell(client: SerfClient): Promise<void> {
    await this.#sender.sayFarewell(client);
    if (this.#agent || client.failure) return;
    try {
      await client.updateTags({}, TAG_NAMES);
    } catch (error) {
      if (!(error instanceof SerfError)) throw error;
      this.#context.logger.error(`SERF: cannot remove the tags of the agent - ${error.message}`);
    }
  }

  async #gossip(signal: AbortSignal): Promise<void> {
    await this.#eachLink(signal, async (link) => {
      await Promise.all([this.#sender.send(link), this.#listener.keepInStep(link)]);
    });
    this.#context.logger.info("GOSSIP: exiting");
  }

  async #eachLink(signal: AbortSignal, use: (link: SerfLink) => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      const link = await this.#links.current.get();
      if (link === undefined) return;
      await use(link);
      await aborted(link.signal);
    }
  }
}

/** Settles when the signal aborts. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function ownAgent(
  context: GossipContext,
  { encryptKey, world }: { readonly encryptKey: string; readonly world: SerfWorld },
): SerfAgent {
  const { options, logger, nodeInfo: info } = context;
  const { hostname, port } = tcpAddressOf(options.gossipAddress);
  return new SerfAgent({
    executable: options.serfPath,
    nodeName: nodeNameOf(info),
    bindAddress: hostPort({ hostname: hostname === "" ? "0.0.0.0" : hostname, port }),
    advertiseAddress: advertiseAddressOf(context),
    tags: tagsOf(info, context.httpsPort),
    encryptKey,
  }, { logger, timers: world.timers });
}

function foreignAgent(address: string, authKey: string): AgentSource {
  const { hostname, port } = tcpAddressOf(address);
  return { endpoint: () => Promise.resolve({ hostname, port, authKey }) };
}

/** Other nodes reach the agent where clients reach this node, as in NSQ. */
function advertiseAddressOf({ options, nodeInfo }: GossipContext): string {
  return hostPort({ hostname: nodeInfo.broadcast_address, port: tcpAddressOf(options.gossipAddress).port });
}
