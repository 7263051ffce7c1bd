/**
 * Publishes messages to one of several nodes.
 *
 * @module
 */

import { clearImmediate, clearInterval, setImmediate, setInterval } from "node:timers";
import { writeBodyCommand, writeMpub } from "../protocol/command_writer.ts";
import { isValidTopicName } from "../protocol/names.ts";
import type { Connection } from "./connection.ts";
import { ClosedError, NsqdError, PublishError, QueueFullError } from "./errors.ts";
import { NodePool, type PoolOwner } from "./node_pool.ts";
import type { ConnectionOptions } from "./options.ts";
import { type BatchLimits, type Group, type Item, PLAIN, PublishQueue, split } from "./publish_queue.ts";
import { type Status, StatusBoard } from "./status.ts";
import { Tracer } from "./tracing.ts";
import { within } from "./within.ts";

/** How a producer works. */
export interface ProducerOptions extends ConnectionOptions {
  /** Which of the connected nodes gets the next batch: each in turn, or the first of those named. @default {"round-robin"} */
  readonly strategy?: "round-robin" | "first";
  /** How often a message is sent at most, each time to another node where there is one. @default {3} */
  readonly attempts?: number;
  /** A message that is not published by then is given up. In ms. @default {30000} */
  readonly timeoutMs?: number;
  /**
   * Whether a message that was sent and not answered, because the connection was lost, is sent again. It is published
   * twice then, perhaps; otherwise perhaps not at all. @default {true}
   */
  readonly retryAmbiguous?: boolean;
  /** The most that goes out as one command; false for each message alone. @default {500 messages, 1 MiB} */
  readonly batch?: false | Partial<BatchLimits>;
  /** The most that waits. @default {1000000 messages, 256 MiB} */
  readonly maxPending?: Partial<BatchLimits>;
}

/** A message's body; text goes as UTF-8. */
export type Body = Uint8Array | string;

/** How one message is published. */
export interface PublishOptions {
  /** How long nsqd keeps it before it is delivered, in ms. */
  readonly deferMs?: number;
  /** Gives up waiting; what was sent by then is published perhaps. */
  readonly signal?: AbortSignal;
}

/** A message was published. */
export interface Receipt {
  /** By that node. */
  readonly node: string;
}

/** What a producer has done, and how it stands. */
export interface ProducerStats {
  readonly published: number;
  /** Messages that wait, or were sent and not answered. */
  readonly pending: number;
  readonly pendingBytes: number;
  readonly nodes: readonly { readonly node: string; readonly unanswered: number }[];
}

/** Commands that may be unanswered on a connection before others wait for their answers. */
const UNANSWERED_MAX = 16;
/** How long `close()` waits for what has not been published. */
const CLOSE_TIMEOUT_MS = 30_000;
/** How long a node may take to close its side of a connection. */
const GOODBYE_MS = 1000;
/** How often deadlines are looked at. */
const LOOK_MS = 250;
/** These say nothing against the message: another node may take it. */
const TEMPORARY = new Set(["E_PUB_FAILED", "E_MPUB_FAILED", "E_DPUB_FAILED"]);
/** One message may be the reason for these, and the others of its batch may be good. */
const ABOUT_MESSAGE = new Set(["E_BAD_MESSAGE", "E_BAD_BODY", "E_INVALID"]);

const ENCODER = new TextEncoder();

/** An item with those who wait for it. */
interface PublishItem extends Item {
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (error: unknown) => void;
  readonly causes: Error[];
  /** Lets go of the signal that could give it up. */
  forget: (() => void) | undefined;
  /** What was active when it was published, for tracing. */
  readonly context: unknown;
}

/**
 * A producer.
 *
 * - Messages that are published in one turn of the event loop go out together. Each has an answer of its own all the same.
 * - A message is published at least once when `publish()` resolves. When it rejects, it was not, unless the error says
 *   that this is `ambiguous`.
 * - What a node does not take is sent to another. While there is none, messages wait until their time is up.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Producer } from "@denosq/client";
 *
 * const producer = new Producer({ nsqd: ["127.0.0.1:4150"] });
 * const receipts = await Promise.all(["a", "b"].map((body) => producer.publish("orders", body)));
 *
 * assertEquals(receipts[1], { node: "127.0.0.1:4150" });
 * await producer.close();
 * ```
 */
