/**
 * What a driver of the crash tests knows of the messages of one data path, from outside: what it has sent, what was
 * acknowledged, what it was delivered, and what it has answered. Every delivery is held against it, and in the end
 * whatever is missing. No I/O, no clock: times are arguments, in ms since 1970.
 *
 * What must hold, for a topic whose durability is `disk` or `fsync`, over any number of kills:
 *
 * - an acknowledged message is delivered in every channel that there was when it was sent, until it is finished;
 * - a FIN that was flushed is final. A FIN is not answered: it is flushed when it was sent before the flush line,
 *   which lies a flush interval before the kill;
 * - a message that was deferred when it was published never comes before its time, one that was requeued with a
 *   delay does not if that was flushed;
 * - attempts never fall below what was flushed, and no attempt comes twice;
 * - nothing comes that was never sent, and nothing in a channel that is younger than its OK.
 *
 * What was sent and never answered may be there or not. A topic in memory may lose in a kill, but no more than that.
 *
 * @module
 */

import type { MessageFrame } from "../support/frames.ts";
import {
  describe,
  type Evidence,
  evidenceFor,
  type Fate,
  type Fin,
  quote,
  type SentMessage,
  settle,
} from "./kill_fate.ts";

/** Two clocks of one machine, in ms. */
const CLOCK_TOLERANCE_MS = 25;
/** How long a delivery and the FIN of an earlier one may cross each other on their ways, in ms. */
const CROSSING_MS = 2000;

/** How much later than asked for a server makes a deferred message ready, at most, in ms. */
const LATE_MS = 3000;

/** A message of which nothing was left in the server, before the flush line of a kill. */
interface Settled {
  readonly drainedMs: number;
  readonly lineMs: number;
  readonly evidence: Evidence;
}

interface ChannelFacts {
  readonly startedMs: number;
  madeMs: number;
  /** It was new when the server was killed: it may get messages that are older. */
  mayHaveEarlier: boolean;
}

interface TopicFacts {
  readonly durable: boolean;
  /** In the order in which they were made. */
  readonly channels: Map<string, ChannelFacts>;
  readonly messages: Map<string, SentMessage>;
  /** By body: messages of which nothing may come any more. */
  readonly settled: Map<string, Settled>;
}

/** Totals, for the report. */
export interface RecordCounts {
  sent: number;
  acked: number;
  /** The server ended before it answered. */
  unanswered: number;
  delivered: number;
  redelivered: number;
  finished: number;
  requeued: number;
  deferred: number;
  /** Delivered to a channel that was made within a flush interval before a kill, though older. */
  toYoungChannel: number;
  /** Never answered, and delivered all the same. */
  unansweredDelivered: number;
}

/** The record of a data path. */
export class KillRecord {
  /** What does not hold, in words. */
  readonly violations: string[] = [];
  readonly counts: RecordCounts = {
    sent: 0,
    acked: 0,
    unanswered: 0,
    delivered: 0,
    redelivered: 0,
    finished: 0,
    requeued: 0,
    deferred: 0,
    toYoungChannel: 0,
    unansweredDelivered: 0,
  };
  readonly #topics = new Map<string, TopicFacts>();
  #bodies = 0;

