/**
 * A connection to an nsqd that can be used: commands go into its output, which is sent once in a turn of the event
 * loop, and its owner is told of messages. Per message there is no promise, timer or closure.
 *
 * It must not be flushed in a microtask: one runs between any two steps of a `for await`, and then each FIN would be a
 * write of its own, which costs three times as much as all the rest.
 *
 * @module
 */

import { clearInterval, setImmediate, setInterval } from "node:timers";
import { Output } from "../net/output.ts";
import { writeCommand } from "../protocol/command_writer.ts";
import { type FrameOwner, FrameReader } from "../protocol/frame_reader.ts";
import type { NodeAddress } from "./address.ts";
import { ConnectionError, NsqdError, TimeoutError } from "./errors.ts";
import { type ConsumerIdentity, type Greeted, type NodeInfo, shakeHands, tlsOptions } from "./handshake.ts";
import type { Link, LinkOwner } from "./link.ts";
import { type ConnectionOptions, DEFAULTS } from "./options.ts";
import { NODE_TRANSPORT } from "./node_transport.ts";
import { type Transaction, Transactions } from "./transactions.ts";

/** A size on the wire is a signed 32-bit number. */
const FRAME_SIZE_MAX = 2 ** 31 - 1;
/** Bytes of a message's frame besides its body. */
const MESSAGE_OVERHEAD = 30;
/** How often the deadlines are looked at while they last, at least. */
const LOOKS_PER_TIMEOUT = 4;
const NOT_FATAL = /^E_(FIN|REQ|TOUCH)_FAILED/;
const HEARTBEAT = "_heartbeat_";

/** Whoever takes the messages of a connection. */
export interface MessageReceiver {
  /** A message has come: its data are `bytes` from `start` to `end`, and stay as they are. */
  message(bytes: Uint8Array, start: number, end: number): void;
  /** FIN, REQ or TOUCH was refused. */
  settleRefused(error: NsqdError): void;
}

/** Whoever has made a connection. */
export interface ConnectionOwner {
  /** The connection has ended, once; with an error unless this side has closed it. */
  lost(connection: Connection, error: Error | undefined): void;
}

