/**
 * The commands of protocol V2 (nsqd/protocol_v2.go). Each function checks in NSQ's order, answers with NSQ's
 * texts, and returns false when the command has not all come; it is begun again then, so nothing is changed
 * before the last step that may ask for more.
 *
 * @module
 */

import { errorText } from "../../base/error_text.ts";
import { othersFirst } from "../../base/every.ts";
import { NSQ_VERSION } from "../../base/version.ts";
import { type Channel, ChannelError } from "../../broker/channel.ts";
import type { Consumer } from "../../broker/consumer.ts";
import type { Topic } from "../../broker/topic.ts";
import type { TlsServer } from "../../net/tls_server.ts";
import { type ErrorCode, ProtocolError } from "../../protocol/errors.ts";
import { CLOSE_WAIT_FRAME, encodeFrame, FRAME_TYPE, OK_FRAME } from "../../protocol/frames.ts";
import { MESSAGE_ID_LENGTH, readMessageId } from "../../protocol/message_id.ts";
import { isValidChannelName, isValidTopicName } from "../../protocol/names.ts";
import { byteString, quote } from "../../protocol/quote.ts";
import { type BatchPart, batchParts, PART_MESSAGES_MAX } from "../node/batch_parts.ts";
import { maxDeferMs } from "../node/message_options.ts";
import { TopicError } from "../node/topic_opener.ts";
import type { AuthState } from "./auth.ts";
import { CLIENT_STATE } from "./client_state.ts";
import { applyIdentify, decodeIdentify, type IdentifyData } from "./identify.ts";
import type { Session } from "./session.ts";

/**
 * The largest body of IDENTIFY and AUTH, in bytes, if `--max-body-size` is not less: NSQ takes as much as a publisher may send,
 * from clients that have proved nothing yet.
 */
export const INTRODUCTION_SIZE_MAX = 64 * 1024;
/** Of clients that ask for deflate and for no level. */
const DEFLATE_LEVEL = 6;

type Command = (session: Session) => boolean;

/** By the name's length first: one comparison finds most. */
const COMMANDS: readonly (readonly [name: string, command: Command])[] = [
  ["FIN", fin],
  ["PUB", pub],
  ["RDY", rdy],
  ["REQ", req],
  ["MPUB", mpub],
  ["DPUB", dpub],
  ["NOP", nop],
  ["TOUCH", touch],
  ["SUB", sub],
  ["CLS", cls],
  ["AUTH", auth],
  ["IDENTIFY", identify],
];

/**
 * Carries out the command whose line the session's reader has taken; false when it has not all come.
 *
 * @throws {ProtocolError}
 */
export function executeCommand(session: Session): boolean {
  const { reader, context: { options } } = session;
  if (options.tlsRequired !== "false" && session.tls === undefined && !reader.paramIs(0, "IDENTIFY")) {
    invalid(`cannot ${reader.param(0)} in current state (TLS required)`);
  }
  for (const [name, command] of COMMANDS) {
    if (reader.paramIs(0, name)) return command(session);
  }
  return invalid(`invalid command ${reader.param(0)}`);
}

function identify(session: Session): boolean {
  const { reader, settings, context } = session;
  if (session.state !== CLIENT_STATE.init) invalid("cannot IDENTIFY in current state");
  if (!takeBody(session, "IDENTIFY")) return false;
  let data: IdentifyData;
  try {
    data = decodeIdentify(reader.bytes.subarray(reader.bodyStart, reader.bodyEnd));
  } catch (cause) {
    throw new ProtocolError("E_BAD_BODY", "IDENTIFY failed to decode JSON body", { cause });
  }
  context.logger.info(`[${session.remoteAddress}] IDENTIFY: ${JSON.stringify(data)}`);
  session.clientId = data.client_id;
  session.hostname = data.hostname;
  session.userAgent = data.user_agent;
  session.topologyRegion = data.topology_region;
  session.topologyZone = data.topology_zone;
  try {
    applyIdentify(settings, data, context.options);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ProtocolError("E_BAD_BODY", `IDENTIFY ${error.message}`, { cause: error });
  }
  session.restartHeartbeats();
  if (data.feature_negotiation) negotiate(session, data);
  else session.answer(OK_FRAME);
  return true;
}

