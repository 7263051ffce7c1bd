/**
 * Looking at messages of the broker in this process, and acting on one of them: for consoles and for people, beside the
 * delivery (queue.ts), which is not disturbed by it. A message is named by its id; whatever is done to it is a transition of its
 * channel, and is in the saved state before the answer.
 *
 * @module
 */
import type { Clock } from "../../base/clock.ts";
import { errorText } from "../../base/error_text.ts";
import { fromNode } from "../../base/from_node.ts";
import type { Logger } from "../../base/logger.ts";
import { SharedSlice } from "../../base/time_slice.ts";
import type { Broker } from "../../broker/broker.ts";
import type { Channel, MessageFact, MessageState } from "../../broker/channel.ts";
import type { Consumer } from "../../broker/consumer.ts";
import { ChannelPlace, Peek, type PeekedMessage, type PeekPlace, TopicPlace } from "../../broker/peek.ts";
import type { Topic } from "../../broker/topic.ts";
import { HttpError } from "../../http/http_error.ts";
import { MESSAGE_ID_LENGTH, messageIdPosition, messageIdText } from "../../protocol/message_id.ts";
import type { NodeOptions } from "../node/options.ts";
import type { BodySearch } from "./body_search.ts";
import { channelNotFound, tooMany, topicNotFound } from "./refusals.ts";

const buffer = fromNode("node:buffer");

/** Looks at messages that go on at the same time. */
export const PEEKS_MAX = 4;
/** Bytes of bodies that a page shows, but for a single one that has more. */
export const PAGE_BYTES_MAX = 4 * 1024 * 1024;
/** The states, as parameters name them. */
export const MESSAGE_STATES: readonly MessageState[] = ["waiting", "in_flight", "deferred", "parked"];

const ALL_STATES: ReadonlySet<MessageState> = new Set(MESSAGE_STATES);
const CURSOR = /^([0-9a-f]{16})-([0-9a-f]{1,8})$/;
/** A byte order mark at the beginning belongs to the body. */
const TEXT_DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** The messages of a channel or, without one, those that are the topic's own. */
export interface InspectedPlace {
  readonly topic: string;
  readonly channel: string | undefined;
}

/** What a page is to have. */
export interface PageWish {
  readonly states: ReadonlySet<MessageState>;
  /** Messages, at most. */
  readonly max: number;
  /** Bytes of each body, at most. */
  readonly bodyMax: number;
  /** Where the page before has ended. */
  readonly cursor: string | undefined;
  /** How long to look. */
  readonly timeMs: number;
  readonly search: BodySearch | undefined;
}

/** A message, as JSON shows it. */
export interface ShownMessage {
  /** As TCP clients see it. */
  readonly id: string;
  /** By which it is named here, of one that has kept the id of another queue; else absent. */
  readonly own_id: string | undefined;
  readonly state: MessageState;
  readonly attempts: number;
  /** When it was published, in ns since 1970. */
  readonly timestamp: string;
  readonly due_in_ms: number | undefined;
  /** Address of the client that has it. */
  readonly client: string | undefined;
  readonly expires_in_ms: number | undefined;
  readonly size: number;
  readonly body: string;
  readonly encoding: "base64" | undefined;
  /** The body goes on. */
  readonly cut: true | undefined;
}

/** Some of the messages. */
export interface MessagePage {
  readonly messages: readonly ShownMessage[];
  /** For the next page; null at the end. */
  readonly cursor: string | null;
  readonly looked: number;
  readonly unreadable: number;
  readonly partly: number;
}

/** A message with its bytes. */
export interface WholeMessage extends ShownMessage {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What it uses of its daemon. */
export interface InspectionContext {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly options: Pick<NodeOptions, "nodeId">;
  /** Address of the client behind a consumer. */
  addressOf(consumer: Consumer): string;
  /** Ends the connections of the client with that address; returns how many. */
  kick(address: string): number;
}

/** Does something to a message of a channel; false when there are too many gaps for it. */
type Act = (channel: Channel, message: MessageFact) => boolean;

/** The messages of one broker. */
export class Inspection {
  readonly #context: InspectionContext;
  readonly #slice: SharedSlice;
  #peeks = 0;

  constructor(context: InspectionContext) {
    this.#context = context;
    this.#slice = new SharedSlice(context.clock);
  }

