/**
 * What a broker is to do, written as naively as possible: plain arrays of objects that are searched from end to
 * end. The model test holds the real one against it.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { ChannelLimits } from "../../src/broker/channel.ts";
import type { Timestamp } from "../../src/log/segment_image.ts";

/** More are not counted. */
const ATTEMPTS_MAX = 65535;

/** A message as it was published. */
export interface ModelMessage {
  readonly position: number;
  readonly body: Uint8Array;
  readonly timestamp: Timestamp;
  /** 0 when it is not deferred. */
  readonly dueMs: number;
  /** What another queue had said about it. */
  readonly origin: { readonly id: Uint8Array; readonly attempts: number } | undefined;
}

/** A message as one channel has it, until it is finished. */
export interface ModelEntry {
  readonly message: ModelMessage;
  state: "waiting" | "inFlight" | "deferred" | "ready";
  attempts: number;
  holder: ModelClient | undefined;
  deliveredMs: number;
  deadlineMs: number;
  dueMs: number;
  /** Ready again: messages before this position come first. */
  behind: number;
}

/** A consumer, as far as the model is concerned. */
export interface ModelClient {
  /** By deadline. */
  inFlight: ModelEntry[];
  readonly msgTimeoutMs: number;
  /** Its messages are answered by leases. */
  readonly isLeased: boolean;
}

/** What a lease of a channel's message has come to: its holder, or why there is none. */
export type ModelFate = ModelClient | "returned" | "superseded" | "finished";

/** A channel of the model. */
export class ModelChannel {
  readonly ephemeral: boolean;
  paused = false;
  entries: ModelEntry[] = [];
  ready: ModelEntry[] = [];
  clients: ModelClient[] = [];
  departed: ModelClient[] = [];
  messageCount = 0;
  requeueCount = 0;
  timeoutCount = 0;
  readonly #limits: ChannelLimits;

  constructor(name: string, limits: ChannelLimits) {
    this.ephemeral = name.endsWith("#ephemeral");
    this.#limits = limits;
  }

  get depth(): number {
    return this.waitingCount + this.#count("ready");
  }

  get waitingCount(): number {
    return this.#count("waiting");
  }

  get inFlightCount(): number {
    return this.#count("inFlight");
  }

  get leasedCount(): number {
    return this.entries.filter(({ holder }) => holder?.isLeased).length;
  }

  get deferredCount(): number {
    return this.#count("deferred");
  }