/** Gives the client what it may have of what it has asked for. */
function negotiate(session: Session, data: IdentifyData): void {
  const { settings, context: { options, tlsServer } } = session;
  // What carries the client has its own layers.
  const isOverTcp = session.carrier === undefined;
  const tls = isOverTcp && data.tls_v1 ? tlsServer : undefined;
  const deflate = isOverTcp && options.deflateEnabled && data.deflate;
  const snappy = isOverTcp && options.snappyEnabled && data.snappy;
  if (deflate && snappy) {
    throw new ProtocolError("E_IDENTIFY_FAILED", "cannot enable both deflate and snappy compression");
  }
  // Unlike NSQ, which begins the layer anew: a pile of layers would cost more with each command.
  if (tls && session.tls || (deflate || snappy) && (session.deflate || session.snappy)) {
    throw new ProtocolError("E_IDENTIFY_FAILED", "connection is upgraded already");
  }
  const wantedLevel = deflate && data.deflate_level > 0 ? data.deflate_level : DEFLATE_LEVEL;
  const deflateLevel = Math.min(wantedLevel, options.maxDeflateLevel);
  const answer = {
    max_rdy_count: options.maxRdyCount,
    version: NSQ_VERSION,
    max_msg_timeout: Math.floor(options.maxMsgTimeoutMs),
    msg_timeout: Math.floor(settings.msgTimeoutMs),
    tls_v1: tls !== undefined,
    deflate,
    deflate_level: deflateLevel,
    max_deflate_level: options.maxDeflateLevel,
    snappy,
    sample_rate: settings.sampleRate,
    auth_required: options.authHttpAddresses.length > 0,
    output_buffer_size: settings.outputBufferSizeBytes,
    output_buffer_timeout: Math.floor(settings.outputBufferTimeoutMs),
    topology_region: options.topologyRegion,
    topology_zone: options.topologyZone,
  };
  session.answer(encodeFrame(FRAME_TYPE.response, JSON.stringify(answer)));
  if (tls || snappy || deflate) {
    session.suspend(() => upgrade(session, { tls, snappy, deflate, deflateLevel }));
  }
}

/** Puts the layers on the connection that were agreed on, and answers OK over each, in NSQ's order. */
async function upgrade(
  session: Session,
  layers: { tls: TlsServer | undefined; snappy: boolean; deflate: boolean; deflateLevel: number },
): Promise<void> {
  const { tls, snappy, deflate, deflateLevel } = layers;
  const note = (what: string) =>
    session.context.logger.info(`PROTOCOL(V2): [${session.remoteAddress}] upgrading connection to ${what}`);
  if (tls) {
    note("TLS");
    // Unlike NSQ, a failed handshake is not answered in plain text: the client waits for something else.
    const agreed = await session.upgrade({ kind: "tls", server: tls });
    if (agreed?.refusal !== undefined) {
      throw new ProtocolError("E_IDENTIFY_FAILED", `IDENTIFY failed ${agreed.refusal}`);
    }
    session.tls = agreed?.state;
    session.answer(OK_FRAME);
  }
  if (snappy) {
    note("snappy");
    await session.upgrade({ kind: "snappy" });
    session.snappy = true;
    session.answer(OK_FRAME);
  }
  if (deflate) {
    note(`deflate (level ${deflateLevel})`);
    await session.upgrade({ kind: "deflate", level: deflateLevel });
    session.deflate = true;
    session.answer(OK_FRAME);
  }
}

function auth(session: Session): boolean {
  const { reader, context } = session;
  if (session.state !== CLIENT_STATE.init) invalid("cannot AUTH in current state");
  if (reader.paramCount !== 1) invalid("AUTH invalid number of parameters");
  if (!takeBody(session, "AUTH")) return false;
  if (session.auth) invalid("AUTH already set");
  if (context.options.authHttpAddresses.length === 0) {
    throw new ProtocolError("E_AUTH_DISABLED", "AUTH disabled");
  }
  const secret = byteString(reader.bytes.subarray(reader.bodyStart, reader.bodyEnd));
  session.suspend(async () => {
    const { identity, identityUrl, rules } = await askAuthServers(session, secret);
    if (rules.count === 0) {
      throw new ProtocolError("E_UNAUTHORIZED", "AUTH no authorizations found");
    }
    const answer = { identity, identity_url: identityUrl, permission_count: rules.count };
    session.answer(encodeFrame(FRAME_TYPE.response, JSON.stringify(answer)));
  });
  return true;
}

