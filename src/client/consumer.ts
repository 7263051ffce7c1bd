/**
 * Takes messages of one channel from all the nodes that have its topic.
 *
 * @module
 */

import {
  clearImmediate,
  clearInterval,
  clearTimeout,
  setImmediate,
  setInterval,
  setTimeout,
} from "node:timers";
import { checkChannelName, checkTopicName } from "../protocol/names.ts";
import { BackoffMachine, type BackoffOptions, type Outcome } from "./backoff_machine.ts";
import type { Connection } from "./connection.ts";
import { ConsumerNode, type NodeOwner } from "./consumer_node.ts";
import { type Deliveries, type Handler, HandlerRuns, MessageLoop } from "./deliveries.ts";
import { ClosedError, type NsqdError } from "./errors.ts";
import type { Message } from "./message.ts";
import { NodePool, type PoolOwner } from "./node_pool.ts";
import type { ConnectionOptions } from "./options.ts";
import { Producer } from "./producer.ts";
import { ReadyBudget, TOKEN_MS } from "./ready_budget.ts";
import { type Status, StatusBoard } from "./status.ts";
import { Tracer } from "./tracing.ts";
import { within } from "./within.ts";

/** How a consumer works. */
export interface ConsumerOptions extends ConnectionOptions {
  /** The most messages that it holds at a time, over all nodes. @default {200} */
  readonly maxInFlight?: number;
  /** How long nsqd waits for the answer to a message, in ms. @default what nsqd is set to */
  readonly msgTimeoutMs?: number;
  /** So many percent of the messages are delivered, from 1 to 99; the others are finished by nsqd. @default all */
  readonly sampleRate?: number;
  /** A message that is requeued without a delay waits for so long, times its attempts. In ms. @default {90000} */
  readonly defaultRequeueDelayMs?: number;
  /** But never longer than this. In ms. @default {900000} */
  readonly maxRequeueDelayMs?: number;
  /** How it holds back when messages fail; false for not at all. */
  readonly backoff?: false | BackoffOptions;
  /** When it does not try a message again. @default never */
  readonly giveUp?: GiveUp;
}

/** When a message is not tried again, and where it goes then. There is no way to lose it without saying so. */
export interface GiveUp {
  /** A message that was delivered more often than this is not handled. */
  readonly attempts: number;
  /** The topic that it is published to, or whatever is to be done with it; then it is finished. */
  readonly deadLetter: string | ((message: Message) => void | Promise<void>);
}

/** How a handler is run. */
export interface RunOptions {
  /** The most messages that are handled at a time. @default as many as may be in flight */
  readonly concurrency?: number;
  /** Tells nsqd that a message takes longer while its handler runs. @default {false} */
  readonly autoTouch?: boolean;
}

/** What a consumer has done, and how it stands. */
export interface ConsumerStats {
  readonly received: number;
  readonly finished: number;
  readonly requeued: number;
  readonly inFlight: number;
  /** How far it holds back; 0 when it does not. */
  readonly backoffLevel: number;
  readonly nodes: readonly { readonly node: string; readonly ready: number; readonly inFlight: number }[];
}

/** A node whose messages in flight are at this part of its RDY waits for answers. */
const STARVED_PART = 0.85;
/** How long `close()` waits for answers to messages. */
const CLOSE_TIMEOUT_MS = 30_000;
/** How long a node may take to close its side of a connection. */
const GOODBYE_MS = 1000;

/**
 * A consumer of one channel.
 *
 * - Every message is answered once: `finish()` or `requeue()`. What is not answered comes again, to somebody.
 * - It takes messages while a loop or a handler wants them, and only then.
 * - No more than `maxInFlight` messages are held at a time, and no node starves.
 * - Nothing that happens in it is ever thrown at nobody: `status()` tells.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Consumer, Producer } from "@denosq/client";
 *
 * const producer = new Producer({ nsqd: ["127.0.0.1:4150"] });
 * await producer.publish("greetings", "hello");
 * await producer.close();
 *
 * const consumer = new Consumer("greetings", "readers", { nsqd: ["127.0.0.1:4150"] });
 * for await (const message of consumer) {
 *   assertEquals(message.text(), "hello");
 *   message.finish();
 *   break;
 * }
 * await consumer.close();
 * ```
 */