export class Producer implements AsyncDisposable {
  readonly #options: ProducerOptions;
  readonly #board = new StatusBoard();
  readonly #tracer: Tracer | undefined;
  readonly #pool: NodePool;
  readonly #queue = new PublishQueue<PublishItem>();
  readonly #limits: BatchLimits;
  readonly #maxPending: BatchLimits;
  readonly #timeoutMs: number;
  readonly #topics = new Set<string>();
  readonly #order: ReadonlyMap<string, number>;
  /** What was sent and not answered. */
  readonly #sent = new Set<readonly PublishItem[]>();
  #started = false;
  #pumping: ReturnType<typeof setImmediate> | undefined;
  #ticker: ReturnType<typeof setInterval> | undefined;
  #turn = 0;
  #published = 0;
  #pending = 0;
  #pendingBytes = 0;
  #readyWaiters: (() => void)[] = [];
  #flushWaiters: (() => void)[] = [];
  #closing: Promise<void> | undefined;
  #whenDisconnected: (() => void) | undefined;

  /**
   * A producer that is connected to nothing yet.
   *
   * @throws {TypeError} If there is nothing to connect to, or an address is none.
   */
  constructor(options: ProducerOptions) {
    const { batch = {}, maxPending = {}, nsqd = [] } = options;
    this.#options = options;
    this.#tracer = options.tracing && new Tracer(options.tracing);
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#limits = batch === false
      ? { messages: 1, bytes: Infinity }
      : { messages: batch.messages ?? 500, bytes: batch.bytes ?? 1024 * 1024 };
    this.#maxPending = {
      messages: maxPending.messages ?? 1_000_000,
      bytes: maxPending.bytes ?? 256 * 1024 * 1024,
    };
    this.#order = new Map(nsqd.map((node, i) => [node, i]));
    const owner: PoolOwner = {
      opened: () => Promise.resolve(),
      connected: () => this.#connected(),
      lost: () => this.#lost(),
    };
    this.#pool = new NodePool(options, { topic: undefined, owner, board: this.#board });
  }

  /** How it stands. */
  get stats(): ProducerStats {
    return {
      published: this.#published,
      pending: this.#pending,
      pendingBytes: this.#pendingBytes,
      nodes: [...this.#pool.connections].map(({ node, unanswered }) => ({ node, unanswered })),
    };
  }

  /** What happens from now on, until the producer is closed or the signal aborts. */
  status(signal?: AbortSignal): AsyncIterableIterator<Status> {
    return this.#board.watch(signal);
  }

  /**
   * Publishes a message. Not every call needs to be waited for: what is published in one turn goes out together.
   *
   * @throws {PublishError} If it was not published, or that is not known.
   * @throws {NsqdError} If nsqd refuses it.
   * @throws {QueueFullError} If too much waits already.
   * @throws {TypeError | RangeError} If it cannot be published anywhere.
   */
  publish(topic: string, body: Body, options?: PublishOptions): Promise<Receipt> {
    const bytes = typeof body === "string" ? ENCODER.encode(body) : body;
    const deferMs = options?.deferMs ?? 0;
    const group = deferMs === 0 ? PLAIN : { deferMs, whole: false };
    return this.#add(topic, [bytes], group, options?.signal);
  }

  /** Publishes messages all together or, when it rejects, none of them; as one command, however many they are. */
  publishMany(
    topic: string,
    bodies: Iterable<Body>,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Receipt> {
    const all = Array.from(bodies, (body) => typeof body === "string" ? ENCODER.encode(body) : body);
    return this.#add(topic, all, { deferMs: 0, whole: true }, options?.signal);
  }

  /** Connects, and waits until a message could be sent. @throws {ClosedError} Or the signal's reason. */
  ready(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closing) return reject(new ClosedError("The producer has been closed"));
      if (signal?.aborted) return reject(signal.reason);
      this.#start();
      if (this.#pool.connections.size > 0) return resolve();
      const settle = () => {
        signal?.removeEventListener("abort", abort);
        if (this.#closing) reject(new ClosedError("The producer has been closed"));
        else resolve();
      };
      const abort = () => {
        this.#readyWaiters = this.#readyWaiters.filter((waiter) => waiter !== settle);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", abort);
      this.#readyWaiters.push(settle);
    });
  }

  /** Waits until everything that was published so far is answered, well or not. */
  flush(): Promise<void> {
    if (this.#pending === 0) return Promise.resolve();
    return new Promise((resolve) => this.#flushWaiters.push(resolve));
  }

  /** Takes no more messages, waits for the answers to all that it has, and ends the connections. Never rejects. */
  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(options.timeoutMs ?? CLOSE_TIMEOUT_MS);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #add(
    topic: string,
    bodies: readonly Uint8Array[],
    group: Group,
    signal: AbortSignal | undefined,
  ): Promise<Receipt> {
    const problem = this.#problemWith(topic, bodies, group);
    if (problem) return Promise.reject(problem);
    if (signal?.aborted) return Promise.reject(signal.reason);
    let bytes = 0;
    for (const body of bodies) bytes += body.length;
    const room = this.#pending + bodies.length <= this.#maxPending.messages &&
      this.#pendingBytes + bytes <= this.#maxPending.bytes;
    if (!room) {
      return Promise.reject(new QueueFullError(`${this.#pending} messages wait to be published already`));
    }
    this.#start();
    this.#pending += bodies.length;
    this.#pendingBytes += bytes;
    const deadlineMs = performance.now() + this.#timeoutMs;
    return new Promise((resolve, reject) => {
      const item: PublishItem = {
        topic,
        bodies,
        bytes,
        deadlineMs,
        group,
        attempts: 0,
        ambiguous: false,
        over: false,
        resolve,
        reject,
        causes: [],
        forget: undefined,
        context: this.#tracer?.context(),
      };
      if (signal) this.#giveUpOn(signal, item);
      this.#queue.push(item);
      this.#pumpSoon();
    });
  }

  /** Why that can be published nowhere, if it cannot. */
  #problemWith(topic: string, bodies: readonly Uint8Array[], { deferMs }: Group): Error | undefined {
    if (this.#closing) return new ClosedError("The producer has been closed");
    if (!this.#topics.has(topic)) {
      if (!isValidTopicName(topic)) return new TypeError(`Not the name of a topic: ${JSON.stringify(topic)}`);
      this.#topics.add(topic);
    }
    if (bodies.length === 0) return new RangeError("There are no messages to publish");
    for (const body of bodies) {
      if (body.length === 0) return new RangeError("A message has a body of at least one byte");
    }
    if (!Number.isSafeInteger(deferMs) || deferMs < 0) {
      return new RangeError(`deferMs is a whole number of ms, not ${deferMs}`);
    }
    return undefined;
  }

  #giveUpOn(signal: AbortSignal, item: PublishItem): void {
    const abort = () => this.#settle(item, () => item.reject(signal.reason));
    signal.addEventListener("abort", abort);
    item.forget = () => signal.removeEventListener("abort", abort);
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#ticker = setInterval(() => this.#look(), Math.min(LOOK_MS, this.#timeoutMs));
    const { signal } = this.#options;
    if (signal?.aborted) void this.close();
    else signal?.addEventListener("abort", this.#onAbort);
    this.#pool.start();
  }

  readonly #onAbort = () => void this.close();

  #pumpSoon(): void {
    this.#pumping ??= setImmediate(() => this.#pump());
  }

  /** Sends as much as the nodes take. */
  #pump(): void {
    clearImmediate(this.#pumping);
    this.#pumping = undefined;
    while (!this.#queue.empty) {
      const connection = this.#choose();
      if (!connection) return;
      const batch = this.#queue.take(this.#limits);
      if (batch.length > 0) this.#send(connection, batch);
    }
  }

  #choose(): Connection | undefined {
    const free = [...this.#pool.connections].filter(({ unanswered }) => unanswered < UNANSWERED_MAX);
    if (this.#options.strategy === "first") {
      const placeOf = ({ node }: Connection) => this.#order.get(node) ?? Infinity;
      return free.sort((a, b) => placeOf(a) - placeOf(b))[0];
    }
    return free[this.#turn++ % free.length];
  }

  #send(connection: Connection, batch: readonly PublishItem[]): void {
    const { output } = connection;
    const { topic, group, bodies } = batch[0];
    const operation = group.deferMs > 0 ? "dpub" : batch.length > 1 || group.whole ? "mpub" : "pub";
    if (operation === "dpub") writeBodyCommand(output, `DPUB ${topic} ${group.deferMs}`, bodies[0]);
    else if (operation === "pub") writeBodyCommand(output, `PUB ${topic}`, bodies[0]);
    else writeMpub(output, topic, group.whole ? bodies : batch.map((item) => item.bodies[0]));
    this.#sent.add(batch);
    const { node } = connection;
    const traced = this.#tracer?.sending({
      operation,
      topic,
      node,
      messages: group.whole ? bodies.length : batch.length,
      bytes: batch[0].bytes,
      contexts: batch.map(({ context }) => context),
    });
    connection.expect({
      succeeded: () => {
        traced?.();
        this.#succeeded(node, batch);
      },
      failed: (error, ambiguous) => {
        traced?.(error);
        this.#failed(node, batch, error, ambiguous);
      },
    });
    connection.flush();
  }

  #succeeded(node: string, batch: readonly PublishItem[]): void {
    this.#sent.delete(batch);
    const receipt: Receipt = { node };
    for (const item of batch) {
      if (item.over) continue;
      this.#published += item.bodies.length;
      this.#settle(item, () => item.resolve(receipt));
    }
    if (!this.#queue.empty) this.#pumpSoon();
  }

  #failed(node: string, batch: readonly PublishItem[], error: Error, ambiguous: boolean): void {
    this.#sent.delete(batch);
    const waiting = batch.filter((item) => !item.over);
    const isTemporary = error instanceof NsqdError && TEMPORARY.has(error.code);
    const refused = error instanceof NsqdError && !isTemporary;
    for (const item of waiting) {
      item.causes.push(error);
      if (ambiguous) item.ambiguous = true;
      // What was not sent, or stood behind another that was refused, has not been tried.
      if (ambiguous || isTemporary) item.attempts++;
    }
    if (refused && waiting.length > 1 && ABOUT_MESSAGE.has(error.code)) {
      split(waiting);
      this.#putBack(node, waiting, error);
    } else if (refused) {
      for (const item of waiting) this.#settle(item, () => item.reject(error));
    } else {
      const again = waiting.filter((item) => this.#mayRetry(item));
      for (const item of waiting) {
        if (!again.includes(item)) this.#giveUp(item, "The message was not published");
      }
      this.#putBack(node, again, error);
    }
  }

  #mayRetry({ ambiguous, attempts }: PublishItem): boolean {
    return attempts < (this.#options.attempts ?? 3) && (!ambiguous || (this.#options.retryAmbiguous ?? true));
  }

  #putBack(node: string, items: readonly PublishItem[], error: Error): void {
    if (items.length === 0) return;
    this.#board.tell({ kind: "publish-retried", node, messages: items.length, error });
    this.#queue.putBack(items);
    this.#pumpSoon();
  }

  #giveUp(item: PublishItem, reason: string): void {
    const { ambiguous } = item;
    const causes = item.causes.length > 0 ? item.causes : this.#pool.failures;
    const message = ambiguous ? `${reason}, or nobody knows` : reason;
    this.#settle(item, () => item.reject(new PublishError(message, { causes, ambiguous })));
  }

  /** Tells whoever waits for an item, once. */
  #settle(item: PublishItem, tell: () => void): void {
    if (item.over) return;
    item.over = true;
    this.#pending -= item.bodies.length;
    this.#pendingBytes -= item.bytes;
    item.forget?.();
    tell();
    if (this.#pending > 0) return;
    const waiters = this.#flushWaiters;
    this.#flushWaiters = [];
    for (const waiter of waiters) waiter();
  }

  /** Gives up what has not been published in time. */
  #look(): void {
    const nowMs = performance.now();
    const late = (item: PublishItem) => !item.over && item.deadlineMs <= nowMs;
    const reason = `The message was not published within ${this.#timeoutMs} ms`;
    for (const batch of this.#sent) {
      for (const item of batch) {
        if (!late(item)) continue;
        item.ambiguous = true;
        this.#giveUp(item, reason);
      }
    }
    for (const item of this.#queue) if (late(item)) this.#giveUp(item, reason);
  }

  #connected(): void {
    const waiters = this.#readyWaiters;
    this.#readyWaiters = [];
    for (const waiter of waiters) waiter();
    this.#pumpSoon();
  }

  #lost(): void {
    if (this.#pool.connections.size === 0) this.#whenDisconnected?.();
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    await within(timeoutMs, this.flush());
    clearInterval(this.#ticker);
    for (const batch of this.#sent) {
      for (const item of batch) {
        item.ambiguous = true;
        this.#giveUp(item, "The producer was closed before the message was published");
      }
    }
    for (const item of this.#queue) {
      this.#giveUp(item, "The producer was closed before the message was published");
    }
    clearImmediate(this.#pumping);
    this.#pool.stopDialing();
    for (const connection of this.#pool.connections) connection.end();
    await within(
      GOODBYE_MS,
      new Promise<void>((resolve) => {
        this.#whenDisconnected = resolve;
        this.#lost();
      }),
    );
    await this.#pool.close();
    for (const waiter of this.#readyWaiters) waiter();
    this.#board.end();
  }
}