/** Asks, and remembers the answer. */
async function askAuthServers(session: Session, secret: string): Promise<AuthState> {
  try {
    const state = await session.context.authorize(session, secret);
    session.auth = { state, secret };
    return state;
  } catch (cause) {
    // What is wrong with the server is not for a client to know.
    const { logger } = session.context;
    logger.warn(`PROTOCOL(V2): [${session.remoteAddress}] AUTH failed ${errorText(cause)}`);
    throw new ProtocolError("E_AUTH_FAILED", "AUTH failed");
  }
}

/**
 * Checks that the client may do this; false when its permissions have expired and must be asked for again, or it must be
 * found out what they say of this.
 *
 * @throws {ProtocolError} When it may not.
 */
function isAllowed(session: Session, command: string, topic: string, channel = ""): boolean {
  const { context, carrier } = session;
  const role = channel === "" ? "publish" : "consume";
  if (carrier?.permits !== undefined && !carrier.permits(role, topic, channel)) {
    throw new ProtocolError("E_UNAUTHORIZED", `token is not for ${command} on "${topic}" "${channel}"`);
  }
  return context.options.authHttpAddresses.length === 0 || isPermitted(session, command, topic, channel);
}

/** Checks that the auth server has allowed the client to do this; as `isAllowed()`. */
function isPermitted(session: Session, command: string, topic: string, channel: string): boolean {
  const { auth } = session;
  if (!auth) throw new ProtocolError("E_AUTH_FIRST", `AUTH required before ${command}`);
  if (auth.state.expiresMs < session.monotonicMs()) {
    session.suspend(async () => void await askAuthServers(session, auth.secret));
    return false;
  }
  const { rules } = auth.state;
  const allowed = rules.known(topic, channel);
  if (allowed === undefined) {
    session.suspend(async () => void await rules.decide(topic, channel));
    return false;
  }
  if (!allowed) {
    throw new ProtocolError("E_UNAUTHORIZED", `AUTH failed for ${command} on "${topic}" "${channel}"`);
  }
  return true;
}

function sub(session: Session): boolean {
  const { reader } = session;
  if (session.state !== CLIENT_STATE.init) invalid("cannot SUB in current state");
  if (session.settings.heartbeatIntervalMs <= 0) invalid("cannot SUB with heartbeats disabled");
  if (reader.paramCount < 3) invalid("SUB insufficient number of parameters");
  const topicName = topicNameOf(session, "SUB");
  const channelName = reader.param(2);
  if (!isValidChannelName(channelName)) {
    throw new ProtocolError("E_BAD_CHANNEL", `SUB channel name ${quote(reader.paramBytes(2))} is not valid`);
  }
  if (!isAllowed(session, "SUB", topicName, channelName)) return false;
  try {
    session.subscribe(topicOf(session, "SUB", topicName).channel(channelName), topicName);
  } catch (cause) {
    if (!(cause instanceof ChannelError)) throw cause;
    throw new ProtocolError("E_SUB_FAILED", `SUB failed ${cause.message}`, { cause });
  }
  session.answer(OK_FRAME);
  return true;
}

function rdy(session: Session): boolean {
  const { reader, context } = session;
  if (session.state === CLIENT_STATE.closing) {
    context.logger.info(
      `PROTOCOL(V2): [${session.remoteAddress}] ignoring RDY after CLS in state ClientStateV2Closing`,
    );
    return true;
  }
  if (!session.subscription) invalid("cannot RDY in current state");
  const count = reader.paramCount > 1 ? reader.paramNumber(1) : 1;
  if (count < 0) invalid(`RDY could not parse count ${reader.param(1)}`);
  const { maxRdyCount } = context.options;
  if (count > maxRdyCount) invalid(`RDY count ${count} out of range 0-${maxRdyCount}`);
  session.subscription.consumer.readyCount = count;
  session.subscription.channel.awake(session.subscription.consumer);
  return true;
}

function fin(session: Session): boolean {
  const { reader } = session;
  if (!session.subscription) invalid("cannot FIN in current state");
  if (reader.paramCount < 2) invalid("FIN insufficient number of params");
  const { channel, consumer } = session.subscription;
  const position = positionOf(session, channel, consumer);
  try {
    channel.finish(consumer, position, session.readMs);
  } catch (cause) {
    answerFailed(session, "FIN", cause);
  }
  return true;
}

