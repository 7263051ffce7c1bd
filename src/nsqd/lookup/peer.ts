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
 * how it is. Requests go out in batches: thirty thousand registrations take sixty round trips.
 *
 * @module
 */

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
      this.#untold = namesIn(this.#context.topics);
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
        await send(connection, ["PING"]);
        await readAnswers(connection, ["PING"]);
        onProof();
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
    const lines: string[] = [];
    while (lines.length < BATCH_MAX) {
      const slice = this.#nextSlice();
      if (slice.length === 0) break;
      await send(connection, slice);
      lines.push(...slice);
    }
    await readAnswers(connection, lines);
    return lines.length;
  }

  #nextSlice(): string[] {
    const { logger, topics } = this.#context;
    const lines: string[] = [];
    for (let name = this.#nextName(); name !== undefined; name = this.#nextName()) {
      const [topic, channel] = name.text.split(" ");
      const channels = topics.get(topic)?.channels;
      const isThere = channel === undefined ? channels !== undefined : channels?.has(channel) === true;
      const line = `${isThere ? "REGISTER" : "UNREGISTER"} ${name.text}`;
      logger.info(`LOOKUPD(${this.host.text}): ${name.branch}${line}`);
      lines.push(line);
      if (lines.length === SLICE_MAX) break;
    }
    return lines;
  }

  /** What has changed comes first: somebody may be waiting for it. */
  #nextName(): { readonly text: string; readonly branch: string } | undefined {
    for (const [text, branch] of this.#pending) {
      this.#pending.delete(text);
      return { text, branch };
    }
    const { done, value } = this.#untold.next();
    return done ? undefined : { text: value, branch: "" };
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

/** Names of everything there is, found one by one, so that it may change meanwhile. */
function* namesIn(topics: LookupPeerContext["topics"]): Generator<string, undefined> {
  for (const [topic, { channels }] of topics) {
    // With a channel its topic is registered.
    if (channels.size === 0) yield topic;
    for (const channel of channels.keys()) yield `${topic} ${channel}`;
  }
}

/** Sends requests together. */
async function send(connection: LookupConnection, lines: readonly string[]): Promise<void> {
  await naming(lines[0], () => connection.send(encodeLookupLines(lines)));
}

/** Reads the answers to requests. Rejects when one is refused, naming it. */
async function readAnswers(connection: LookupConnection, lines: readonly string[]): Promise<void> {
  for (const line of lines) {
    const answer = await naming(line, () => connection.answer());
    // It ends the connection after any of these, and this node has to be told of anew.
    if (isRefusal(answer)) throw new Error(`${line} - ${shown(answer)}`);
  }
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
  const text = new TextDecoder().decode(answer.subarray(0, SHOWN_MAX));
  return text.replace(/\p{Cc}/gu, "\uFFFD");
}