/** One connection to an nsqd. */
export class Connection implements LinkOwner, FrameOwner {
  readonly node: string;
  readonly info: NodeInfo;
  /** Where commands go; `flushSoon()` sends them. */
  readonly output: Output = new Output();
  /** Who takes the messages; nobody at first. */
  receiver: MessageReceiver | undefined;
  /** By the monotonic clock, when the bytes came that are being told of. In ms. */
  receivedMs = 0;
  readonly #link: Link;
  readonly #owner: ConnectionOwner;
  readonly #reader: FrameReader;
  readonly #transactions = new Transactions();
  readonly #decoder = new TextDecoder();
  readonly #watch: ReturnType<typeof setInterval>;
  readonly #flush = () => {
    this.#scheduled = false;
    this.flush();
  };
  readonly #written = (error?: Error | null) => {
    this.#writing = false;
    this.#stalledLooks = 0;
    if (error) this.#end(error);
    else if (this.output.length > 0) this.flush();
    else if (this.#ending) this.#link.end();
  };
  #scheduled = false;
  #writing = false;
  #closed = false;
  #ending = false;
  /** Looks since something came, and since something that is being written was taken. */
  #silentLooks = 0;
  #stalledLooks = 0;

  /**
   * Connects to a node.
   *
   * @throws {ConnectionError | NsqdError | TimeoutError}
   */
  static async open(
    address: NodeAddress,
    options: ConnectionOptions & ConsumerIdentity,
    owner: ConnectionOwner,
    signal: AbortSignal,
  ): Promise<Connection> {
    const timeoutMs = options.dialTimeoutMs ?? DEFAULTS.dialTimeoutMs;
    const dial = new AbortController();
    const abort = () => dial.abort(signal.reason);
    const timer = setTimeout(
      () => dial.abort(new TimeoutError(`${address.text}: no connection within ${timeoutMs} ms`)),
      timeoutMs,
    );
    signal.addEventListener("abort", abort);
    let link: Link | undefined;
    try {
      signal.throwIfAborted();
      const opened = link = await (options.transport ?? NODE_TRANSPORT).connect(address, {
        signal: dial.signal,
        tls: tlsOptions(options),
        authSecret: options.authSecret,
        ...options.localAddress !== undefined && { localAddress: options.localAddress },
      });
      dial.signal.addEventListener("abort", () => opened.destroy());
      const greeted = await shakeHands(link, address, options, dial.signal);
      dial.signal.throwIfAborted();
      const connection = new Connection(address, greeted, options, owner);
      connection.#begin(greeted);
      return connection;
    } catch (error) {
      link?.destroy();
      if (dial.signal.aborted) throw dial.signal.reason;
      if (error instanceof NsqdError || error instanceof ConnectionError) throw error;
      throw new ConnectionError(address.text, `${address.text}: ${(error as Error).message}`, {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  private constructor(
    address: NodeAddress,
    greeted: Greeted,
    options: ConnectionOptions,
    owner: ConnectionOwner,
  ) {
    this.node = address.text;
    this.info = greeted.info;
    this.#link = greeted.link;
    this.#owner = owner;
    const { maxMsgSizeBytes = 0 } = options;
    const sizeMax = maxMsgSizeBytes > 0 ? maxMsgSizeBytes + MESSAGE_OVERHEAD : FRAME_SIZE_MAX;
    this.#reader = new FrameReader(this, { sizeMax });
    const silence = (options.heartbeatIntervalMs ?? DEFAULTS.heartbeatIntervalMs) < 0
      ? Infinity
      : options.readTimeoutMs ?? DEFAULTS.readTimeoutMs;
    const stall = options.writeTimeoutMs ?? DEFAULTS.writeTimeoutMs;
    const lookMs = Math.min(silence, stall) / LOOKS_PER_TIMEOUT;
    this.#watch = setInterval(() => this.#look(silence / lookMs, stall / lookMs), lookMs);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Commands that have not been answered. */
  get unanswered(): number {
    return this.#transactions.length;
  }

  /** Whatever is in the output since the last one is a command that is answered. */
  expect(transaction: Transaction): void {
    this.#transactions.push(transaction);
    this.flushSoon();
  }

  /** Sends a command without a body and waits for its answer. */
  ask(line: string): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        return reject(new ConnectionError(this.node, `${this.node}: the connection has ended`));
      }
      writeCommand(this.output, line);
      this.expect({ succeeded: (data) => resolve(this.#decoder.decode(data)), failed: reject });
    });
  }

  /** Sends the output in this turn of the event loop, when everybody has added to it. */
  flushSoon(): void {
    if (this.#scheduled || this.#writing) return;
    this.#scheduled = true;
    setImmediate(this.#flush);
  }

  /** Sends the output now, or as soon as what is being sent has gone. */
  flush(): void {
    if (this.#writing || this.#closed || this.output.length === 0) return;
    this.#writing = true;
    this.#transactions.markSent();
    this.#link.write(this.output.take(), this.#written);
  }

  /** Sends the output and ends the connection in order. */
  end(): void {
    if (this.#closed || this.#ending) return;
    this.#ending = true;
    this.flush();
    if (!this.#writing) this.#link.end();
  }

  /** Ends the connection at once. */
  close(error?: Error): void {
    this.#end(error);
  }

  received(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#silentLooks = 0;
    this.receivedMs = performance.now();
    this.#reader.push(bytes);
  }

  ended(error?: Error): void {
    if (this.#ending) this.#end(undefined);
    else {
      const reason = error ? error.message : "the node has closed the connection";
      this.#end(new ConnectionError(this.node, `${this.node}: ${reason}`, error && { cause: error }));
    }
  }

  message(bytes: Uint8Array, start: number, end: number): void {
    if (this.receiver) this.receiver.message(bytes, start, end);
    else this.#end(new ConnectionError(this.node, `${this.node}: a message came that nobody waits for`));
  }

  response(data: Uint8Array): void {
    if (data.length === HEARTBEAT.length && this.#decoder.decode(data) === HEARTBEAT) {
      writeCommand(this.output, "NOP");
      this.flushSoon();
    } else if (!this.#transactions.answered(data)) {
      this.#end(new ConnectionError(this.node, `${this.node}: an answer came that nobody waits for`));
    }
  }

  error(data: Uint8Array): void {
    const error = new NsqdError(this.node, this.#decoder.decode(data));
    if (NOT_FATAL.test(error.code)) {
      this.receiver?.settleRefused(error);
      return;
    }
    const behind = new ConnectionError(
      this.node,
      `${this.node}: the connection has ended after ${error.message}`,
    );
    this.#transactions.refused(error, behind);
    this.#end(error);
  }

  #begin(greeted: Greeted): void {
    try {
      greeted.handOver(this);
    } catch (error) {
      this.#end(error as Error);
    }
  }

  /** Counted in looks, and not by the clock: time in which this process stood still is nobody's silence. */
  #look(silentMax: number, stalledMax: number): void {
    if (++this.#silentLooks > silentMax) {
      this.#end(new TimeoutError(`${this.node}: nothing came for too long`));
    } else if (this.#writing && ++this.#stalledLooks > stalledMax) {
      this.#end(new TimeoutError(`${this.node}: nothing was taken for too long`));
    }
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#watch);
    this.#link.destroy();
    this.#transactions.lost(
      error ?? new ConnectionError(this.node, `${this.node}: the connection was closed`),
    );
    this.#owner.lost(this, error);
  }
}