function req(session: Session): boolean {
  const { reader, context } = session;
  if (!session.subscription) invalid("cannot REQ in current state");
  if (reader.paramCount < 3) invalid("REQ insufficient number of params");
  const { channel, consumer } = session.subscription;
  const position = positionOf(session, channel, consumer);
  const wantedMs = reader.paramNumber(2);
  if (wantedMs < 0) invalid(`REQ could not parse timeout ${reader.param(2)}`);
  const delayMs = Math.min(wantedMs, context.options.maxReqTimeoutMs);
  if (delayMs !== wantedMs) {
    context.logger.info(
      `PROTOCOL(V2): [${session.remoteAddress}] REQ timeout ${wantedMs} out of range 0-` +
        `${context.options.maxReqTimeoutMs}. Setting to ${delayMs}`,
    );
  }
  try {
    channel.requeue(consumer, position, { delayMs, nowMs: session.readMs });
  } catch (cause) {
    answerFailed(session, "REQ", cause);
  }
  return true;
}

function touch(session: Session): boolean {
  const { reader } = session;
  if (!session.subscription) invalid("cannot TOUCH in current state");
  if (reader.paramCount < 2) invalid("TOUCH insufficient number of params");
  const { channel, consumer } = session.subscription;
  const position = positionOf(session, channel, consumer);
  try {
    channel.touch(consumer, position, session.readMs);
    session.touchCount++;
  } catch (cause) {
    answerFailed(session, "TOUCH", cause);
  }
  return true;
}

function cls(session: Session): boolean {
  if (session.state !== CLIENT_STATE.subscribed || !session.subscription) {
    invalid("cannot CLS in current state");
  }
  session.subscription.consumer.readyCount = 0;
  session.state = CLIENT_STATE.closing;
  session.answer(CLOSE_WAIT_FRAME);
  return true;
}

/** Position of the message whose id is the command's first parameter. */
function positionOf({ reader, context }: Session, channel: Channel, consumer: Consumer): number {
  const { bytes } = reader;
  const start = reader.idStart(1);
  const position = readMessageId(bytes, start, context.options.nodeId);
  return channel.hasForeignIds
    ? channel.positionOf(consumer, bytes.subarray(start, start + MESSAGE_ID_LENGTH), position)
    : position;
}

function nop(): boolean {
  return true;
}

function pub(session: Session): boolean {
  const { reader } = session;
  if (reader.paramCount < 2) invalid("PUB insufficient number of parameters");
  const name = topicNameOf(session, "PUB");
  return publishOne(session, "PUB", name, 0);
}

function dpub(session: Session): boolean {
  const { reader } = session;
  const maxMs = maxDeferMs(session.context.options);
  if (reader.paramCount < 3) invalid("DPUB insufficient number of parameters");
  const name = topicNameOf(session, "DPUB");
  const deferMs = reader.paramNumber(2);
  if (deferMs < 0) invalid(`DPUB could not parse timeout ${reader.param(2)}`);
  if (deferMs > maxMs) invalid(`DPUB timeout ${deferMs} out of range 0-${Math.floor(maxMs)}`);
  return publishOne(session, "DPUB", name, deferMs);
}

function publishOne(session: Session, command: "PUB" | "DPUB", name: string, deferMs: number): boolean {
  const { reader } = session;
  const { maxMsgSizeBytes } = session.context.options;
  if (!reader.takeSize("E_BAD_MESSAGE", `${command} failed to read message body size`)) return false;
  const { size } = reader;
  if (size <= 0) throw new ProtocolError("E_BAD_MESSAGE", `${command} invalid message body size ${size}`);
  if (size > maxMsgSizeBytes) {
    throw new ProtocolError("E_BAD_MESSAGE", `${command} message too big ${size} > ${maxMsgSizeBytes}`);
  }
  if (!reader.takeBody("E_BAD_MESSAGE", `${command} failed to read message body`)) return false;
  if (!isAllowed(session, command, name)) return false;
  const topic = topicOf(session, command, name);
  // The size before the body belongs to the log's form of a message too.
  const { bytes, bodyStart, bodyEnd } = reader;
  topic.append(bytes, bodyStart - 4, bodyEnd, {
    count: 1,
    deferMs,
    timestamp: session.context.turn.timestamp,
  });
  answerPublish(session, command, topic, 1);
  return true;
}

