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

import type { Clock } from "../../base/clock.ts";
import type { ErrorSink } from "../../base/error_sink.ts";
import { errorText } from "../../base/error_text.ts";
import type { Logger } from "../../base/logger.ts";
import type { SharedSlice } from "../../base/time_slice.ts";
import type { Channel } from "../../broker/channel.ts";
import { Consumer, type MessageSink, NEARNESS, type Nearness } from "../../broker/consumer.ts";
import type { Segment } from "../../log/segment.ts";
import type { Topic } from "../../broker/topic.ts";
import type { Timestamp } from "../../log/segment_image.ts";
import { type Connection, hostOf, isDisconnect } from "../../net/connection.ts";
import { type Layer, type Layered, putLayer } from "../../net/layer.ts";
import type { TlsServer, TlsState } from "../../net/tls_server.ts";
import { Wire, type WireOwner } from "../../net/wire.ts";
import { CommandReader, MAGIC_V2 } from "../../protocol/command_reader.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import {
  encodeFrame,
  FRAME_HEADER_LENGTH,
  FRAME_TYPE,
  HEARTBEAT_FRAME,
  MESSAGE_HEADER_LENGTH,
  readU32,
  writeU32,
} from "../../protocol/frames.ts";
import { MESSAGE_ID_LENGTH, writeMessageId } from "../../protocol/message_id.ts";
import { bytesOf } from "../../protocol/quote.ts";
import type { MessageOptions } from "../node/message_options.ts";
import type { NodeOptions } from "../node/options.ts";
import type { TlsOptions } from "../node/tls.ts";
import type { Tracing } from "../node/tracing.ts";
import type { AuthState } from "./auth.ts";
import type { AuthOptions } from "./auth_options.ts";
import { CLIENT_STATE, type ClientState } from "./client_state.ts";
import { executeCommand } from "./commands.ts";
import type { ConnectionSettings } from "./identify.ts";
import { type SessionOptions, TOPOLOGY_AWARE_CONSUMPTION } from "./options.ts";

/** NSQ's default size of a client's output buffer, in bytes. */
const OUTPUT_BUFFER_SIZE = 16 * 1024;
/** NSQ's ClientTimeout: heartbeats come twice in that time. */
const CLIENT_TIMEOUT_MS = 60_000;
/** Looking at the clock costs as much as a short command: it is done once for so many. */
const COMMANDS_BETWEEN_LOOKS = 16;
/** Bodies up to this length are copied by hand: it costs less than making a view, in bytes. */
const SMALL_BODY_LENGTH = 48;
const NO_TOPICS: Topic[] = [];
const NONE_FAILED: ReadonlyMap<Topic, unknown> = new Map();
const NONE_PENDING: ReadonlyMap<Topic, Promise<void>> = new Map();

/** The end of the turn of the event loop, as sessions use it. */
export interface SessionTurn {
  /** The session has published something in this turn. */
  published(session: Session): void;
  /** The session has output. */
  hasOutput(session: Session): void;
  /** Ends the turn now. */
  run(): void;
  /** When this turn is, by the monotonic clock. */
  readonly monotonicMs: number;
  /** The same by the wall clock, as messages have it. */
  readonly timestamp: Timestamp;
}

/** What a client that is not connected over TCP has shown and agreed on before its session begins. */
export interface Carrier {
  /** The TLS below it; absent in plain. */
  readonly tls: TlsState | undefined;
  /** What it may do by its token; absent where nobody has asked for one. */
  readonly permits: ((role: string, topic: string, channel: string) => boolean) | undefined;
}

