/**
 * What is said on a connection before it can be used:
 *
 * ```
 *  "  V2" IDENTIFY ──► answer ──► [ TLS ──► OK ] ──► [ snappy | deflate ──► OK ] ──► [ AUTH ──► answer ]
 * ```
 *
 * Here frames are awaited one by one, because behind an answer the bytes may be of another layer already.
 *
 * @module
 */

import { hostname } from "node:os";
import { writeBodyCommand, writeCommand } from "../protocol/command_writer.ts";
import { MAGIC_V2 } from "../protocol/command_reader.ts";
import { FRAME_TYPE } from "../protocol/frames.ts";
import { type FrameOwner, FrameReader } from "../protocol/frame_reader.ts";
import { Output } from "../net/output.ts";
import type { NodeAddress } from "./address.ts";
import { DeflateLink } from "./deflate_link.ts";
import { ConnectionError, NsqdError } from "./errors.ts";
import type { Link, LinkOwner } from "./link.ts";
import { CLIENT_VERSION, type ConnectionOptions, DEFAULTS, type TlsOptions } from "./options.ts";
import { SnappyLink } from "./snappy_link.ts";

/** Answers of the handshake are short; more bytes than this in one are none. */
const ANSWER_SIZE_MAX = 1024 * 1024;
const HEARTBEAT = "_heartbeat_";

/** What only a consumer tells nsqd when it connects. */
export interface ConsumerIdentity {
  readonly msgTimeoutMs?: number;
  readonly sampleRate?: number;
}

/** What nsqd has said of itself, and of how it treats this connection. */
export interface NodeInfo {
  readonly version: string;
  /** The greatest RDY that it takes. */
  readonly maxRdyCount: number;
  /** When it takes an unanswered message for lost, in ms. */
  readonly msgTimeoutMs: number;
  readonly maxMsgTimeoutMs: number;
}

/** A connection that can be used. */
export interface Greeted {
  readonly link: Link;
  readonly info: NodeInfo;
  /** Gives the link to its owner, who is told what has come for it meanwhile. */
  handOver(owner: LinkOwner): void;
}

/** Makes a link usable. */
export async function shakeHands(
  link: Link,
  address: NodeAddress,
  options: ConnectionOptions & ConsumerIdentity,
  signal: AbortSignal,
): Promise<Greeted> {
  const talk = new Talk(link, address.text);
  const answer = await talk.ask("IDENTIFY", identityOf(address, options), MAGIC_V2);
  const said = answer.startsWith("{") ? JSON.parse(answer) as Readonly<Record<string, unknown>> : {};

  if (asksForTls(address, options) && said.tls_v1 !== true && tlsOptions(options).optional !== true) {
    throw new ConnectionError(address.text, "The node does not offer TLS");
  }
  if (said.tls_v1 === true) {
    if (!talk.link.startTls) {
      throw new ConnectionError(address.text, "TLS is not possible over this transport");
    }
    await talk.upgrade(await talk.link.startTls(tlsOptions(options), signal));
  }
  if (said.snappy === true) await talk.upgrade(new SnappyLink(talk.link));
  else if (said.deflate === true) {
    const asked = options.deflateLevel ?? DEFAULTS.deflateLevel;
    await talk.upgrade(new DeflateLink(talk.link, numberOr(said.deflate_level, asked)));
  }
  if (said.auth_required === true) await authenticate(talk, address, options, signal);
  return { link: talk.link, info: infoOf(said), handOver: (owner) => talk.handOver(owner) };
}

/** The options of TLS, if it is on. */
export function tlsOptions({ tls }: ConnectionOptions): TlsOptions {
  return typeof tls === "object" ? tls : {};
}

async function authenticate(
  talk: Talk,
  address: NodeAddress,
  { authSecret }: ConnectionOptions,
  signal: AbortSignal,
): Promise<void> {
  const secret = typeof authSecret === "function" ? await unlessAborted(authSecret(), signal) : authSecret;
  if (!secret) throw new ConnectionError(address.text, "The node demands a secret, and none is given");
  await talk.ask("AUTH", secret);
}

/** What the program gives, unless it takes too long: a connection must not hang on it. */
function unlessAborted<T>(given: T | Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort);
    Promise.resolve(given).then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function asksForTls(address: NodeAddress, { tls = false }: ConnectionOptions): boolean {
  return tls !== false && (address.kind === "tcp" || address.kind === "unix");
}

function identityOf(address: NodeAddress, options: ConnectionOptions & ConsumerIdentity): string {
  const host = options.hostname ?? hostname();
  const { msgTimeoutMs, sampleRate, topology, compression } = options;
  return JSON.stringify({
    client_id: options.clientId ?? host.split(".")[0],
    hostname: host,
    user_agent: options.userAgent ?? `denosq-client/${CLIENT_VERSION}`,
    feature_negotiation: true,
    tls_v1: asksForTls(address, options),
    snappy: compression === "snappy",
    deflate: compression === "deflate",
    deflate_level: options.deflateLevel ?? DEFAULTS.deflateLevel,
    heartbeat_interval: options.heartbeatIntervalMs ?? DEFAULTS.heartbeatIntervalMs,
    output_buffer_size: options.outputBufferSizeBytes ?? DEFAULTS.outputBufferSizeBytes,
    output_buffer_timeout: options.outputBufferTimeoutMs ?? DEFAULTS.outputBufferTimeoutMs,
    ...sampleRate !== undefined && { sample_rate: sampleRate },
    ...msgTimeoutMs !== undefined && { msg_timeout: msgTimeoutMs },
    ...topology?.region !== undefined && { topology_region: topology.region },
    ...topology?.zone !== undefined && { topology_zone: topology.zone },
  });
}

