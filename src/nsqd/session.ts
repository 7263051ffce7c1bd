/**
 * A TCP client's connection: reads commands, carries them out, sends answers and messages
 * (nsqd/tcp.go, nsqd/protocol_v2.go, nsqd/client_v2.go).
 *
 * Work is done per buffer, never per message: one read fills a large buffer, every complete command in it is
 * carried out, and at the end of the turn everything for this connection goes out in one write. So a client's
 * output buffer never waits for its timeout: what NSQ holds back for up to 250 ms is sent at once, together
 * with whatever else the turn brought.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Broker } from "../broker/broker.ts";
import type { Channel } from "../broker/channel.ts";
import { Consumer, type MessageSink } from "../broker/consumer.ts";
import type { Segment } from "../broker/segment.ts";
import type { Topic } from "../broker/topic.ts";
import { type Connection, isDisconnect } from "../net/connection.ts";
import { Output } from "../net/output.ts";
import { CommandReader, MAGIC_V2 } from "../protocol/command_reader.ts";
import { ProtocolError } from "../protocol/errors.ts";
import {
  encodeFrame,
  FRAME_HEADER_LENGTH,
  FRAME_TYPE,
  HEARTBEAT_FRAME,
  MESSAGE_HEADER_LENGTH,
  writeU32,
} from "../protocol/frames.ts";
import { writeMessageId } from "../protocol/message_id.ts";
import { bytesOf } from "../protocol/quote.ts";
import { executeCommand } from "./commands.ts";
import type { ConnectionSettings } from "./identify.ts";
import type { NsqdOptions } from "./options.ts";
import type { Turn, TurnMember } from "./turn.ts";

/** NSQ's default size of a client's output buffer, in bytes. */
const OUTPUT_BUFFER_SIZE = 16 * 1024;
/** NSQ's ClientTimeout: heartbeats come twice in that time. */
const CLIENT_TIMEOUT_MS = 60_000;
/** A consumer with more output than this waiting gets no messages until it has read some, in bytes. */
const OUTPUT_PENDING_MAX = 256 * 1024;
/** Bodies up to this length are copied by hand: it costs less than making a view, in bytes. */
const SMALL_BODY_LENGTH = 48;

/** States of a client, by NSQ's numbers. */
export const CLIENT_STATE = { init: 0, subscribed: 3, closing: 4 } as const;
/** One of the states. */
export type ClientState = typeof CLIENT_STATE[keyof typeof CLIENT_STATE];

/** What a session uses of its daemon. */
export interface SessionContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly broker: Broker;
  readonly turn: Turn;
  /** The options in force. */
  readonly options: NsqdOptions;
  /** The clients that speak the protocol; a session adds and removes itself. */
  readonly clients: Set<Session>;
}

/** A client of the TCP protocol. */
export class Session implements MessageSink, TurnMember {
  readonly context: SessionContext;
  readonly reader = new CommandReader();
  readonly settings: ConnectionSettings;
  readonly remoteAddress: string;
  readonly connectTimeS: number;
  /** Messages published, by topic. */
  readonly pubCounts = new Map<string, number>();
  state: ClientState = CLIENT_STATE.init;
  clientId: string;
  hostname: string;
  userAgent = "";
  topologyRegion = "";
  topologyZone = "";
  /** The topic of the last publish or SUB, as text and as it came. */
  lastTopic: { readonly name: string; readonly bytes: Uint8Array } = { name: "", bytes: Uint8Array.of(0) };
  /** Set by SUB. */
  subscription: { readonly channel: Channel; readonly consumer: Consumer } | undefined;

  /** When the bytes came that are being worked on: asked for once a read, not once a message. */
  nowMs: number;

  readonly #connection: Connection;
  readonly #output = new Output();
  readonly #nodeId: number;
  #closed = false;
  /** The client is told why and then left: nothing more is read. */
  #failed = false;
  #writing: Promise<void> | undefined;
  /** Bytes that are being written. */
  #writingBytes = 0;
  #writeStartedMs = 0;
  #lastHeartbeatMs: number;
  /** Length of the output before the first answer to a publish of this turn, or -1. */
  #publishMark = -1;
  #publishCommand = "";
  readonly #publishTopics = new Set<Topic>();

  constructor(context: SessionContext, connection: Connection) {
    const nowMs = context.clock.nowMs();
    const { options } = context;
    this.context = context;
    this.#connection = connection;
    this.#nodeId = options.nodeId;
    this.remoteAddress = connection.peer;
    this.connectTimeS = Math.floor(nowMs / 1000);
    this.clientId = this.hostname = hostOf(connection.peer);
    this.nowMs = this.#lastHeartbeatMs = nowMs;
    this.settings = {
      heartbeatIntervalMs: CLIENT_TIMEOUT_MS / 2,
      outputBufferSizeBytes: OUTPUT_BUFFER_SIZE,
      outputBufferTimeoutMs: options.outputBufferTimeoutMs,
      sampleRate: 0,
      msgTimeoutMs: options.msgTimeoutMs,
    };
  }