/** What a session uses of its daemon. */
export interface SessionContext {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The topic of that name, made if there is none. @throws {TopicError} When that cannot be. */
  openTopic(name: string): Topic;
  readonly turn: SessionTurn;
  /** For how long commands are carried out in a turn, whoever sends them. */
  readonly slice: SharedSlice;
  /** The options in force. */
  readonly options:
    & SessionOptions
    & AuthOptions
    & MessageOptions
    & Pick<NodeOptions, "nodeId" | "topologyRegion" | "topologyZone">
    & Pick<TlsOptions, "tlsRequired">;
  /** Upgrades connections to TLS; absent without a certificate. */
  readonly tlsServer: TlsServer | undefined;
  /** Every connection; a session adds and removes itself. */
  readonly connections: Set<Session>;
  /** Asks an auth server what the client may do. Rejects when none answers as it should. */
  authorize(client: Session, secret: string): Promise<AuthState>;
  /** Is told of what clients do wrong. */
  readonly onError: ErrorSink;
  /** Absent where nobody has asked for traces. */
  readonly tracing?: Tracing | undefined;
}

/** A client of the TCP protocol. Its times are by the monotonic clock, but for the one that is shown. */
export class Session implements MessageSink, WireOwner {
  readonly context: SessionContext;
  /** Absent over TCP. Whatever layers it has are its own. */
  readonly carrier: Carrier | undefined;
  readonly reader = new CommandReader();
  readonly settings: ConnectionSettings;
  readonly remoteAddress: string;
  /** When it connected, by the wall clock. */
  readonly connectTimeS: number;
  /** When it connected. */
  readonly connectedMs: number;
  state: ClientState = CLIENT_STATE.init;
  clientId: string;
  hostname: string;
  userAgent = "";
  topologyRegion = "";
  topologyZone = "";
  /** What was agreed on; absent while the connection is plain. */
  tls: TlsState | undefined;
  snappy = false;
  deflate = false;
  /** What the client may do, and the secret by which it was told so. */
  auth: { readonly state: AuthState; readonly secret: string } | undefined;
  /** The topic of the last publish or SUB, as text and as it came. */
  lastTopic: { readonly name: string; readonly bytes: Uint8Array } | undefined;
  /** Set by SUB. */
  subscription: { readonly channel: Channel; readonly consumer: Consumer } | undefined;
  /** Messages that it has asked for more time for. */
  touchCount = 0;
  /** When the bytes came that are being worked on. */
  readMs: number;

  /** Messages published, by topic, but for those of the last. */
  readonly #pubCounts = new Map<string, number>();
  #lastPublished: Topic | undefined;
  #lastPublishedCount = 0;
  readonly #wire: Wire;
  /** The turn knows that there is output. */
  #hasOutput = false;
  readonly #nodeId: number;
  /** The client has sent the magic: it speaks the protocol. */
  #speaks = false;
  /** A whole command has come. */
  #introduced = false;
  /** Since when a command has been incomplete, or 0. */
  #incompleteMs = 0;
  /** Something else than the client is waited for. */
  #paused = false;
  /** The client is told why and then left: nothing more is read. */
  #failed = false;
  #lastHeartbeatMs: number;
  /** Messages answered when they were last counted. */
  #answersNoted = 0;
  /** What must be done before the next command. */
  #suspension: (() => Promise<void>) | undefined;
  /** Answers put into the output since it could last be sent, in bytes, and where they are too many. */
  #answerBytes = 0;
  readonly #answerBytesMax: number;
  /** Settles when there is room for output again. */
  #room: PromiseWithResolvers<void> | undefined;
  /** Length of the output before the first answer to a publish of this turn, or -1. */
  #publishMark = -1;
  #publishCommand = "";
  /** Where to: mostly to one topic, for which no list is to be made. */
  #publishTopic: Topic | undefined;
  #furtherTopics: Topic[] = NO_TOPICS;
  /** Answers to publishes are held until these are kept. */
  #isKeeping = false;
  /** Settles then, if anybody waits for it. */
  #kept: PromiseWithResolvers<void> | undefined;