  /** Messages become the channel's. */
  take(messages: readonly ModelMessage[]): void {
    for (const message of messages) {
      const deferred = message.dueMs > 0;
      this.messageCount++;
      if (!deferred && this.ephemeral && this.depth >= this.#limits.ephemeralDepthMax) continue;
      this.entries.push({
        message,
        state: deferred ? "deferred" : "waiting",
        attempts: message.origin?.attempts ?? 0,
        holder: undefined,
        deliveredMs: 0,
        deadlineMs: 0,
        dueMs: message.dueMs,
        behind: 0,
      });
    }
  }

  /** The real channel has delivered the message at `position`: checks that it may, and follows. */
  deliver(
    client: ModelClient,
    position: number,
    options: { nowMs: number; isAtHand: (position: number) => boolean },
  ): ModelEntry {
    const { nowMs, isAtHand } = options;
    assert(!this.paused, "delivered while paused");
    const entry = this.entries.find((entry) => entry.message.position === position);
    assert(entry, `delivered a message that the channel does not have: ${position}`);
    assert(entry.state !== "inFlight", `delivered a message that is in flight: ${position}`);
    assert(entry.state !== "deferred", `delivered a deferred message: ${position}`);
    assertEquals(position, this.#expected(isAtHand)?.message.position, "delivered out of order");
    this.ready = this.ready.filter((other) => other !== entry);
    entry.state = "inFlight";
    entry.attempts = oneMore(entry.attempts);
    entry.holder = client;
    entry.deliveredMs = nowMs;
    entry.deadlineMs = nowMs + client.msgTimeoutMs;
    insertByDeadline(client.inFlight, entry);
    return entry;
  }

  finish(entry: ModelEntry): void {
    this.#endFlight(entry);
    this.entries.splice(this.entries.indexOf(entry), 1);
  }

  /** What has become of a delivery to a client whose messages are leased. */
  fateOf(position: number, attempt: number): ModelFate {
    const entry = this.entries.find(({ message }) => message.position === position);
    if (!entry) return "finished";
    if (entry.attempts !== attempt) return "superseded";
    if (entry.holder) return entry.holder.isLeased ? entry.holder : "superseded";
    return "returned";
  }

  /** What was given back, or not finished in time, is finished all the same. */
  finishReturned(position: number): void {
    this.entries = this.entries.filter(({ message }) => message.position !== position);
    this.ready = this.ready.filter(({ message }) => message.position !== position);
  }

  requeue(entry: ModelEntry, options: { dueMs: number; logEnd: number }): void {
    this.#endFlight(entry);
    this.requeueCount++;
    if (options.dueMs === 0) {
      this.#makeReady(entry, options.logEnd);
    } else {
      entry.state = "deferred";
      entry.dueMs = options.dueMs;
    }
  }

  /** Somebody drops the message, whatever it is. */
  discard(entry: ModelEntry): void {
    if (entry.state === "inFlight") this.#endFlight(entry);
    this.finishReturned(entry.message.position);
  }

  /** Somebody makes the message the next one, whatever it is. */
  hasten(entry: ModelEntry): void {
    if (entry.state === "inFlight") {
      this.#endFlight(entry);
      this.requeueCount++;
    }
    this.ready = [entry, ...this.ready.filter((other) => other !== entry)];
    entry.state = "ready";
    entry.behind = 0;
  }

  touch(entry: ModelEntry, nowMs: number): void {
    const { holder } = entry;
    assert(holder);
    const last = entry.deliveredMs + this.#limits.maxMsgTimeoutMs;
    entry.deadlineMs = Math.min(nowMs + holder.msgTimeoutMs, last);
    holder.inFlight.splice(holder.inFlight.indexOf(entry), 1);
    insertByDeadline(holder.inFlight, entry);
  }

  /**
   * Deferred messages that are due become ready, then those whose time is over. A parked one that is not in memory
   * `sleeps` until it has been read.
   */
  scan(options: { nowMs: number; logEnd: number; sleeps: (position: number) => boolean }): void {
    const { nowMs, logEnd, sleeps } = options;
    const due = this.entries.filter((entry) =>
      entry.state === "deferred" && entry.dueMs <= nowMs && !sleeps(entry.message.position)
    );
    for (const entry of due.sort((a, b) => a.dueMs - b.dueMs)) {
      this.#makeReady(entry, logEnd);
    }
    for (const client of [...this.clients, ...this.departed]) {
      while (client.inFlight.length > 0 && client.inFlight[0].deadlineMs <= nowMs) {
        const [entry] = client.inFlight;
        this.#endFlight(entry);
        this.timeoutCount++;
        this.#makeReady(entry, logEnd);
      }
    }
    this.departed = this.departed.filter((client) => client.inFlight.length > 0);
  }

  remove(client: ModelClient): void {
    this.clients.splice(this.clients.indexOf(client), 1);
    if (client.inFlight.length > 0) this.departed.push(client);
  }

  empty(): void {
    this.entries = [];
    this.ready = [];
    for (const client of [...this.clients, ...this.departed]) client.inFlight = [];
    this.departed = [];
  }

  /** The program was stopped and started: what was in flight or ready is ready again, by position. */
  restart(logEnd: number): void {
    const inFlight = this.entries.filter((entry) => entry.state === "inFlight");
    for (const entry of inFlight) this.#endFlight(entry);
    const again = [...this.ready, ...inFlight].sort((a, b) => a.message.position - b.message.position);
    this.ready = [];
    for (const entry of again) this.#makeReady(entry, logEnd);
    this.clients = [];
    this.departed = [];
    this.messageCount = this.requeueCount = this.timeoutCount = 0;
  }

  /** What is to be delivered next: requeued messages go behind what had come when they were requeued. */
  #expected(isAtHand: (position: number) => boolean): ModelEntry | undefined {
    const waiting = this.entries.find((entry) => entry.state === "waiting");
    const [ready] = this.ready;
    const readyNow = ready !== undefined && isAtHand(ready.message.position);
    return readyNow && (!waiting || ready.behind <= waiting.message.position) ? ready : waiting;
  }

  #endFlight(entry: ModelEntry): void {
    assert(entry.holder && entry.state === "inFlight");
    entry.holder.inFlight.splice(entry.holder.inFlight.indexOf(entry), 1);
    entry.holder = undefined;
  }

