/**
 * A connection's encrypted bytes as the stream that Node's TLS works on.
 *
 * Node's TLS on a socket of its own would be cheaper, but in this runtime it reads on and on whether or not
 * anybody reads what it has decrypted: a client that sends faster than its body is read could fill the memory
 * (Deno 2.9.6: 570 MB in 1.5 s to a paused socket). Here nothing is read from the connection while the decrypted
 * side is paused.
 *
 * @module
 */
import { Duplex } from "node:stream";
import { ReadSize } from "../base/read_size.ts";

/** Bytes that are asked for at once at most. */
const READ_SIZE_MAX = 64 * 1024;

/** What the stream needs of a connection. */
export type CipherConnection = Pick<Deno.Conn, "read" | "write" | "close">;

/** The stream; destroying it closes the connection. */
export class CipherStream extends Duplex {
  readonly #connection: CipherConnection;
  readonly #readSize = new ReadSize(READ_SIZE_MAX);
  #decrypted: Duplex | undefined;

  constructor(connection: CipherConnection) {
    super();
    this.#connection = connection;
  }

  /** From now on the connection is read only while this stream is not paused. The end of the one ends the other. */
  feed(decrypted: Duplex): void {
    this.#decrypted = decrypted;
    // TLS does not notice by itself that what is below it has gone.
    this.once("close", () => decrypted.destroy());
    decrypted.once("close", () => this.destroy());
  }

  override _read(): void {
    this.#readConnection().then(
      (bytes) => this.push(bytes),
      (error) => this.destroy(error),
    );
  }

  override _write(bytes: Uint8Array, _encoding: unknown, done: (error?: Error | null) => void): void {
    this.#writeConnection(bytes).then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#connection.close();
    done(error);
  }

  async #readConnection(): Promise<Uint8Array | null> {
    const decrypted = this.#decrypted;
    while (decrypted?.isPaused() && !decrypted.destroyed) await resumed(decrypted);
    const buffer = new Uint8Array(this.#readSize.bytes);
    const count = await this.#connection.read(buffer);
    if (count === null) return null;
    this.#readSize.received(count);
    return buffer.subarray(0, count);
  }

  async #writeConnection(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) sent += await this.#connection.write(bytes.subarray(sent));
  }
}

/** Settles when the stream is no longer paused, or is closed. */
function resumed(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      stream.off("resume", settle);
      stream.off("close", settle);
      resolve();
    };
    stream.on("resume", settle);
    stream.on("close", settle);
  });
}
