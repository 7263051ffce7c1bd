/**
 * One nsqlookupd, and what it is told (nsqd/lookup_peer.go): who this node is, which topics and channels it has, and
 * every 15 s that it is still there. A peer waits for nobody but its own nsqlookupd:
 *
 * ```
 *            ┌─────────────── wait, 1 s to 15 s ◄───────────────┐ any error, EOF
 *            ▼                                                  │
 *        connect ──► IDENTIFY ──► everything there is ──► what changes, PING
 * ```
 *
 * What is to be told is a set of names. Whether a name is registered or unregistered is found out when its turn comes,
 * by whether it is there then; so nothing that comes and goes meanwhile piles up, and what was told last is always
 * how it is. Requests go out in batches: thirty thousand registrations take sixty round trips. A name that is refused
 * takes nothing from the others: see refusals.ts.
 *
 * @module
 */

import { formatDuration } from "../../base/duration.ts";
import { errorText } from "../../base/error_text.ts";
import type { Logger } from "../../base/logger.ts";
import {
  decodePeerInfo,
  encodeLookupIdentify,
  encodeLookupLines,
  LOOKUP_MAGIC,
  type NodeInfo,
  type PeerInfo,
} from "../../protocol/lookup_requests.ts";
import type { LookupHost } from "./addresses.ts";
import { LookupConnection, type LookupOutside } from "./connection.ts";
import { Refusals } from "./refusals.ts";

/** What a peer uses of nsqd. */
export interface LookupPeerContext {
  readonly logger: Logger;
  /** What is registered. */
  readonly topics: ReadonlyMap<string, { readonly channels: ReadonlyMap<string, unknown> }>;
  /** The largest answer that is taken. */
  readonly answerSizeMax: number;
  /** Who this node is, at this moment. */
  nodeInfo(): NodeInfo;
}

/** How often nsqlookupd is told that this node is there, by NSQ's measure. */
export const HEARTBEAT_INTERVAL_MS = 15_000;
/** The wait before a lost connection is made again; it doubles until it is that of heartbeats. */
export const RECONNECT_MIN_MS = 1000;
/** Requests that are sent before the first of their answers is read. */
export const BATCH_MAX = 500;
/** Requests that are made, and logged, before others have their turn. */
const SLICE_MAX = 50;

/** The most of an answer that a line of the log shows. */
const SHOWN_MAX = 200;

const PING = "PING";

/** A request about a topic, or a channel of it, whose name is `topic` or `topic channel`. */
interface Request {
  readonly command: "REGISTER" | "UNREGISTER";
  readonly name: string;
}

/** A name that is to be told, and what its line of the log begins with. */
interface NextName {
  readonly name: string;
  readonly branch: string;
  /** It has been refused before. */
  readonly again?: boolean;
}

/** Keeps one nsqlookupd informed. */
export class LookupPeer {
  /** Where it is; another way to it is used from the next connection on. */
  host: LookupHost;
  readonly #context: LookupPeerContext;
  readonly #outside: LookupOutside;
  /** Names that are to be told, `topic` or `topic channel`, each with what its line of the log begins with. */
  readonly #pending = new Map<string, string>();
  /** What there is of topics and channels, as far as this connection has not been told of it. */
  #untold: Iterator<string> = [].values();
  readonly #refusals = new Refusals();
  /** Names that have been refused, and are to be told again, when all others are told. */
  #toldAgain: string[] = [];
  readonly #introduced = Promise.withResolvers<void>();
  #info: PeerInfo | undefined;
  #connected = false;
  /** Settles when there is something to tell. */
  #news = Promise.withResolvers<void>();

  constructor(host: LookupHost, context: LookupPeerContext, outside: LookupOutside) {
    this.host = host;
    this.#context = context;
    this.#outside = outside;
  }

  /** What it has said of itself, this time or the last. */
  get info(): PeerInfo | undefined {
    return this.#info;
  }

  /** True while it knows that this node is there. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Settles when it has been connected to for the first time, or has not answered. */
  get introduced(): Promise<void> {
    return this.#introduced.promise;
  }

  /** A topic, or a channel of it, came or went. */
  changed(topic: string, channel?: string): void {
    // Without a connection there is nothing to note: it begins with everything there is.
    if (this.#connected) {
      if (channel === undefined) this.#pending.set(topic, "topic ");
      else this.#pending.set(`${topic} ${channel}`, "channel ");
    }
    this.#news.resolve();
  }