  get readyCount(): number {
    return this.subscription?.consumer.readyCount ?? 0;
  }

  get inFlightCount(): number {
    return this.subscription?.consumer.inFlightCount ?? 0;
  }

  get messageCount(): number {
    return this.subscription?.consumer.messageCount ?? 0;
  }

  get finishCount(): number {
    return this.subscription?.consumer.finishCount ?? 0;
  }

  get requeueCount(): number {
    return this.subscription?.consumer.requeueCount ?? 0;
  }

  get sampleRate(): number {
    return this.settings.sampleRate;
  }

  get writable(): boolean {
    return !this.#closed && this.#output.length + this.#writingBytes < OUTPUT_PENDING_MAX;
  }

  /** Serves the client until one side ends the connection. */
  async run(): Promise<void> {
    const { logger } = this.context;
    logger.info(`TCP: new client(${this.remoteAddress})`);
    try {
      if (await this.#readMagic()) await this.#readCommands();
    } catch (error) {
      if (!this.#closed) logger.error(`client(${this.remoteAddress}) - ${text(error)}`);
    } finally {
      this.#unsubscribe();
      await this.#finishOutput();
      this.close();
    }
  }

  /** Ends the connection at once. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  /** Sends a message. */
  send(segment: Segment, index: number, attempts: number): void {
    const bodyOffset = segment.bodyOffset(index);
    const bodyLength = segment.bodyLength(index);
    const offset = this.#output.reserve(MESSAGE_HEADER_LENGTH + bodyLength);
    const out = this.#output.bytes;
    writeU32(out, offset, MESSAGE_HEADER_LENGTH - 4 + bodyLength);
    writeU32(out, offset + 4, FRAME_TYPE.message);
    writeU32(out, offset + 8, segment.timestampHigh(index));
    writeU32(out, offset + 12, segment.timestampLow(index));
    out[offset + 16] = attempts >>> 8;
    out[offset + 17] = attempts;
    writeMessageId(out, offset + 18, segment.base + index, this.#nodeId);
    const bytes = segment.bytes;
    const start = offset + MESSAGE_HEADER_LENGTH;
    if (bodyLength <= SMALL_BODY_LENGTH) {
      for (let i = 0; i < bodyLength; i++) out[start + i] = bytes[bodyOffset + i];
    } else {
      out.set(bytes.subarray(bodyOffset, bodyOffset + bodyLength), start);
    }
    this.context.turn.hasOutput(this);
    const { logger } = this.context;
    if (logger.debugs) {
      logger.debug(`PROTOCOL(V2): writing msg(${segment.base + index}) to client(${this.remoteAddress})`);
    }
  }

  /** Sends a frame. */
  answer(frame: Readonly<Uint8Array>): void {
    this.#output.append(frame);
    this.context.turn.hasOutput(this);
  }

  /** Notes that a publish of this turn is about to be answered. */
  published(command: string, topic: Topic, count: number): void {
    if (this.#publishMark < 0) {
      this.#publishMark = this.#output.length;
      this.#publishCommand = command;
      this.context.turn.published(this);
    }
    this.#publishTopics.add(topic);
    this.pubCounts.set(topic.name, (this.pubCounts.get(topic.name) ?? 0) + count);
  }

  publishFailed(failed: ReadonlyMap<Topic, unknown>): void {
    for (const topic of this.#publishTopics) {
      if (!failed.has(topic)) continue;
      // The answers were not sent yet: they give way to the error.
      this.#output.truncate(this.#publishMark);
      const cause = failed.get(topic);
      const command = this.#publishCommand;
      this.#fail(
        new ProtocolError(`E_${command}_FAILED` as "E_PUB_FAILED", `${command} failed ${text(cause)}`),
      );
      this.context.turn.hasOutput(this);
      return;
    }
  }

  publishKept(): void {
    this.#publishMark = -1;
    this.#publishTopics.clear();
  }

  flush(): void {
    if (this.#writing || this.#closed || this.#output.length === 0) return;
    this.#writing = this.#write().finally(() => this.#writing = undefined);
  }

  /** Sends a heartbeat when it is time, and ends the connection when the client is silent or does not read. */
  keepAlive(nowMs: number): void {
    const interval = this.settings.heartbeatIntervalMs;
    if (interval === 0 || this.#closed) return;
    if (nowMs - this.nowMs > 2 * interval) {
      this.#end("failed to read command - i/o timeout");
    } else if (this.#writing && nowMs - this.#writeStartedMs > interval) {
      this.#end("failed to write - i/o timeout");
    } else if (nowMs - this.#lastHeartbeatMs >= interval) {
      this.#lastHeartbeatMs = nowMs;
      if (!this.#writing) this.#output.shrink();
      this.answer(HEARTBEAT_FRAME);
    }
  }

  /** Heartbeats are counted anew: their interval has changed. */
  restartHeartbeats(): void {
    this.#lastHeartbeatMs = this.context.clock.nowMs();
  }

  async #readMagic(): Promise<boolean> {
    const { logger } = this.context;
    let magic = this.reader.takeMagic();
    while (magic === undefined) {
      if (!await this.#read()) {
        if (this.#closed) return false;
        throw new Error("failed to read protocol version - unexpected EOF");
      }
      magic = this.reader.takeMagic();
    }
    logger.info(`CLIENT(${this.remoteAddress}): desired protocol magic '${magic}'`);
    if (magic === MAGIC_V2) return true;
    logger.error(`client(${this.remoteAddress}) bad protocol magic '${magic}'`);
    this.answer(encodeFrame(FRAME_TYPE.error, "E_BAD_PROTOCOL"));
    return false;
  }

  async #readCommands(): Promise<void> {
    const { logger, clients } = this.context;
    clients.add(this);
    try {
      do this.#executeAll(); while (!this.#failed && await this.#read());
      if (!this.#failed && !this.#closed) {
        // What was cut off in the middle is answered with the error that NSQ has for it.
        this.reader.end();
        this.#executeAll();
      }
    } finally {
      clients.delete(this);
      logger.info(`PROTOCOL(V2): [${this.remoteAddress}] exiting ioloop`);
    }
  }

  /** Carries out every complete command that has come. */
  #executeAll(): void {
    const { reader } = this;
    while (!this.#failed && !this.#closed) {
      try {
        if (!reader.nextLine()) return;
        if (this.context.logger.debugs) {
          this.context.logger.debug(`PROTOCOL(V2): [${this.remoteAddress}] ${reader.line()}`);
        }
        if (!executeCommand(this)) {
          reader.retry();
          return;
        }
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        this.#fail(error);
      }
    }
  }

  async #read(): Promise<boolean> {
    try {
      const count = await this.#connection.read(this.reader.space());
      if (count === null || this.#closed) return false;
      this.reader.received(count);
      this.nowMs = this.context.clock.nowMs();
      return true;
    } catch (error) {
      if (this.#closed && isDisconnect(error)) return false;
      throw error;
    }
  }

  #fail(error: ProtocolError): void {
    const cause = error.cause === undefined ? "" : ` - ${text(error.cause)}`;
    this.context.logger.error(`[${this.remoteAddress}] - ${error.message}${cause}`);
    const frame = new Uint8Array(FRAME_HEADER_LENGTH + error.message.length);
    writeU32(frame, 0, error.message.length + 4);
    writeU32(frame, 4, FRAME_TYPE.error);
    frame.set(bytesOf(error.message), FRAME_HEADER_LENGTH);
    this.answer(frame);
    if (error.fatal) this.#failed = true;
  }

  async #write(): Promise<void> {
    try {
      while (this.#output.length > 0 && !this.#closed) {
        const wasWritable = this.writable;
        const bytes = this.#output.take();
        this.#writingBytes = bytes.length;
        this.#writeStartedMs = this.context.clock.nowMs();
        for (let sent = 0; sent < bytes.length;) sent += await this.#connection.write(bytes.subarray(sent));
        this.#writingBytes = 0;
        if (!wasWritable) this.subscription?.channel.awake();
      }
    } catch (error) {
      if (!this.#closed) this.#end(`failed to send response - ${text(error)}`);
    }
  }

  /** Sends what is left, after everything of this turn has been decided. */
  async #finishOutput(): Promise<void> {
    if (this.#publishMark >= 0) this.context.turn.run();
    this.flush();
    while (this.#writing) await this.#writing;
  }

  #end(reason: string): void {
    this.context.logger.error(`client(${this.remoteAddress}) - ${reason}`);
    this.close();
  }

  #unsubscribe(): void {
    this.subscription?.channel.removeConsumer(this.subscription.consumer);
  }

  /** Subscribes to a channel. Throws what the channel throws. */
  subscribe(channel: Channel): void {
    const { msgTimeoutMs, sampleRate } = this.settings;
    const consumer = new Consumer({ sink: this, msgTimeoutMs, sampleRate });
    channel.addConsumer(consumer);
    this.subscription = { channel, consumer };
    this.state = CLIENT_STATE.subscribed;
  }
}

function hostOf(peer: string): string {
  const end = peer.lastIndexOf(":");
  return end < 0 ? "" : peer.slice(0, end).replace(/^\[|\]$/g, "");
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