  /** A page of messages. @throws {HttpError} */
  async page(place: InspectedPlace, wish: PageWish): Promise<MessagePage> {
    const { topic, channel } = this.#find(place);
    const from = this.#pointOf(wish.cursor);
    using _ = this.#begin();
    const { search, states, max, bodyMax } = wish;
    const endMs = this.#context.clock.monotonicMs() + wish.timeMs;
    const isEnough = () => this.#context.clock.monotonicMs() >= endMs;
    const messages: ShownMessage[] = [];
    let bytes = 0;
    const show = (shown: ShownMessage) => {
      bytes += Math.min(shown.size, bodyMax);
      return messages.push(shown) < max && bytes + bodyMax <= PAGE_BYTES_MAX;
    };
    const see = (message: PeekedMessage): boolean | Promise<boolean> => {
      if (!search) return show(this.#shown(channel, message, bodyMax));
      const isIn = search.isIn(bodyOf(message), this.#slice, isEnough);
      if (typeof isIn === "boolean") return isIn ? show(this.#shown(channel, message, bodyMax)) : true;
      // Its segment may have left memory by then.
      const shown = this.#shown(channel, message, bodyMax);
      return isIn.then((isIn) => isIn ? show(shown) : true);
    };
    const options = { from, states, slice: this.#slice, see };
    const { next, looked, unreadable } = await new Peek(placeOf(topic, channel), options).run(isEnough);
    const { nodeId } = this.#context.options;
    const cursor = next ? `${messageIdText(next.position, nodeId)}-${next.offset.toString(16)}` : null;
    return { messages, cursor, looked, unreadable, partly: search?.partly ?? 0 };
  }

  /** A message, with the whole body. @throws {HttpError} */
  async message(place: InspectedPlace, id: string): Promise<WholeMessage> {
    const { topic, channel } = this.#find(place);
    using _ = this.#begin();
    let whole: WholeMessage | undefined;
    await this.#at(placeOf(topic, channel), id, (message) => {
      const bytes = bodyOf(message).slice();
      whole = { ...this.#shown(channel, message, bytes.length), bytes };
    });
    if (!whole) throw messageNotFound();
    return whole;
  }

  /** Drops a message of a channel. @throws {HttpError} */
  async discard(place: InspectedPlace, id: string): Promise<void> {
    await this.#act(place, id, (channel, message) => channel.discard(message));
  }

  /** Makes a message the next one that a channel delivers. @throws {HttpError} */
  async hasten(place: InspectedPlace, id: string): Promise<void> {
    await this.#act(place, id, (channel, message) => channel.hasten(message));
  }

  /** Drops a message that is not due yet, in one channel or in all that have it; returns in how many. @throws {HttpError} */
  async cancel(place: InspectedPlace, id: string): Promise<number> {
    const { topic, channel } = this.#find(place);
    using _ = this.#begin();
    let [found, canceled] = [0, 0];
    for (const each of channel ? [channel] : [...topic.channels.values()]) {
      await this.#at(placeOf(topic, each), id, (message) => {
        found++;
        if (message.state === "deferred" || message.state === "parked") {
          each.discard(message);
          canceled++;
        }
      });
    }
    if (found === 0) throw messageNotFound();
    if (canceled === 0) throw new HttpError(409, "NOT_DEFERRED");
    await this.#save(topic);
    return canceled;
  }

  /** Ends the connections of a client; returns how many. @throws {HttpError} When there is none. */
  kick(address: string): number {
    const count = this.#context.kick(address);
    if (count === 0) throw new HttpError(404, "CLIENT_NOT_FOUND");
    this.#context.logger.info(`CLIENT(${address}): kicked`);
    return count;
  }

  async #act(place: InspectedPlace, id: string, act: Act): Promise<void> {
    const { topic, channel } = this.#find(place);
    if (!channel) throw new HttpError(400, "MISSING_ARG_CHANNEL");
    using _ = this.#begin();
    let isDone: boolean | undefined;
    // At once, while its state is what was seen.
    await this.#at(placeOf(topic, channel), id, (message) => void (isDone = act(channel, message)));
    if (isDone === undefined) throw messageNotFound();
    if (!isDone) throw new HttpError(409, "TOO_MANY_GAPS");
    await this.#save(topic);
  }

