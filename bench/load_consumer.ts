/**
 * The consuming half of the load program: frames are parsed where they were received, and the FINs of all
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

  private constructor(connection: LoadConnection, options: ConsumerOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#view = new DataView(connection.buffer.buffer);
    this.#fins = finCommands(Math.ceil(connection.buffer.length / MESSAGE_FRAME_MIN));
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
      await connection.answerHeartbeats();
      this.onProgress();
    }
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
    const fins = this.#fins;
    const now = performance.timeOrigin + performance.now();
    let count = 0;
    let at = 0;
    while (end - at >= 8) {
      const size = frameSize(buffer, at);
      if (end - at < 4 + size) break;
      if (buffer[at + 7] === FRAME_MESSAGE) {
        let fin = count * FIN_BYTES + 4;
        for (let id = at + ID_AT; id < at + ID_AT + ID_BYTES; id++) fins[fin++] = buffer[id];
        count += 1;
        if (buffer[at + ATTEMPTS_AT] !== 0 || buffer[at + ATTEMPTS_AT + 1] > 1) this.redelivered += 1;
        if (this.#options.stamped && size >= BODY_AT - 4 + STAMP_BYTES) {
          this.latencies.record(now - this.#view.getFloat64(at + BODY_AT));
        }
      } else {
        this.#connection.isOk(at, size);
      }
      at += 4 + size;
    }
    this.received += count;
    this.#connection.consume(at);
    return count;
  }
}

function finCommands(count: number): Uint8Array<ArrayBuffer> {
  const commands = new Uint8Array(count * FIN_BYTES);
  const fin = new TextEncoder().encode("FIN ");
  for (let at = 0; at < commands.length; at += FIN_BYTES) {
    commands.set(fin, at);
    commands[at + FIN_BYTES - 1] = 0x0a;
  }
  return commands;
}