  /** A topic in memory may lose messages in a kill. */
  addTopic(name: string, { durable }: { durable: boolean }): void {
    if (this.#topics.has(name)) return;
    this.#topics.set(name, { durable, channels: new Map(), messages: new Map(), settled: new Map() });
  }

  get topics(): string[] {
    return [...this.#topics.keys()];
  }

  /** The channels of a topic in the order in which they were made, or begun to be. */
  channelsOf(topic: string): string[] {
    return [...this.#topic(topic).channels.keys()];
  }

  /** A channel is about to be made. */
  channelBegun(topic: string, name: string, nowMs: number): void {
    const { channels } = this.#topic(topic);
    if (!channels.has(name)) channels.set(name, { startedMs: nowMs, madeMs: 0, mayHaveEarlier: false });
  }

  /** The channel is there. The first one of a topic gets everything that waits in it. */
  channelMade(topic: string, name: string, nowMs: number): void {
    const { channels, messages } = this.#topic(topic);
    const channel = channels.get(name);
    if (!channel || channel.madeMs > 0) return;
    channel.madeMs = nowMs;
    if (channels.keys().next().value !== name) return;
    for (const message of messages.values()) {
      const waits = message.channels.length === 0 && message.ackedMs > 0 && !message.mayBeLost;
      if (waits) this.#fate(message, name).required = true;
    }
  }

  /** A message is about to be sent. */
  send(topic: string, options: { nowMs: number; deferMs: number; padding: string }): SentMessage {
    const { channels, messages } = this.#topic(topic);
    const { nowMs, deferMs } = options;
    const message: SentMessage = {
      topic,
      body: `${topic}.${this.#bodies++}:${options.padding}`,
      sentMs: nowMs,
      dueMs: deferMs > 0 ? nowMs + deferMs : 0,
      channels: [...channels].filter(([, { madeMs }]) => madeMs > 0).map(([name]) => name),
      ackedMs: 0,
      unanswered: false,
      mayBeLost: false,
      drainedMs: 0,
      identity: undefined,
      fates: new Map(),
    };
    messages.set(message.body, message);
    this.counts.sent++;
    if (deferMs > 0) this.counts.deferred++;
    return message;
  }

  /** The message was acknowledged. */
  acked(message: SentMessage, nowMs: number): void {
    message.ackedMs = nowMs;
    this.counts.acked++;
    const { channels } = this.#topic(message.topic);
    const first = channels.keys().next().value;
    const required = message.channels.length > 0 || first === undefined || !channels.get(first)?.madeMs
      ? message.channels
      : [first];
    for (const channel of required) this.#fate(message, channel).required = true;
  }

  /** The server ended before it answered: the messages may be there or not. */
  unanswered(messages: readonly SentMessage[]): void {
    for (const message of messages) message.unanswered = true;
    this.counts.unanswered += messages.length;
  }

  /** A message has come; undefined when it is not one that was sent. */
  delivered(topic: string, channel: string, frame: MessageFrame, nowMs: number): Fate | undefined {
    const { messages, settled } = this.#topic(topic);
    const message = messages.get(frame.body);
    const where = `${topic}/${channel}: ${quote(frame.body)} (attempt ${frame.attempts})`;
    if (!message) {
      const past = settled.get(frame.body);
      this.violations.push(
        past === undefined
          ? `${where} was never sent`
          : `${where} came back: nothing was left of it ${Math.round(nowMs - past.drainedMs)} ms ago, ` +
            `flushed ${past.evidence}, ${Math.round(past.lineMs - past.drainedMs)} ms before the line`,
      );
      return undefined;
    }
    const fate = this.#fate(message, channel);
    this.counts.delivered++;
    if (fate.deliveries.length > 0 || fate.attemptsFloor > 0) this.counts.redelivered++;
    if (message.unanswered) this.counts.unansweredDelivered++;
    const identity = `${frame.id} of ${frame.timestampNs}`;
    const problem = message.identity !== undefined && message.identity !== identity
      ? `is ${identity}, and was ${message.identity}`
      : this.#problemOf(fate, frame, nowMs);
    message.identity ??= identity;
    if (problem !== undefined) this.violations.push(`${where} ${problem}; ${describe(fate, nowMs)}`);
    fate.deliveries.push({ atMs: nowMs, attempts: frame.attempts });
    fate.requeue = undefined;
    return fate;
  }

  /** A FIN is about to be sent. */
  finished(fate: Fate, nowMs: number): Fin {
    const fin = { sentMs: nowMs, failed: false, uncertain: false, flushed: undefined };
    fate.fins.push(fin);
    this.counts.finished++;
    return fin;
  }

  /** A REQ is about to be sent. */
  requeued(fate: Fate, { nowMs, delayMs }: { nowMs: number; delayMs: number }): void {
    this.counts.requeued++;
    fate.requeue = { sentMs: nowMs, untilMs: nowMs + delayMs, flushed: false };
  }

  /**
   * The server has ended. What was sent before `intervalMs` is flushed, and for each topic what was sent before
   * `savedMs`; the rest may be or not. When it did not stop in order, topics in memory have lost what they may lose.
   */
  ended(end: { intervalMs: number; savedMs?: ReadonlyMap<string, number>; inOrder: boolean }): void {
    const { inOrder, intervalMs } = end;
    for (const [topic, { durable, channels, messages, settled }] of this.#topics) {
      const lines = { savedMs: end.savedMs?.get(topic) ?? 0, intervalMs };
      const lineMs = Math.max(lines.savedMs, intervalMs);
      for (const channel of channels.values()) {
        if (channel.madeMs === 0 || channel.madeMs > lineMs) channel.mayHaveEarlier = true;
      }
      for (const message of messages.values()) {
        const evidence = message.drainedMs > 0 ? evidenceFor(message.drainedMs, lines) : undefined;
        if (evidence) {
          messages.delete(message.body);
          settled.set(message.body, { drainedMs: message.drainedMs, lineMs, evidence });
          continue;
        }
        // Not flushed: it may be back.
        message.drainedMs = 0;
        message.mayBeLost ||= !durable && !inOrder;
        for (const fate of message.fates.values()) {
          settle(fate, lines);
          if (message.mayBeLost) {
            fate.required = false;
            fate.attemptsFloor = 0;
            fate.requeue = undefined;
          }
        }
      }
    }
  }

  /** What must still come before `nowMs`, or must be finished. */
  missing(nowMs: number): Fate[] {
    const missing: Fate[] = [];
    for (const { messages } of this.#topics.values()) {
      for (const message of messages.values()) {
        if (message.dueMs > nowMs) continue;
        for (const fate of message.fates.values()) {
          if (fate.required && !fate.fins.some((fin) => !fin.failed)) missing.push(fate);
        }
      }
    }
    return missing;
  }

  /** How many messages a channel may hold that are not due: the acknowledged ones, and with those never answered. */
  notDue(topic: string, channel: string, nowMs: number): { min: number; max: number } {
    let [min, max] = [0, 0];
    const { durable, messages } = this.#topic(topic);
    for (const message of messages.values()) {
      if (message.dueMs <= nowMs) continue;
      const fate = message.fates.get(channel);
      if (fate?.required && durable) min++;
      max++;
    }
    return { min, max };
  }

  /** When the last deferred message is due. */
  get lastDueMs(): number {
    let last = 0;
    for (const { messages } of this.#topics.values()) {
      for (const { dueMs } of messages.values()) last = Math.max(last, dueMs);
    }
    return last;
  }

  /**
   * The server has nothing that waits or is in flight. Once that is flushed, nothing may come again but what may still
   * be deferred: how many messages are is not known for certain when some were never answered.
   */
  drained(nowMs: number): void {
    for (const { messages } of this.#topics.values()) {
      for (const message of messages.values()) {
        if (message.drainedMs > 0 || message.dueMs + LATE_MS > nowMs) continue;
        const done = [...message.fates.values()].every(({ fins }) => fins.some(({ failed }) => !failed));
        if (done) message.drainedMs = nowMs;
      }
    }
  }

  #problemOf(fate: Fate, frame: MessageFrame, nowMs: number): string | undefined {
    const { message, requeue } = fate;
    if (nowMs < message.dueMs - CLOCK_TOLERANCE_MS) {
      return `came ${Math.round(message.dueMs - nowMs)} ms before it was due`;
    }
    if (fate.fins.some(({ flushed, failed }) => flushed && !failed)) {
      return "came back, though its FIN was flushed";
    }
    if (fate.fins.some((fin) => !fin.failed && !fin.uncertain && nowMs - fin.sentMs > CROSSING_MS)) {
      return "came back, though it was finished and the server was not killed";
    }
    if (requeue?.flushed && nowMs < requeue.untilMs - CLOCK_TOLERANCE_MS) {
      return `came ${Math.round(requeue.untilMs - nowMs)} ms before the end of its requeue`;
    }
    if (frame.attempts <= fate.attemptsFloor) return `has not more attempts than were flushed`;
    if (fate.deliveries.some(({ attempts }) => attempts === frame.attempts)) {
      return "came twice as the same attempt";
    }
    return fate.required ? undefined : this.#problemOfChannel(fate);
  }

  #problemOfChannel({ message, channel }: Fate): string | undefined {
    const facts = this.#topic(message.topic).channels.get(channel);
    if (!facts || message.ackedMs === 0 || message.ackedMs >= facts.startedMs) return undefined;
    if (message.channels.length === 0 || message.channels.includes(channel)) return undefined;
    if (!facts.mayHaveEarlier) return "is older than the channel";
    this.counts.toYoungChannel++;
    return undefined;
  }

  #fate(message: SentMessage, channel: string): Fate {
    let fate = message.fates.get(channel);
    if (!fate) {
      fate = {
        message,
        channel,
        required: false,
        fins: [],
        attemptsFloor: 0,
        deliveries: [],
        requeue: undefined,
      };
      message.fates.set(channel, fate);
    }
    return fate;
  }

  #topic(name: string): TopicFacts {
    const topic = this.#topics.get(name);
    if (!topic) throw new Error(`No topic ${name} in the record`);
    return topic;
  }
}