  #makeReady(entry: ModelEntry, logEnd: number): void {
    entry.state = "ready";
    entry.behind = logEnd;
    this.ready.push(entry);
  }

  #count(state: ModelEntry["state"]): number {
    return this.entries.filter((entry) => entry.state === state).length;
  }
}

/** A topic of the model. */
export class ModelTopic {
  readonly ephemeral: boolean;
  paused = false;
  readonly channels = new Map<string, ModelChannel>();
  /** Messages that are not yet the channels'. */
  own: ModelMessage[] = [];
  /** Messages that are not committed. */
  pending: ModelMessage[] = [];
  messageCount = 0;
  /** Messages that will be counted at the commit: an ephemeral topic drops some of them. */
  #pendingCount = 0;
  readonly #limits: ChannelLimits;

  constructor(name: string, limits: ChannelLimits) {
    this.ephemeral = name.endsWith("#ephemeral");
    this.#limits = limits;
  }

  /** How many of so many messages are kept. */
  room(count: number): number {
    if (!this.ephemeral || (this.channels.size > 0 && !this.paused)) return count;
    return Math.max(
      Math.min(count, this.#limits.ephemeralDepthMax - this.own.length - this.#pendingCount),
      0,
    );
  }

  pend(messages: readonly ModelMessage[], count: number): void {
    this.pending.push(...messages);
    this.#pendingCount += count;
  }

  commit(): void {
    this.messageCount += this.#pendingCount;
    // While its own are being passed on, new ones are behind them.
    const distributes = !this.isHeld && this.own.length === 0;
    if (distributes) { for (const channel of this.channels.values()) channel.take(this.pending); }
    else this.own.push(...this.pending);
    this.discard();
  }

  /** The messages that are not committed could not be written. */
  discard(): void {
    this.pending = [];
    this.#pendingCount = 0;
  }

  channel(name: string): ModelChannel {
    const existing = this.channels.get(name);
    if (existing) return existing;
    const channel = new ModelChannel(name, this.#limits);
    this.channels.set(name, channel);
    return channel;
  }

  /** It keeps new messages for itself. */
  get isHeld(): boolean {
    return this.channels.size === 0 || this.paused;
  }

  /** The topic has passed its own messages to the channels, but for so many that must be read first. */
  passedOn(left: number): void {
    const passed = this.own.splice(0, this.own.length - left);
    assert(passed.length === 0 || !this.isHeld, "passed on what was to be held");
    for (const channel of this.channels.values()) channel.take(passed);
  }
}

/** What a count of attempts is after another one: it stops at its greatest value. */
export function oneMore(attempts: number): number {
  return Math.min(attempts + 1, ATTEMPTS_MAX);
}

function insertByDeadline(list: ModelEntry[], entry: ModelEntry): void {
  const at = list.findLastIndex((other) => other.deadlineMs <= entry.deadlineMs);
  list.splice(at + 1, 0, entry);
}
