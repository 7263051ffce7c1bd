/**
 * One TCP connection of the load program: the handshake of protocol V2, then a large buffer that the publishing
 * and consuming loops parse in place. It makes no object per frame; only the handshake reads frames as text.
 *
 * @module
 */

const FRAME_RESPONSE = 0;
const FRAME_ERROR = 1;

/** Frame type of a delivered message. */
export const FRAME_MESSAGE = 2;

/** What IDENTIFY asks the server for; what is left out stays at the server's default. */
export interface IdentifyOptions {
  readonly outputBufferSize?: number | undefined;
  readonly outputBufferTimeoutMs?: number | undefined;
  readonly heartbeatIntervalMs?: number | undefined;
}

/** A connection with its receive buffer; `buffer[0..end]` is what was read and not parsed yet. */
export class LoadConnection implements Disposable {
  readonly buffer: Uint8Array<ArrayBuffer>;
  end = 0;
  /** Heartbeats that have come. */
  heartbeats = 0;
  readonly #conn: Deno.TcpConn;
  #closed = false;
  /** Of these, the ones that have not been answered. */
  #unanswered = 0;

  private constructor(conn: Deno.TcpConn, bufferBytes: number) {
    this.#conn = conn;
    this.buffer = new Uint8Array(bufferBytes);
  }

  /** Connects to `host:port` and identifies. */
  static async open(
    tcpAddress: string,
    options: IdentifyOptions & { readonly bufferBytes: number },
  ): Promise<LoadConnection> {
    const colon = tcpAddress.lastIndexOf(":");
    const hostname = tcpAddress.slice(0, colon);
    const conn = await Deno.connect({ hostname, port: Number(tcpAddress.slice(colon + 1)) });
    conn.setNoDelay(true);
    const connection = new LoadConnection(conn, options.bufferBytes);
    await connection.#identify(options);
    return connection;
  }

  /** Sends a command that is answered by OK. */
  async command(line: string): Promise<void> {
    await this.write(new TextEncoder().encode(`${line}\n`));
    const answer = await this.#readResponse();
    if (answer !== "OK") throw new Error(`nsqd answered ${answer} to ${line}`);
  }

  /** Writes all of `bytes`, unless the connection is closed meanwhile. */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      let written = await this.#conn.write(bytes);
      while (written < bytes.length) written += await this.#conn.write(bytes.subarray(written));
    } catch (error) {
      if (!this.#closed) throw error;
    }
  }

  /** Reads more into the buffer; false once the connection is closed, by either side. */
  async read(): Promise<boolean> {
    if (this.end === this.buffer.length) throw new Error("A frame is larger than the receive buffer");
    try {
      const count = await this.#conn.read(this.buffer.subarray(this.end));
      if (count === null) return false;
      this.end += count;
      return true;
    } catch (error) {
      if (this.#closed) return false;
      throw error;
    }
  }

  /** Drops what was parsed; the rest moves to the start of the buffer. */
  consume(bytes: number): void {
    if (bytes < this.end) this.buffer.copyWithin(0, bytes, this.end);
    this.end -= bytes;
  }

  /** Whether the response frame at `offset` is an OK; a heartbeat is answered, an error frame thrown. */
  isOk(offset: number, size: number): boolean {
    const { buffer } = this;
    if (size === 6 && buffer[offset + 7] === FRAME_RESPONSE && buffer[offset + 8] === 0x4f) return true;
    const text = this.#textAt(offset, size);
    if (text !== "_heartbeat_") throw new Error(`nsqd answered ${text}`);
    this.heartbeats += 1;
    this.#unanswered += 1;
    return false;
  }

  /** Reads once, and counts the OKs that have come; -1 when the connection is closed. */
  async readOks(): Promise<number> {
    if (!await this.read()) return -1;
    let oks = 0;
    let at = 0;
    for (;;) {
      const size = frameSize(this.buffer, at);
      if (this.end - at < 8 || this.end - at < 4 + size) break;
      if (this.isOk(at, size)) oks += 1;
      at += 4 + size;
    }
    this.consume(at);
    await this.answerHeartbeats();
    return oks;
  }

  /** Answers the heartbeats seen since the last call. */
  async answerHeartbeats(): Promise<void> {
    for (; this.#unanswered > 0; this.#unanswered--) await this.write(new TextEncoder().encode("NOP\n"));
  }

  /** Ends the connection; a pending `read()` gives false. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #identify(options: IdentifyOptions): Promise<void> {
    const body = new TextEncoder().encode(JSON.stringify({
      client_id: "load",
      user_agent: "denosq-load",
      output_buffer_size: options.outputBufferSize,
      output_buffer_timeout: options.outputBufferTimeoutMs,
      heartbeat_interval: options.heartbeatIntervalMs,
    }));
    const head = new TextEncoder().encode("  V2IDENTIFY\n\0\0\0\0");
    const packet = new Uint8Array(head.length + body.length);
    packet.set(head);
    new DataView(packet.buffer).setUint32(head.length - 4, body.length);
    packet.set(body, head.length);
    await this.write(packet);
    const answer = await this.#readResponse();
    if (answer !== "OK") throw new Error(`nsqd answered ${answer} to IDENTIFY`);
  }

  #textAt(offset: number, size: number): string {
    const text = new TextDecoder().decode(this.buffer.subarray(offset + 8, offset + 4 + size));
    if (this.buffer[offset + 7] === FRAME_ERROR) throw new Error(`nsqd answered ${text}`);
    return text;
  }

  async #readResponse(): Promise<string> {
    for (;;) {
      const size = frameSize(this.buffer, 0);
      if (this.end >= 8 && this.end >= 4 + size) {
        if (this.buffer[7] === FRAME_MESSAGE) throw new Error("nsqd sent a message before RDY");
        const text = this.#textAt(0, size);
        this.consume(4 + size);
        return text;
      }
      if (!await this.read()) throw new Error("nsqd closed the connection during the handshake");
    }
  }
}

/** The length that stands at the head of a frame: everything behind these four bytes. */
export function frameSize(buffer: Uint8Array, offset: number): number {
  return buffer[offset] << 24 | buffer[offset + 1] << 16 | buffer[offset + 2] << 8 | buffer[offset + 3];
}
