/**
 * The consuming half of the load program: frames are parsed where they were received, and the FINs (and REQs) of all
 * messages of one read go out in one write. Nothing is allocated per message.
 *
 * @module
 */

import { LatencyHistogram } from "./histogram.ts";
import { FRAME_MESSAGE, frameSize, type IdentifyOptions, LoadConnection } from "./load_connection.ts";
import { STAMP_BYTES } from "./load_publisher.ts";

/** `FIN `, an id of 16 bytes, and the end of the line. */
const FIN_BYTES = 21;
const ID_BYTES = 16;
/** `REQ `, an id, a space, the delay with as many digits, and the end of the line. */
const REQ_BYTES = 32;
const DELAY_DIGITS = 10;
/** From the start of a frame: its size and type, then the message's timestamp, attempts and id. */
const ATTEMPTS_AT = 16;
const ID_AT = 18;
const BODY_AT = 34;
/** The smallest frame of a message; it bounds how many FINs one read can cause. */
const MESSAGE_FRAME_MIN = BODY_AT;

/** What a consumer subscribes to. */
export interface ConsumerOptions extends IdentifyOptions {
  readonly topic: string;
  readonly channel: string;
  readonly rdy: number;
  /** Read the time of sending from every body. */
  readonly stamped: boolean;
  readonly bufferBytes: number;
  /** Of the messages on their first attempt every so many-th is not finished but requeued. */
  readonly requeue?: { readonly every: number; readonly delayMs: () => number } | undefined;
}

/** One consuming connection. */
export class LoadConsumer implements Disposable {
  /** Time from the sending of a message to its arrival here, if the bodies are stamped. */
  readonly latencies = new LatencyHistogram();
  received = 0;
  /** Messages received that were not on their first attempt. */
  redelivered = 0;
  /** Called after each read, when the FINs of everything received are on their way. */
  onProgress: () => void = () => {};
  readonly #connection: LoadConnection;
  readonly #options: ConsumerOptions;
  readonly #view: DataView;
  readonly #fins: Uint8Array<ArrayBuffer>;
  readonly #reqs: Uint8Array<ArrayBuffer>;
  #reqCount = 0;
  #firsts = 0;

  private constructor(connection: LoadConnection, options: ConsumerOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#view = new DataView(connection.buffer.buffer);
    const commandsMax = Math.ceil(connection.buffer.length / MESSAGE_FRAME_MIN);
    this.#fins = commands(commandsMax, "FIN ", FIN_BYTES);
    this.#reqs = commands(options.requeue ? commandsMax : 0, "REQ ", REQ_BYTES);
  }

  /** Connects a consumer and subscribes it; nothing is delivered before {@linkcode LoadConsumer.run}. */
  static async open(tcpAddress: string, options: ConsumerOptions): Promise<LoadConsumer> {
    const connection = await LoadConnection.open(tcpAddress, options);
    await connection.command(`SUB ${options.topic} ${options.channel}`);
    return new LoadConsumer(connection, options);
  }

  /** Consumes until the connection is closed. */
  async run(): Promise<void> {
    const connection = this.#connection;
    await connection.write(new TextEncoder().encode(`RDY ${this.#options.rdy}\n`));
    while (await connection.read()) {
      const fins = this.#takeMessages();
      if (fins > 0) await connection.write(this.#fins.subarray(0, fins * FIN_BYTES));
      if (this.#reqCount > 0) await connection.write(this.#reqs.subarray(0, this.#reqCount * REQ_BYTES));
      await connection.answerHeartbeats();
      this.onProgress();
    }
  }

  /** Heartbeats that have come. */
  get heartbeats(): number {
    return this.#connection.heartbeats;
  }

  /** Ends the connection. */
  close(): void {
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Handles every whole frame in the buffer and returns how many FINs were written down. */
  #takeMessages(): number {
    const { buffer, end } = this.#connection;
    const { requeue } = this.#options;
    const fins = this.#fins;
    const now = performance.timeOrigin + performance.now();
    let messages = 0;
    let count = 0;
    let at = 0;
    this.#reqCount = 0;
    while (end - at >= 8) {
      const size = frameSize(buffer, at);
      if (end - at < 4 + size) break;
      if (buffer[at + 7] === FRAME_MESSAGE) {
        messages += 1;
        const again = buffer[at + ATTEMPTS_AT] !== 0 || buffer[at + ATTEMPTS_AT + 1] > 1;
        if (again) this.redelivered += 1;
        if (requeue && !again && ++this.#firsts % requeue.every === 0) {
          this.#requeue(at + ID_AT, requeue.delayMs());
        } else {
          let fin = count * FIN_BYTES + 4;
          for (let id = at + ID_AT; id < at + ID_AT + ID_BYTES; id++) fins[fin++] = buffer[id];
          count += 1;
        }
        if (this.#options.stamped && size >= BODY_AT - 4 + STAMP_BYTES) {
          this.latencies.record(now - this.#view.getFloat64(at + BODY_AT));
        }
      } else {
        this.#connection.isOk(at, size);
      }
      at += 4 + size;
    }
    this.received += messages;
    this.#connection.consume(at);
    return count;
  }

  #requeue(idAt: number, delayMs: number): void {
    const reqs = this.#reqs;
    let req = this.#reqCount++ * REQ_BYTES + 4;
    for (let id = idAt; id < idAt + ID_BYTES; id++) reqs[req++] = this.#connection.buffer[id];
    reqs[req] = 0x20;
    let left = Math.floor(delayMs);
    for (let digit = req + DELAY_DIGITS; digit > req; digit--) {
      reqs[digit] = 0x30 + left % 10;
      left = Math.floor(left / 10);
    }
  }
}

/** So many commands that begin with the name and end with their line; what is between is filled in. */
function commands(count: number, name: string, commandBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count * commandBytes);
  const start = new TextEncoder().encode(name);
  for (let at = 0; at < bytes.length; at += commandBytes) {
    bytes.set(start, at);
    bytes[at + commandBytes - 1] = 0x0a;
  }
  return bytes;
}
