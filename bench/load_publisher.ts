/**
 * The publishing half of the load program: commands that were built once are written in blocks, up to a window
 * of unanswered ones, and the answers only counted. With a window of 1 it waits for every answer, as most
 * producers do.
 *
 * ```
 *   block:  | MPUB … | MPUB … | MPUB … | MPUB … |      built once, `window` commands at most
 *            └─ n = window - unanswered ─┘            one write, always from the start of the block
 *   answers: OK OK OK                                 each gives one place in the window back
 * ```
 *
 * @module
 */

import { LatencyHistogram } from "./histogram.ts";
import { type IdentifyOptions, LoadConnection } from "./load_connection.ts";

/** Commands beyond this size together are not put into one block. */
const BLOCK_BYTES_MAX = 1024 * 1024;

/** A body starts with the time of its sending, a 64-bit float in milliseconds since 1970. */
export const STAMP_BYTES = 8;

/** What a publisher sends. */
export interface PublisherOptions extends IdentifyOptions {
  readonly topic: string;
  readonly sizeBytes: number;
  /** Messages in a command: 1 sends PUB, more send MPUB. */
  readonly batch: number;
  /** Sends DPUB with this delay instead of PUB; only for a batch of 1. */
  readonly deferMs?: number | undefined;
  /** Commands that may be unanswered at a time. */
  readonly window: number;
  /** Write the time of sending into every body. */
  readonly stamped: boolean;
  /** Messages to send, endless if left out. */
  readonly messages?: number | undefined;
  /** Messages a second, as fast as possible if left out. */
  readonly rate?: number | undefined;
}

/** One publishing connection. */
export class LoadPublisher implements Disposable {
  /** Time from the write of a command to its answer. */
  readonly roundTrips = new LatencyHistogram();
  /** Messages that the server has answered with OK. */
  published = 0;
  readonly #connection: LoadConnection;
  readonly #options: PublisherOptions;
  readonly #block: Uint8Array<ArrayBuffer>;
  readonly #blockView: DataView;
  readonly #commandBytes: number;
  readonly #window: number;
  /** When each unanswered command was written: a ring as long as the window. */
  readonly #sentAt: Float64Array;
  #sent = 0;
  #answered = 0;

  private constructor(connection: LoadConnection, options: PublisherOptions) {
    this.#connection = connection;
    this.#options = options;
    const command = buildCommand(options);
    this.#commandBytes = command.length;
    this.#window = options.window;
    this.#block = repeat(
      command,
      Math.max(1, Math.min(options.window, Math.floor(BLOCK_BYTES_MAX / command.length))),
    );
    this.#blockView = new DataView(this.#block.buffer);
    this.#sentAt = new Float64Array(this.#window);
  }

  /** Connects a publisher. */
  static async open(tcpAddress: string, options: PublisherOptions): Promise<LoadPublisher> {
    const connection = await LoadConnection.open(tcpAddress, { ...options, bufferBytes: 64 * 1024 });
    return new LoadPublisher(connection, options);
  }

  /** Publishes until all is sent and answered, or until `signal` aborts; then only the answers are awaited. */
  async run(signal: AbortSignal): Promise<void> {
    const { batch, messages, rate } = this.#options;
    const commands = messages === undefined ? Infinity : Math.ceil(messages / batch);
    const startedAt = performance.now();
    while (!signal.aborted && this.#answered < commands) {
      let sendable = Math.min(this.#window - (this.#sent - this.#answered), commands - this.#sent);
      if (rate !== undefined) {
        const due = Math.floor((performance.now() - startedAt) * rate / 1000 / batch) - this.#sent;
        sendable = Math.min(sendable, due);
        if (sendable <= 0 && this.#sent === this.#answered) {
          await pause(1);
          continue;
        }
      }
      if (sendable > 0) await this.#send(sendable);
      if (!await this.#readAnswers()) break;
    }
    while (this.#answered < this.#sent && await this.#readAnswers());
  }

  /** Ends the connection. */
  close(): void {
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #send(commands: number): Promise<void> {
    const perBlock = this.#block.length / this.#commandBytes;
    for (let left = commands; left > 0;) {
      const count = Math.min(left, perBlock);
      if (this.#options.stamped) this.#stamp(count);
      const now = performance.now();
      for (let i = 0; i < count; i++) this.#sentAt[(this.#sent + i) % this.#window] = now;
      this.#sent += count;
      left -= count;
      await this.#connection.write(this.#block.subarray(0, count * this.#commandBytes));
    }
  }

  #stamp(commands: number): void {
    const { batch, sizeBytes } = this.#options;
    const now = performance.timeOrigin + performance.now();
    const stride = batch === 1 ? sizeBytes : 4 + sizeBytes;
    for (let command = 1; command <= commands; command++) {
      let body = command * this.#commandBytes - sizeBytes;
      for (let i = 0; i < batch; i++, body -= stride) this.#blockView.setFloat64(body, now);
    }
  }

  /** Reads once and counts the answers; false if the connection is closed. */
  async #readAnswers(): Promise<boolean> {
    const oks = await this.#connection.readOks();
    if (oks < 0) return false;
    const now = performance.now();
    for (let i = 0; i < oks; i++, this.#answered++) {
      this.roundTrips.record(now - this.#sentAt[this.#answered % this.#window]);
    }
    this.published = this.#answered * this.#options.batch;
    return true;
  }
}

function buildCommand(options: PublisherOptions): Uint8Array {
  const { topic, batch, sizeBytes, deferMs } = options;
  const single = deferMs === undefined ? `PUB ${topic}\n` : `DPUB ${topic} ${deferMs}\n`;
  const name = new TextEncoder().encode(batch === 1 ? single : `MPUB ${topic}\n`);
  const bodyBytes = batch === 1 ? sizeBytes : 4 + batch * (4 + sizeBytes);
  const command = new Uint8Array(name.length + 4 + bodyBytes);
  command.fill(0x78);
  command.set(name);
  const view = new DataView(command.buffer);
  view.setUint32(name.length, bodyBytes);
  if (batch === 1) return command;
  view.setUint32(name.length + 4, batch);
  for (let i = 0; i < batch; i++) view.setUint32(name.length + 8 + i * (4 + sizeBytes), sizeBytes);
  return command;
}

function repeat(part: Uint8Array, count: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(part.length * count);
  for (let i = 0; i < count; i++) all.set(part, i * part.length);
  return all;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