  /** Keeps it informed until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.#converse(signal, () => failures = 0);
      } catch (error) {
        if (signal.aborted) break;
        this.#context.logger.error(`LOOKUPD(${this.host.text}): ${errorText(error)}`);
      } finally {
        this.#connected = false;
        this.#introduced.resolve();
      }
      await this.#waitToReconnect(failures++, signal);
    }
    this.#introduced.resolve();
  }

  /** One connection, from its begin to its end, which is an error. */
  async #converse(signal: AbortSignal, onProof: () => void): Promise<void> {
    const { logger, answerSizeMax } = this.#context;
    logger.info(`LOOKUP connecting to ${this.host.text}`);
    const options = { answerSizeMax, signal };
    using connection = await naming(
      "connect",
      () => LookupConnection.open(this.host, this.#outside, options),
    );
    const over = new AbortController();
    const close = () => connection.close();
    signal.addEventListener("abort", close, { once: true });
    try {
      await this.#introduce(connection);
      this.#connected = true;
      this.#introduced.resolve();
      this.#pending.clear();
      this.#toldAgain = [];
      this.#untold = this.#names();
      await this.#inform(connection, onProof, over.signal);
    } finally {
      over.abort();
      signal.removeEventListener("abort", close);
    }
  }

  /** Says who this node is, and learns who the other is. */
  async #introduce(connection: LookupConnection): Promise<void> {
    const { logger } = this.#context;
    const { text } = this.host;
    await connection.send(LOOKUP_MAGIC);
    const answer = await naming("IDENTIFY", async () => {
      await connection.send(encodeLookupIdentify(this.#context.nodeInfo()));
      return await connection.answer();
    });
    let info: PeerInfo;
    try {
      info = decodePeerInfo(answer);
    } catch (cause) {
      throw new Error(`parsing response - ${shown(answer)}`, { cause });
    }
    const { tcpPort, httpPort, version, broadcastAddress } = info;
    // As Go prints a struct.
    logger.info(
      `LOOKUPD(${text}): peer info {TCPPort:${tcpPort} HTTPPort:${httpPort} Version:${version} ` +
        `BroadcastAddress:${broadcastAddress}}`,
    );
    if (broadcastAddress === "") logger.error(`LOOKUPD(${text}): no broadcast address`);
    this.#info = info;
  }

  /** Tells what is to be told, and that this node is there, again and again. */
  async #inform(connection: LookupConnection, onProof: () => void, signal: AbortSignal): Promise<void> {
    const { logger } = this.#context;
    let isDue = false;
    let heartbeat = Promise.resolve();
    const restartHeartbeat = () => {
      isDue = false;
      heartbeat = this.#outside.sleep(HEARTBEAT_INTERVAL_MS, signal).then(() => void (isDue = true));
    };
    restartHeartbeat();
    for (;;) {
      if (isDue) {
        restartHeartbeat();
        logger.debug(`LOOKUPD(${this.host.text}): sending heartbeat`);
        await this.#ping(connection);
        onProof();
        this.#toldAgain.push(...this.#refusals.heartbeat((name) => this.#isThere(name)));
      }
      this.#news = Promise.withResolvers();
      if (await this.#tellBatch(connection) === 0) {
        const news = Promise.race([this.#news.promise, heartbeat]);
        await naming("connection lost", () => connection.idle(news));
      }
    }
  }

  /** Tells some of what is to be told; returns how many requests that took. */
  async #tellBatch(connection: LookupConnection): Promise<number> {
    const requests: Request[] = [];
    while (requests.length < BATCH_MAX) {
      const slice = this.#nextSlice();
      if (slice.length === 0) break;
      await send(connection, slice.map(lineOf));
      requests.push(...slice);
    }
    for (const request of requests) {
      const answer = await naming(lineOf(request), () => connection.answer());
      if (isRefusal(answer)) this.#refused(request, answer);
      else this.#refusals.remove(request.name);
    }
    return requests.length;
  }

  #nextSlice(): Request[] {
    const { logger } = this.#context;
    const requests: Request[] = [];
    for (let next = this.#nextName(); next !== undefined; next = this.#nextName()) {
      const { name, branch, again = false } = next;
      const command = this.#isThere(name) ? "REGISTER" : "UNREGISTER";
      // It is not registered, so there is nothing to end, or waits for its time.
      if (command === "UNREGISTER" ? this.#refusals.remove(name) : this.#refusals.has(name) && !again) {
        continue;
      }
      const request: Request = { command, name };
      logger.info(`LOOKUPD(${this.host.text}): ${branch}${lineOf(request)}`);
      requests.push(request);
      if (requests.length === SLICE_MAX) break;
    }
    return requests;
  }