  /** Calls `use` for the message, if it is there. */
  async #at(place: PeekPlace, id: string, use: (message: PeekedMessage) => void): Promise<void> {
    const position = messageIdPosition(id, this.#context.options.nodeId);
    if (position < 0) throw new HttpError(400, "INVALID_ID");
    const see = (message: PeekedMessage): boolean => {
      if (message.position === position) use(message);
      return false;
    };
    const from = { position, offset: 0 };
    // One step comes to it, if it is there.
    await new Peek(place, { from, states: ALL_STATES, slice: this.#slice, see }).run(() => true);
  }

  #shown(channel: Channel | undefined, message: PeekedMessage, bodyMax: number): ShownMessage {
    const { segment, index, position, state, dueMs } = message;
    const { clock, options: { nodeId } } = this.#context;
    const ownId = messageIdText(position, nodeId);
    const foreignAt = segment.foreignId(index);
    const body = bodyOf(message);
    const slot = channel?.outstandingAt(position);
    const leftMs = slot ? slot.keyMs - clock.monotonicMs() : dueMs - clock.nowMs();
    const isDeferred = state === "deferred" || state === "parked";
    const shown = body.subarray(0, cutAt(body, bodyMax));
    const isText = buffer().isUtf8(shown);
    return {
      id: foreignAt === 0
        ? ownId
        : String.fromCharCode(...segment.bytes.subarray(foreignAt, foreignAt + MESSAGE_ID_LENGTH)),
      own_id: foreignAt === 0 ? undefined : ownId,
      state,
      attempts: slot?.attempts || segment.earlierAttempts(index),
      timestamp: String(BigInt(segment.timestampHigh(index)) << 32n | BigInt(segment.timestampLow(index))),
      due_in_ms: isDeferred ? Math.max(Math.ceil(leftMs), 0) : undefined,
      client: slot?.holder && this.#context.addressOf(slot.holder),
      expires_in_ms: slot?.holder ? Math.max(Math.floor(leftMs), 0) : undefined,
      size: body.length,
      body: isText ? TEXT_DECODER.decode(shown) : shown.toBase64(),
      encoding: isText ? undefined : "base64",
      cut: shown.length < body.length || undefined,
    };
  }

  /** @throws {HttpError} */
  #find(
    { topic: name, channel: channelName }: InspectedPlace,
  ): { topic: Topic; channel: Channel | undefined } {
    const topic = this.#context.broker.topics.get(name);
    if (!topic) throw topicNotFound();
    const channel = channelName === undefined ? undefined : topic.channels.get(channelName);
    if (channelName !== undefined && !channel) throw channelNotFound();
    return { topic, channel };
  }

  /** @throws {HttpError} */
  #pointOf(cursor: string | undefined): { position: number; offset: number } {
    if (cursor === undefined) return { position: 0, offset: 0 };
    const [, id = "", offset = ""] = CURSOR.exec(cursor) ?? [];
    const position = messageIdPosition(id, this.#context.options.nodeId);
    if (position < 0) throw new HttpError(400, "INVALID_CURSOR");
    return { position, offset: Number.parseInt(offset, 16) };
  }

  /** One more look; disposing of it ends it. @throws {HttpError} When there are as many as there may be. */
  #begin(): Disposable {
    if (this.#peeks >= PEEKS_MAX) throw tooMany("PEEKS");
    this.#peeks++;
    this.#slice.begin();
    return { [Symbol.dispose]: () => void this.#peeks-- };
  }

  /** So that a crash does not bring back what was dropped. A disk that refuses it now is asked again with every sync. */
  async #save(topic: Topic): Promise<void> {
    try {
      await topic.saveState();
    } catch (error) {
      this.#context.logger.error(`TOPIC(${topic.name}): failed to save state - ${errorText(error)}`);
    }
  }
}

function placeOf(topic: Topic, channel: Channel | undefined): PeekPlace {
  return channel ? new ChannelPlace(topic, channel) : new TopicPlace(topic);
}

function bodyOf({ segment, index }: PeekedMessage): Uint8Array {
  const offset = segment.bodyOffset(index);
  return segment.bytes.subarray(offset, offset + segment.bodyLength(index));
}

/** Where a body of which only so much is shown ends: not in the middle of a character. */
function cutAt(body: Uint8Array, max: number): number {
  if (body.length <= max) return body.length;
  let end = max;
  while (end > 0 && end > max - 3 && (body[end] & 0xc0) === 0x80) end--;
  return (body[end] & 0xc0) === 0x80 ? max : end;
}

function messageNotFound(): HttpError {
  return new HttpError(404, "MESSAGE_NOT_FOUND");
}