function mpub(session: Session): boolean {
  const { reader, context: { options } } = session;
  if (reader.paramCount < 2) invalid("MPUB insufficient number of parameters");
  const name = reader.param(1);
  if (!isValidTopicName(name)) {
    // NSQ compat: the code is there twice.
    const description = `E_BAD_TOPIC MPUB topic name ${quote(reader.paramBytes(1))} is not valid`;
    throw new ProtocolError("E_BAD_TOPIC", description);
  }
  if (!isAllowed(session, "MPUB", name)) return false;
  // NSQ compat: the topic is there from now on, even when the body is refused.
  const topic = topicOf(session, "MPUB", name);
  if (!reader.takeSize("E_BAD_BODY", "MPUB failed to read body size")) return false;
  const { size } = reader;
  if (size <= 0) throw new ProtocolError("E_BAD_BODY", `MPUB invalid body size ${size}`);
  if (size > options.maxBodySizeBytes) {
    throw new ProtocolError("E_BAD_BODY", `MPUB body too big ${size} > ${options.maxBodySizeBytes}`);
  }
  if (!reader.takeMpub(options)) return false;
  const { bytes, bodyStart, bodyEnd, messageCount } = reader;
  if (messageCount > PART_MESSAGES_MAX) {
    const all = { from: bodyStart, to: bodyEnd, count: messageCount };
    session.suspend(() => publishInParts(session, name, { bytes, all }));
    return true;
  }
  const { timestamp } = session.context.turn;
  topic.append(bytes, bodyStart, bodyEnd, { count: messageCount, deferMs: 0, timestamp });
  answerPublish(session, "MPUB", topic, messageCount);
  return true;
}

/** Publishes a batch of so many messages that others would wait for all of them. */
async function publishInParts(
  session: Session,
  name: string,
  { bytes, all }: { bytes: Uint8Array; all: BatchPart },
): Promise<void> {
  for (const { from, to, count } of batchParts(bytes, all)) {
    if (from > all.from) {
      // It is known then whether the part before could be kept.
      await session.publishesKept();
      await othersFirst();
    }
    if (session.isEnding) return;
    // Anew: it may have been deleted meanwhile.
    const topic = topicOf(session, "MPUB", name);
    topic.append(bytes, from, to, { count, deferMs: 0 });
    session.published("MPUB", topic, count);
  }
  session.answer(OK_FRAME);
}

function answerPublish(session: Session, command: string, topic: Topic, count: number): void {
  session.published(command, topic, count);
  session.answer(OK_FRAME);
}

/** Takes the body of IDENTIFY or AUTH. */
function takeBody(session: Session, command: string): boolean {
  const { reader } = session;
  const { maxBodySizeBytes } = session.context.options;
  if (!reader.takeSize("E_BAD_BODY", `${command} failed to read body size`)) return false;
  const { size } = reader;
  if (size > Math.min(maxBodySizeBytes, INTRODUCTION_SIZE_MAX)) {
    // NSQ's words for what NSQ refuses, too.
    const sizeMax = size > maxBodySizeBytes ? maxBodySizeBytes : INTRODUCTION_SIZE_MAX;
    throw new ProtocolError("E_BAD_BODY", `${command} body too big ${size} > ${sizeMax}`);
  }
  if (size <= 0) throw new ProtocolError("E_BAD_BODY", `${command} invalid body size ${size}`);
  return reader.takeBody("E_BAD_BODY", `${command} failed to read body`);
}

/** The topic's name, which is mostly that of the command before: then no string is made. */
function topicNameOf(session: Session, command: string): string {
  const { reader, lastTopic } = session;
  if (lastTopic !== undefined && reader.paramEquals(1, lastTopic.bytes)) return lastTopic.name;
  const name = reader.param(1);
  const bytes = reader.paramBytes(1);
  if (!isValidTopicName(name)) {
    throw new ProtocolError("E_BAD_TOPIC", `${command} topic name ${quote(bytes)} is not valid`);
  }
  session.lastTopic = { name, bytes };
  return name;
}

/** The topic that is named, made if there is none. */
function topicOf(session: Session, command: "PUB" | "MPUB" | "DPUB" | "SUB", name: string): Topic {
  try {
    return session.context.openTopic(name);
  } catch (cause) {
    if (!(cause instanceof TopicError)) throw cause;
    throw new ProtocolError(`E_${command}_FAILED`, `${command} failed ${cause.message}`);
  }
}

function answerFailed(session: Session, command: "FIN" | "REQ" | "TOUCH", cause: unknown): never {
  if (!(cause instanceof ChannelError)) throw cause;
  const code: ErrorCode = `E_${command}_FAILED`;
  throw new ProtocolError(code, `${command} ${session.reader.param(1)} failed ${cause.message}`, { cause });
}

function invalid(description: string): never {
  throw new ProtocolError("E_INVALID", description);
}