  /** What has changed comes first: somebody may be waiting for it. */
  #nextName(): NextName | undefined {
    for (const [name, branch] of this.#pending) {
      this.#pending.delete(name);
      return { name, branch };
    }
    const { done, value } = this.#untold.next();
    if (!done) return { name: value, branch: "" };
    const name = this.#toldAgain.shift();
    return name === undefined ? undefined : { name, branch: "", again: true };
  }

  /** Names of everything there is, found one by one, so that it may change meanwhile; but for what has been refused. */
  *#names(): Generator<string, undefined> {
    for (const [topic, { channels }] of this.#context.topics) {
      let isTold = false;
      for (const channel of channels.keys()) {
        const name = `${topic} ${channel}`;
        if (this.#refusals.has(name)) continue;
        yield name;
        isTold = true;
      }
      // With a channel its topic is registered.
      if (!isTold) yield topic;
    }
  }

  #isThere(name: string): boolean {
    const [topic, channel] = name.split(" ");
    const channels = this.#context.topics.get(topic)?.channels;
    return channel === undefined ? channels !== undefined : channels?.has(channel) === true;
  }

  #refused(request: Request, answer: Uint8Array): void {
    const { name, command } = request;
    const text = shown(answer);
    const said = `LOOKUPD(${this.host.text}): ${lineOf(request)} - ${text}`;
    if (command === "UNREGISTER") {
      this.#context.logger.error(said);
      return;
    }
    const wait = this.#refusals.add(name, text);
    const when = wait === Infinity ? "never" : `in ${formatDuration(wait * HEARTBEAT_INTERVAL_MS)}`;
    this.#context.logger.error(`${said}; told again: ${when}`);
    // The topic would have been registered with its channel.
    const [topic, channel] = name.split(" ");
    if (channel !== undefined) this.#pending.set(topic, "");
  }

  async #ping(connection: LookupConnection): Promise<void> {
    await send(connection, [PING]);
    const answer = await naming(PING, () => connection.answer());
    // It ends the connection after that, and this node has to be told of anew.
    if (isRefusal(answer)) throw new Error(`${PING} - ${shown(answer)}`);
  }

  /** Waits twice as long after each failure; news end the wait once it has been as long as the first. */
  async #waitToReconnect(failures: number, signal: AbortSignal): Promise<void> {
    this.#news = Promise.withResolvers();
    const waitMs = Math.min(RECONNECT_MIN_MS * 2 ** failures, HEARTBEAT_INTERVAL_MS);
    await this.#outside.sleep(RECONNECT_MIN_MS, signal);
    if (waitMs === RECONNECT_MIN_MS || signal.aborted) return;
    const over = new AbortController();
    const abort = () => over.abort();
    signal.addEventListener("abort", abort, { once: true });
    const rest = this.#outside.sleep(waitMs - RECONNECT_MIN_MS, over.signal);
    await Promise.race([rest, this.#news.promise]);
    signal.removeEventListener("abort", abort);
    over.abort();
    await rest;
  }
}

/** Sends requests together. */
async function send(connection: LookupConnection, lines: readonly string[]): Promise<void> {
  await naming(lines[0], () => connection.send(encodeLookupLines(lines)));
}

function lineOf({ command, name }: Request): string {
  return `${command} ${name}`;
}

/** Codes of errors begin with `E_`. */
function isRefusal(answer: Uint8Array): boolean {
  return answer[0] === 69 && answer[1] === 95;
}

/** Puts the request before the text of what goes wrong with it, as NSQ's log has it. */
async function naming<T>(line: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new Error(`${line} - ${errorText(cause)}`, { cause });
  }
}

/** An answer for a line of the log, whatever bytes it has. */
function shown(answer: Uint8Array): string {
  return new TextDecoder().decode(answer.subarray(0, SHOWN_MAX));
}