export class Consumer implements AsyncIterable<Message>, AsyncDisposable {
  readonly topic: string;
  readonly channel: string;
  readonly #options: ConsumerOptions;
  readonly #board = new StatusBoard();
  readonly #tracer: Tracer | undefined;
  readonly #pool: NodePool;
  readonly #budget: ReadyBudget<ConsumerNode>;
  readonly #backoff: BackoffMachine;
  readonly #nodes = new Map<Connection, ConsumerNode>();
  readonly #stopHandlers = new AbortController();
  readonly #desk: NodeOwner;
  #deadLetters: Producer | undefined;
  #maxInFlight: number;
  #paused = false;
  #deliveries: Deliveries | undefined;
  #autoTouch = false;
  #received = 0;
  #finished = 0;
  #requeued = 0;
  #planning: ReturnType<typeof setImmediate> | undefined;
  #ticker: ReturnType<typeof setInterval> | undefined;
  #backoffTimer: ReturnType<typeof setTimeout> | undefined;
  #drained: (() => void) | undefined;
  #whenDisconnected: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #runs: (() => void)[] = [];

  /**
   * A consumer that does nothing yet.
   *
   * @throws {TypeError} If a name or an address is none.
   * @throws {RangeError} If a number is none that can be.
   */
  constructor(topic: string, channel: string, options: ConsumerOptions) {
    checkTopicName(topic);
    checkChannelName(channel);
    this.topic = topic;
    this.channel = channel;
    this.#options = options;
    this.#tracer = options.tracing && new Tracer(options.tracing);
    this.#maxInFlight = checkedCount("maxInFlight", options.maxInFlight ?? 200);
    if (options.giveUp) checkedCount("giveUp.attempts", options.giveUp.attempts);
    this.#budget = new ReadyBudget(0);
    this.#backoff = new BackoffMachine(options.backoff === false ? { maxMs: 0 } : options.backoff);
    this.#desk = {
      topic,
      channel,
      delivered: (node, message) => this.#delivered(node, message),
      settled: (node, outcome) => this.#settled(node, outcome),
      refused: (node, error) => this.#refused(node, error),
      requeueDelayMs: (attempts) => this.#requeueDelayMs(attempts),
    };
    const owner: PoolOwner = {
      opened: (connection) => this.#subscribe(connection),
      connected: (connection) => this.#connected(connection),
      lost: (connection) => this.#lost(connection),
    };
    this.#pool = new NodePool(options, { topic, owner, board: this.#board });
  }

  /** The most messages that are held at a time, over all nodes. May be changed. */
  get maxInFlight(): number {
    return this.#maxInFlight;
  }

  set maxInFlight(count: number) {
    this.#maxInFlight = checkedCount("maxInFlight", count);
    this.#planSoon();
  }

  /** Whether a node waits for answers before it can send more. */
  get starved(): boolean {
    return this.#budget.shares.some(({ ready, inFlight }) =>
      inFlight > 0 && inFlight >= STARVED_PART * ready
    );
  }

  /** How it stands. */
  get stats(): ConsumerStats {
    const nodes = this.#budget.shares.map(({ node, ready, inFlight }) => ({ node, ready, inFlight }));
    return {
      received: this.#received,
      finished: this.#finished,
      requeued: this.#requeued,
      inFlight: nodes.reduce((sum, { inFlight }) => sum + inFlight, 0),
      backoffLevel: this.#backoff.level,
      nodes,
    };
  }

  /** What happens from now on, until the consumer is closed or the signal aborts. */
  status(signal?: AbortSignal): AsyncIterableIterator<Status> {
    return this.#board.watch(signal);
  }

  /**
   * The messages, one after the other, each to be answered by `finish()` or `requeue()`. When the loop is left, the
   * message that it was at is requeued if it has not been answered, and no more are taken.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message> {
    const loop: MessageLoop = new MessageLoop(() => this.#leave(loop));
    this.#begin(loop, false);
    return loop;
  }

  /**
   * Gives each message to a handler: it is finished when the handler returns, and requeued, with backoff, when it
   * throws, unless the handler has answered it itself.
   *
   * @returns When the consumer has been closed.
   */
  run(handler: Handler, options: RunOptions = {}): Promise<void> {
    const { concurrency, autoTouch = false } = options;
    if (concurrency !== undefined) checkedCount("concurrency", concurrency);
    const tracer = this.#tracer;
    const traced: Handler = tracer
      ? (message, signal) => tracer.processing(message, () => handler(message, signal))
      : handler;
    const runs = new HandlerRuns(traced, {
      concurrency: () => concurrency ?? Math.max(1, this.#maxInFlight),
      signal: this.#stopHandlers.signal,
      failed: (message, error) => {
        this.#board.tell({
          kind: "handler-failed",
          messageId: message.id,
          attempts: message.attempts,
          error,
        });
      },
    });
    this.#begin(runs, autoTouch);
    return new Promise((resolve) => this.#runs.push(resolve));
  }

  /** Takes no more messages; those that are here can be answered. */
  pause(): void {
    this.#paused = true;
    this.#planSoon();
  }

  /** Takes messages again. */
  resume(): void {
    this.#paused = false;
    this.#planSoon();
  }

  /**
   * Takes no more messages, waits until those that the program has are answered, and ends the connections. What is not
   * answered in time is requeued. Never rejects. A handler, or a loop at a message that it has not answered, must not wait
   * for it: it is what is waited for.
   */
  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.timeoutMs ?? CLOSE_TIMEOUT_MS);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #begin(deliveries: Deliveries, autoTouch: boolean): void {
    if (this.#closing) throw new ClosedError(`${this.topic}/${this.channel}: the consumer has been closed`);
    if (this.#deliveries) throw new TypeError("A consumer has one loop or one handler at a time");
    const { signal } = this.#options;
    this.#deliveries = deliveries;
    this.#autoTouch = autoTouch;
    this.#ticker ??= setInterval(() => this.#tick(), TOKEN_MS);
    if (signal?.aborted) void this.close();
    else {
      signal?.addEventListener("abort", this.#onAbort);
      this.#pool.start();
      this.#planSoon();
    }
  }

  readonly #onAbort = () => void this.close();

  #leave(deliveries: Deliveries): void {
    if (this.#deliveries !== deliveries) return;
    this.#deliveries = undefined;
    // At once: what comes between now and then would be requeued.
    this.#plan();
  }

  async #subscribe(connection: Connection): Promise<void> {
    const node = new ConsumerNode(connection, this.#desk);
    connection.receiver = node;
    this.#nodes.set(connection, node);
    await connection.ask(`SUB ${this.topic} ${this.channel}`);
  }

  #connected(connection: Connection): void {
    const node = this.#nodes.get(connection);
    if (!node) return;
    this.#budget.add(node);
    this.#plan();
  }

  #lost(connection: Connection): void {
    const node = this.#nodes.get(connection);
    if (!node) return;
    this.#nodes.delete(connection);
    this.#budget.remove(node);
    node.abandon();
    if (!this.#closing) this.#planSoon();
    this.#checkDrained();
    if (this.#nodes.size === 0) this.#whenDisconnected?.();
  }

  #delivered(node: ConsumerNode, message: Message): void {
    this.#received++;
    this.#tracer?.consumed(message);
    // Before there is an answer: behind FIN nsqd would send the next one, and then hear that it should not have.
    if (this.#budget.scarce) this.#plan();
    const { giveUp } = this.#options;
    if (giveUp && message.attempts > giveUp.attempts) void this.#giveUp(message, giveUp);
    else if (this.#deliveries) this.#deliveries.deliver(message);
    else message.requeue({ delayMs: 0, backoff: false });
    if (node.lends || this.#budget.wanting) this.#planSoon();
  }

  #settled(_node: ConsumerNode, outcome: Outcome): void {
    if (outcome === "finished") this.#finished++;
    else this.#requeued++;
    if (outcome !== "finished" || this.#backoff.level > 0) this.#advanceBackoff(outcome);
    if (this.#budget.wanting) this.#planSoon();
    if (this.#drained) this.#checkDrained();
  }

  #refused(node: ConsumerNode, error: NsqdError): void {
    this.#board.tell({ kind: "settle-refused", node: node.node, error });
    if (error.code === "E_FIN_FAILED") this.#advanceBackoff("failed");
  }

  #requeueDelayMs(attempts: number): number {
    const { defaultRequeueDelayMs = 90_000, maxRequeueDelayMs = 900_000 } = this.#options;
    return Math.min(defaultRequeueDelayMs * attempts, maxRequeueDelayMs);
  }

  async #giveUp(message: Message, { deadLetter }: GiveUp): Promise<void> {
    const { id: messageId, attempts } = message;
    try {
      if (typeof deadLetter === "function") await deadLetter(message);
      else {
        this.#deadLetters ??= new Producer(withoutSignal(this.#options));
        await this.#deadLetters.publish(deadLetter, message.body);
      }
    } catch (error) {
      this.#board.tell({ kind: "give-up-failed", messageId, error });
      message.requeue({ backoff: false });
      return;
    }
    message.finish();
    this.#board.tell({ kind: "gave-up", messageId, attempts });
  }

  #advanceBackoff(outcome: Outcome): void {
    const nowMs = performance.now();
    if (!this.#backoff.settled(outcome, nowMs)) return;
    clearTimeout(this.#backoffTimer);
    const { level, untilMs, waitMs } = this.#backoff;
    if (untilMs === undefined) this.#board.tell({ kind: "backed-on" });
    else {
      this.#board.tell({ kind: "backing-off", level, durationMs: waitMs });
      this.#backoffTimer = setTimeout(() => this.#endBackoffWait(), waitMs);
    }
    // At once, and not with the turn: messages that are on their way are few.
    this.#plan();
  }

  #endBackoffWait(): void {
    if (!this.#backoff.passed(Math.max(performance.now(), this.#backoff.untilMs ?? 0))) return;
    this.#board.tell({ kind: "testing", level: this.#backoff.level });
    this.#plan();
  }

  #tick(): void {
    const nowMs = performance.now();
    for (const node of this.#budget.shares) {
      if (this.#autoTouch) node.touchHeld(nowMs);
      node.expire(nowMs);
    }
    this.#plan();
    this.#checkDrained();
  }

  #planSoon(): void {
    this.#planning ??= setImmediate(() => this.#plan());
  }

  #plan(): void {
    clearImmediate(this.#planning);
    this.#planning = undefined;
    this.#budget.limit = this.#limit();
    for (const { share } of this.#budget.plan(performance.now())) {
      if (!this.#closing) share.sendReady();
    }
  }

  /** How many messages it may hold now. */
  #limit(): number {
    if (this.#paused || this.#closing || !this.#deliveries) return 0;
    const { state } = this.#backoff;
    if (state === "waiting") return 0;
    return state === "testing" ? Math.min(1, this.#maxInFlight) : this.#maxInFlight;
  }

  #checkDrained(): void {
    if (this.#drained && this.#budget.shares.every(({ inFlight }) => inFlight === 0)) this.#drained();
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#pool.stopDialing();
    clearTimeout(this.#backoffTimer);
    this.#deliveries?.stop();
    // After its answer to CLS a node sends no more messages, and takes FIN, REQ and TOUCH.
    const asked = [...this.#pool.connections].map((connection) =>
      connection.ask("CLS").then(() => undefined, (error: Error) => connection.close(error))
    );
    const drained = Promise.all(asked).then(() => this.#allAnswered());
    const inTime = await within(timeoutMs, drained);
    this.#stopHandlers.abort(new ClosedError("The consumer has been closed"));
    if (!inTime) { for (const node of this.#budget.shares) node.requeueHeld(); }
    clearInterval(this.#ticker);
    clearImmediate(this.#planning);
    for (const connection of this.#pool.connections) connection.end();
    await within(
      GOODBYE_MS,
      new Promise<void>((resolve) => {
        this.#whenDisconnected = resolve;
        if (this.#nodes.size === 0) resolve();
      }),
    );
    await this.#pool.close();
    await this.#deadLetters?.close();
    this.#board.end();
    for (const resolve of this.#runs) resolve();
  }

  #allAnswered(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve;
      this.#checkDrained();
    });
  }
}

function withoutSignal({ signal: _signal, ...options }: ConsumerOptions): ConnectionOptions {
  return options;
}

function checkedCount(name: string, count: number): number {
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new RangeError(`${name} is a whole number, not ${count}`);
}