  constructor(context: SessionContext, connection: Connection, carrier?: Carrier) {
    const { clock, options } = context;
    this.context = context;
    this.carrier = carrier;
    this.tls = carrier?.tls;
    this.#wire = new Wire(connection, this, options.maxOutputPendingSizeBytes);
    this.#answerBytesMax = options.maxOutputPendingSizeBytes;
    this.#nodeId = options.nodeId;
    this.remoteAddress = connection.peer;
    this.connectTimeS = Math.floor(clock.nowMs() / 1000);
    this.clientId = this.hostname = hostOf(connection.peer);
    this.connectedMs = this.readMs = this.#lastHeartbeatMs = clock.monotonicMs();
    this.settings = {
      heartbeatIntervalMs: CLIENT_TIMEOUT_MS / 2,
      outputBufferSizeBytes: OUTPUT_BUFFER_SIZE,
      outputBufferTimeoutMs: options.outputBufferTimeoutMs,
      sampleRate: 0,
      msgTimeoutMs: options.msgTimeoutMs,
    };
  }

  /** True when the client has sent the magic. */
  get speaks(): boolean {
    return this.#speaks;
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

  /**
   * False while the client does not read what it is sent, or while answers to it are held: it gets no more messages,
   * others do.
   */
  get hasRoom(): boolean {
    return this.#wire.writable && !this.#isKeeping;
  }

  /** Messages published, by topic. */
  get pubCounts(): ReadonlyMap<string, number> {
    this.#countPublished();
    return this.#pubCounts;
  }

  monotonicMs(): number {
    return this.context.turn.monotonicMs;
  }

  /** Serves the client until one side ends the connection. */
  async run(): Promise<void> {
    const { logger, connections } = this.context;
    connections.add(this);
    logger.info(`${this.carrier === undefined ? "TCP" : "WEBSOCKET"}: new client(${this.remoteAddress})`);
    try {
      if (await this.#readMagic()) await this.#readCommands();
    } catch (error) {
      if (!this.#wire.closed) this.#broken(error, errorText(error));
    } finally {
      this.subscription?.channel.removeConsumer(this.subscription.consumer);
      await this.publishesKept();
      await this.#wire.drain();
      this.close();
      connections.delete(this);
    }
  }

  /** Ends the connection at once. */
  close(): void {
    this.#wire.close();
    this.#room?.resolve();
  }

  /** Sends a message. */
  send(segment: Segment, index: number, attempts: number): number {
    const { output } = this.#wire;
    const { bytes } = segment;
    const bodyOffset = segment.bodyOffset(index);
    const bodyLength = readU32(bytes, bodyOffset - 4);
    const offset = output.reserve(MESSAGE_HEADER_LENGTH + bodyLength);
    const out = output.bytes;
    writeU32(out, offset, MESSAGE_HEADER_LENGTH - 4 + bodyLength);
    writeU32(out, offset + 4, FRAME_TYPE.message);
    writeU32(out, offset + 8, segment.timestampHigh(index));
    writeU32(out, offset + 12, segment.timestampLow(index));
    out[offset + 16] = attempts >>> 8;
    out[offset + 17] = attempts;
    const foreignId = segment.foreignId(index);
    if (foreignId === 0) writeMessageId(out, offset + 18, segment.base + index, this.#nodeId);
    else out.set(bytes.subarray(foreignId, foreignId + MESSAGE_ID_LENGTH), offset + 18);
    const start = offset + MESSAGE_HEADER_LENGTH;
    if (bodyLength <= SMALL_BODY_LENGTH) {
      for (let i = 0; i < bodyLength; i++) out[start + i] = bytes[bodyOffset + i];
    } else {
      out.set(bytes.subarray(bodyOffset, bodyOffset + bodyLength), start);
    }
    this.#noteOutput();
    const { logger } = this.context;
    if (logger.debugs) {
      logger.debug(`PROTOCOL(V2): writing msg(${segment.base + index}) to client(${this.remoteAddress})`);
    }
    return bodyLength;
  }

  /** Sends a frame. */
  answer(frame: Readonly<Uint8Array>): void {
    this.#answerBytes += frame.length;
    this.#wire.output.append(frame);
    this.#noteOutput();
  }

  /** Notes that a publish of this turn is about to be answered. */
  published(command: string, topic: Topic, count: number): void {
    const isFirst = this.#publishMark < 0;
    if (isFirst) {
      this.#publishMark = this.#wire.output.length;
      this.#publishCommand = command;
      // Nothing is acknowledged before it is kept.
      this.#wire.held = true;
      this.context.turn.published(this);
    }
    if (isFirst) this.#publishTopic = topic;
    else if (topic !== this.#publishTopic && !this.#furtherTopics.includes(topic)) {
      this.#furtherTopics = [...this.#furtherTopics, topic];
    }
    // Mostly it is the same as before, and no map is to be asked for each message.
    if (topic !== this.#lastPublished) this.#countPublished();
    this.#lastPublished = topic;
    this.#lastPublishedCount += count;
  }

  /** Settles when it is known of every publish so far whether it is kept. */
  async publishesKept(): Promise<void> {
    if (this.#publishMark >= 0 && !this.#isKeeping) this.context.turn.run();
    await this.#keeping();
  }

  /** No more commands are carried out: the client has gone, or is told why it must go. */
  get isEnding(): boolean {
    return this.#failed || this.#wire.closed;
  }

  /** Takes the answers to this turn's publishes back, if they were to one of the topics. */
  publishFailed(failed: ReadonlyMap<Topic, unknown>): void {
    for (const topic of this.#publishTopics()) {
      if (!failed.has(topic)) continue;
      // The answers were not sent yet: they give way to the error.
      this.#wire.output.truncate(this.#publishMark);
      const command = this.#publishCommand;
      const description = `${command} failed ${errorText(failed.get(topic))}`;
      this.#fail(new ProtocolError(`E_${command}_FAILED` as "E_PUB_FAILED", description));
      return;
    }
  }

  /** The publishes of this turn are kept, once those of `pending` topics are. */
  publishKept(pending: ReadonlyMap<Topic, Promise<void>>): void {
    const waits = pending.size === 0
      ? NO_TOPICS
      : this.#publishTopics().filter((topic) => pending.has(topic));
    if (waits.length > 0) {
      this.#isKeeping = true;
      // Mostly it is one topic, and nothing is to be made for each publish.
      if (waits.length === 1) pending.get(waits[0])?.then(this.#allKept, this.#notKept);
      else void this.#keep(waits, pending);
      return;
    }
    this.#publishMark = -1;
    this.#publishTopic = undefined;
    this.#furtherTopics = NO_TOPICS;
    this.#wire.held = false;
  }

  /** Begins to send what is in the output. */
  flush(): void {
    this.#hasOutput = false;
    this.#wire.flush();
  }

  writable(): void {
    this.#answerBytes = 0;
    this.#room?.resolve();
    if (this.subscription) this.subscription.channel.awake(this.subscription.consumer);
  }

  sent(): void {
    this.#answerBytes = 0;
    // After a publish that failed the session waits for the next command, which is not to come any more.
    if (this.#failed) this.close();
  }

  writeFailed(error: unknown): void {
    this.#broken(error, `failed to send response - ${errorText(error)}`);
    this.close();
  }

  /** No command is carried out before `work` is done; what it throws is answered like a command's error. */
  suspend(work: () => Promise<void>): void {
    this.#suspension = work;
  }

  /** Puts another layer on the connection; what has come already belongs to it. Returns what was agreed on, if it is TLS. */
  async upgrade(layer: Layer): Promise<Layered["tls"]> {
    await this.publishesKept();
    const unread = this.reader.takeRest();
    let agreed: Layered["tls"];
    await this.#wire.upgrade(async (below) => {
      const { connection, tls } = await putLayer(below, layer, unread);
      agreed = tls;
      return connection;
    });
    return agreed;
  }

  /** Subscribes to a channel of the topic. Throws what the channel throws. */
  subscribe(channel: Channel, topic: string): void {
    const { msgTimeoutMs, sampleRate } = this.settings;
    const { clientId, context: { tracing } } = this;
    const observer = tracing?.observer({ topic, channel: channel.name, clientId });
    const nearness = this.#nearness();
    const consumer = new Consumer({ sink: this, msgTimeoutMs, sampleRate, nearness, observer });
    channel.addConsumer(consumer);
    this.subscription = { channel, consumer };
    this.state = CLIENT_STATE.subscribed;
  }

  /** Sends a heartbeat when it is time, and ends the connection of a client that is silent, too slow or does not read. */
  keepAlive(monotonicMs: number): void {
    // An error may take the place of what is held: nothing must come behind it.
    if (this.#wire.closed || this.#isKeeping) return;
    this.#noteAnswers();
    const { options } = this.context;
    const { heartbeatIntervalMs } = this.settings;
    const writeTimeoutMs = Math.min(heartbeatIntervalMs || Infinity, options.writeTimeoutMs || Infinity);
    if (!this.#introduced && isOver(this.connectedMs, options.handshakeTimeoutMs, monotonicMs)) {
      this.#end("no command in time after connecting - i/o timeout");
    } else if (
      !this.#paused && heartbeatIntervalMs > 0 && monotonicMs - this.readMs > 2 * heartbeatIntervalMs
    ) {
      this.#end("failed to read command - i/o timeout");
    } else if (
      !this.#paused && this.#incompleteMs > 0 &&
      isOver(this.#incompleteMs, options.commandTimeoutMs, monotonicMs)
    ) {
      this.#end("failed to read the rest of a command - i/o timeout");
    } else if (this.#wire.stalledMs(monotonicMs) > writeTimeoutMs) {
      this.#end("failed to write - i/o timeout");
    } else if (
      this.#speaks && heartbeatIntervalMs > 0 && monotonicMs - this.#lastHeartbeatMs >= heartbeatIntervalMs
    ) {
      this.#lastHeartbeatMs = monotonicMs;
      // Of what is read, with the answer.
      this.#shrink();
      this.answer(HEARTBEAT_FRAME);
    }
  }

  /**
   * A consumer that goes on answering messages reads them, though the system may take no more for it for a long time: it has
   * megabytes that it has taken to be sent, and takes more only when a third of them has gone.
   */
  #noteAnswers(): void {
    const count = this.finishCount + this.requeueCount + this.touchCount;
    if (count === this.#answersNoted) return;
    this.#answersNoted = count;
    this.#wire.progressed();
  }

  /** Heartbeats are counted anew: their interval has changed. */
  restartHeartbeats(): void {
    this.#lastHeartbeatMs = this.monotonicMs();
  }

  /** As `publishesKept()`, of those that the turn has committed. */
  #keeping(): Promise<void> | undefined {
    return this.#isKeeping ? (this.#kept ??= Promise.withResolvers()).promise : undefined;
  }

  /** Lets the answers go when the topics are synced. */
  async #keep(topics: readonly Topic[], pending: ReadonlyMap<Topic, Promise<void>>): Promise<void> {
    const failed = new Map<Topic, unknown>();
    for (const topic of topics) {
      try {
        await pending.get(topic);
      } catch (error) {
        failed.set(topic, error);
      }
    }
    this.#endKeeping(failed);
  }

  readonly #allKept = (): void => this.#endKeeping(NONE_FAILED);

  /** What was published could not be kept. */
  readonly #notKept = (error: unknown): void => {
    this.#endKeeping(new Map(this.#publishTopics().map((topic) => [topic, error])));
  };

  #endKeeping(failed: ReadonlyMap<Topic, unknown>): void {
    this.#isKeeping = false;
    // It was sent no heartbeats to answer.
    this.readMs = this.monotonicMs();
    if (failed.size > 0) this.publishFailed(failed);
    this.publishKept(NONE_PENDING);
    this.#wire.flush();
    if (this.subscription) this.subscription.channel.awake(this.subscription.consumer);
    this.#kept?.resolve();
    this.#kept = undefined;
  }

  async #readMagic(): Promise<boolean> {
    const { logger } = this.context;
    let magic = this.reader.takeMagic();
    while (magic === undefined) {
      if (!this.#received(await this.#wire.read(this.reader.space()))) {
        if (this.#wire.closed) return false;
        const isSilent = this.reader.pendingBytes === 0;
        throw new (isSilent ? SilentError : Error)("failed to read protocol version - unexpected EOF");
      }
      magic = this.reader.takeMagic();
    }
    logger.info(`CLIENT(${this.remoteAddress}): desired protocol magic '${magic}'`);
    this.#speaks = magic === MAGIC_V2;
    if (this.#speaks) return true;
    logger.error(`client(${this.remoteAddress}) bad protocol magic '${magic}'`);
    this.context.onError("E_BAD_PROTOCOL", this.remoteAddress, `magic '${magic}'`);
    this.answer(encodeFrame(FRAME_TYPE.error, "E_BAD_PROTOCOL"));
    return false;
  }

  async #readCommands(): Promise<void> {
    try {
      do {
        if (!this.#executeAtOnce()) await this.#executeCommands();
      } while (!this.#failed && this.#received(await this.#wire.read(this.reader.space())));
      if (!this.#failed && !this.#wire.closed) {
        // What was cut off in the middle is answered with the error that NSQ has for it.
        this.reader.end();
        await this.#executeCommands();
      }
    } finally {
      this.context.logger.info(`PROTOCOL(V2): [${this.remoteAddress}] exiting ioloop`);
    }
  }

  /** As `#executeCommands()`, when nothing has to be waited for, as it mostly is; else false, and that goes on. */
  #executeAtOnce(): boolean {
    if (this.#isKeeping) return false;
    if (!this.#executeAll() || this.#suspension) return false;
    this.#noteIncomplete();
    return !this.#lacksRoom;
  }

  /** Carries out every complete command that has come. */
  async #executeCommands(): Promise<void> {
    while (!await this.#executeSome()) await this.#pause(this.context.slice.next());
    this.#noteIncomplete();
    if (this.#lacksRoom) {
      this.#room = Promise.withResolvers();
      await this.#pause(this.#room.promise);
      this.#room = undefined;
    }
  }

  /**
   * A client that does not read its answers is not asked for more commands. One that does not read its messages is: it may well
   * be about to finish some.
   */
  get #lacksRoom(): boolean {
    return this.#answerBytes >= this.#answerBytesMax && !this.#wire.writable && !this.#wire.closed;
  }

  #noteIncomplete(): void {
    if (this.reader.pendingBytes === 0) this.#incompleteMs = 0;
    else if (this.#incompleteMs === 0) this.#incompleteMs = this.readMs;
  }

  /** Carries out commands while the turn's slice lasts; false when there may be more. */
  async #executeSome(): Promise<boolean> {
    await this.#untilKept();
    let isDone = this.#suspension === undefined && this.#executeAll();
    while (this.#suspension) {
      const work = this.#suspension;
      this.#suspension = undefined;
      try {
        await this.#pause(work());
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        this.#fail(error);
      }
      // The turn may have ended meanwhile.
      await this.#untilKept();
      isDone = this.#executeAll();
    }
    return isDone;
  }

  /** What else it has to say waits with what is held; so its publishes fail or succeed before the ones that follow. */
  async #untilKept(): Promise<void> {
    const keeping = this.#keeping();
    if (keeping) await this.#pause(keeping);
  }

  /** The same without waiting for anything. */
  #executeAll(): boolean {
    const { reader } = this;
    const { logger, slice } = this.context;
    let count = 0;
    while (!this.#failed && !this.#wire.closed) {
      try {
        if (!reader.nextLine()) return true;
        if (logger.debugs) logger.debug(`PROTOCOL(V2): [${this.remoteAddress}] ${reader.line()}`);
        if (!executeCommand(this)) {
          reader.retry();
          return true;
        }
        this.#introduced = true;
        this.#incompleteMs = 0;
        if (this.#suspension) return true;
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        this.#fail(error);
      }
      if (++count % COMMANDS_BETWEEN_LOOKS === 0 && slice.isOver) return false;
    }
    return true;
  }

  /** Waits for something else than the client, whose time does not run meanwhile. */
  async #pause(end: Promise<void>): Promise<void> {
    this.#paused = true;
    try {
      await end;
    } finally {
      this.#paused = false;
      this.readMs = this.monotonicMs();
      if (this.#incompleteMs > 0) this.#incompleteMs = this.readMs;
    }
  }

  /** Notes that so many bytes have been read; false when there are none any more. */
  #received(count: number | null): boolean {
    if (count === null || this.#wire.closed) return false;
    const isFull = this.reader.received(count);
    // It has no heartbeats to answer, with which others give back what they needed once.
    if (this.settings.heartbeatIntervalMs === 0 && !isFull) this.#shrink();
    this.readMs = this.monotonicMs();
    return true;
  }

  #publishTopics(): Topic[] {
    return this.#publishTopic === undefined ? NO_TOPICS : [this.#publishTopic, ...this.#furtherTopics];
  }

  #noteOutput(): void {
    if (this.#hasOutput) return;
    this.#hasOutput = true;
    this.context.turn.hasOutput(this);
  }

  #countPublished(): void {
    if (!this.#lastPublished || this.#lastPublishedCount === 0) return;
    const { name } = this.#lastPublished;
    this.#pubCounts.set(name, (this.#pubCounts.get(name) ?? 0) + this.#lastPublishedCount);
    this.#lastPublishedCount = 0;
  }

  #shrink(): void {
    this.#wire.shrink();
    this.reader.shrink();
  }

  /** How near the client is, as far as that is to matter (the experiment of NSQ's master). */
  #nearness(): Nearness {
    const { experiments, topologyZone, topologyRegion } = this.context.options;
    if (!experiments.includes(TOPOLOGY_AWARE_CONSUMPTION)) return NEARNESS.global;
    if (topologyZone !== "" && this.topologyZone === topologyZone) return NEARNESS.zone;
    return topologyRegion !== "" && this.topologyRegion === topologyRegion
      ? NEARNESS.region
      : NEARNESS.global;
  }

  #fail(error: ProtocolError): void {
    const cause = error.cause === undefined ? "" : ` - ${errorText(error.cause)}`;
    this.context.logger.error(`[${this.remoteAddress}] - ${error.message}${cause}`);
    this.context.onError(error.code, this.remoteAddress, error.message);
    const frame = new Uint8Array(FRAME_HEADER_LENGTH + error.message.length);
    writeU32(frame, 0, error.message.length + 4);
    writeU32(frame, 4, FRAME_TYPE.error);
    frame.set(bytesOf(error.message), FRAME_HEADER_LENGTH);
    this.answer(frame);
    if (error.fatal) this.#failed = true;
  }

  /** Ends the connection of a client that takes too long. */
  #end(reason: string): void {
    this.#blame("TCP_TIMEOUT", reason);
    this.close();
  }

  /** The connection is of no use any more; a client that has just gone has done nothing wrong, nor has one that only knocked. */
  #broken(error: unknown, reason: string): void {
    if (!isDisconnect(error) && !(error instanceof SilentError)) this.#blame("TCP_BROKEN", reason);
    else this.context.logger.error(`client(${this.remoteAddress}) - ${reason}`);
  }

  #blame(code: string, reason: string): void {
    this.context.logger.error(`client(${this.remoteAddress}) - ${reason}`);
    this.context.onError(code, this.remoteAddress, reason);
  }
}

/** A client that has gone without a byte, as what looks whether a port is open does. */
class SilentError extends Error {}

/** True when more than the timeout has passed; a timeout of 0 is none. */
function isOver(sinceMs: number, timeoutMs: number, monotonicMs: number): boolean {
  return timeoutMs > 0 && monotonicMs - sinceMs > timeoutMs;
}