/** NSQ's own defaults stand for what an old nsqd, which answers OK, does not tell. */
function infoOf(said: Readonly<Record<string, unknown>>): NodeInfo {
  return {
    version: typeof said.version === "string" ? said.version : "",
    maxRdyCount: numberOr(said.max_rdy_count, 2500),
    msgTimeoutMs: numberOr(said.msg_timeout, 60_000),
    maxMsgTimeoutMs: numberOr(said.max_msg_timeout, 15 * 60_000),
  };
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
}

/** Question and answer on a link. */
class Talk implements LinkOwner, FrameOwner {
  link: Link;
  readonly #node: string;
  /** Of the layer that is spoken now. */
  #unread: Uint8Array[] = [];
  #reader: FrameReader;
  #answer: { readonly type: number; readonly text: string } | undefined;
  #over: { readonly error: Error } | undefined;
  #wake: (() => void) | undefined;

  constructor(link: Link, node: string) {
    this.link = link;
    this.#node = node;
    this.#reader = new FrameReader(this, { sizeMax: ANSWER_SIZE_MAX });
    link.owner = this;
  }

  /** Sends a command and waits for its answer. */
  async ask(line: string, body: string, before = ""): Promise<string> {
    const output = new Output();
    for (const character of before) output.bytes[output.reserve(1)] = character.charCodeAt(0);
    writeBodyCommand(output, line, new TextEncoder().encode(body));
    await this.#write(output.take());
    return await this.#next();
  }

  /** Goes on in another layer, which begins with an OK. */
  async upgrade(link: Link): Promise<void> {
    const below = this.link;
    const rest = this.#unread;
    this.#unread = [];
    this.#reader = new FrameReader(this, { sizeMax: ANSWER_SIZE_MAX });
    this.link = link;
    link.owner = this;
    if (rest.length > 0) {
      // TLS begins with what this side says: what came before it is not protected, and not from the node, it may be.
      if (below.owner === this) throw new ConnectionError(this.#node, "Bytes came before TLS began");
      for (const bytes of rest) below.owner?.received(bytes);
    }
    const answer = await this.#next();
    if (answer !== "OK") {
      throw new ConnectionError(this.#node, `The node has answered ${answer} to an upgrade`);
    }
  }

  /** Ends the talk: the link has another owner from now on. */
  handOver(owner: LinkOwner): void {
    this.link.owner = owner;
    for (const bytes of this.#unread) owner.received(bytes);
    if (this.#over) owner.ended(this.#over.error);
  }

  received(bytes: Uint8Array): void {
    this.#unread.push(bytes);
    this.#wake?.();
  }

  ended(error?: Error): void {
    this.#over ??= { error: error ?? new ConnectionError(this.#node, "The node has closed the connection") };
    this.#wake?.();
  }

  message(): void {
    throw new ConnectionError(this.#node, "The node has sent a message that was not asked for");
  }

  response(data: Uint8Array): void {
    this.#answer = { type: FRAME_TYPE.response, text: new TextDecoder().decode(data) };
  }

  error(data: Uint8Array): void {
    this.#answer = { type: FRAME_TYPE.error, text: new TextDecoder().decode(data) };
  }

  /** The next answer; heartbeats come whenever they will. */
  async #next(): Promise<string> {
    for (;;) {
      const answer = await this.#frame();
      if (answer.type === FRAME_TYPE.error) throw new NsqdError(this.#node, answer.text);
      if (answer.text !== HEARTBEAT) return answer.text;
      const output = new Output();
      writeCommand(output, "NOP");
      await this.#write(output.take());
    }
  }

  /** Reads byte by byte until there is a frame, so that none of what is behind it is taken for frames too. */
  async #frame(): Promise<{ readonly type: number; readonly text: string }> {
    this.#answer = undefined;
    for (;;) {
      while (this.#unread.length > 0) {
        const bytes = this.#unread[0];
        for (let at = 0; at < bytes.length; at++) {
          this.#reader.push(bytes.subarray(at, at + 1));
          if (this.#answer) {
            if (at + 1 < bytes.length) this.#unread[0] = bytes.subarray(at + 1);
            else this.#unread.shift();
            return this.#answer;
          }
        }
        this.#unread.shift();
      }
      if (this.#over) throw this.#over.error;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  #write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      // What the node has said before it closed the connection is worth more than that it did.
      this.#wake = () => this.#over && resolve();
      this.link.write(bytes, (error) => error ? reject(error) : resolve());
    });
  }
}
