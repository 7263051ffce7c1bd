/**
 * A client of protocol V2 on a real socket, with nothing between it and the bytes.
 *
 * @module
 */

import { AssertionError } from "@std/assert";
import { PATIENCE_MS } from "./eventually.ts";
import { bytesOf, type Frame, FrameReader, join, MAGIC, type MessageFrame } from "./frames.ts";

const READ_SIZE = 64 * 1024;

/** The other side has ended a connection, where something was expected of it. */
export class EndedError extends AssertionError {}

/** A connected client. */
export class RawClient implements Disposable {
  readonly #connection: Deno.Conn;
  readonly #reader = new FrameReader();
  readonly #frames: Frame[] = [];
  #closed = false;

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /** Connects, to `host:port` or to a socket's path, and sends the magic. */
  static async connect(address: string, options: { readonly magic?: string } = {}): Promise<RawClient> {
    const [, hostname, port] = /^(.+):(\d+)$/.exec(address) ?? [];
    const connection = port === undefined
      ? await Deno.connect({ transport: "unix", path: address })
      : await Deno.connect({ hostname, port: Number(port) });
    const client = new RawClient(connection);
    await client.send(options.magic ?? MAGIC);
    return client;
  }

  /** Sends all of the parts. */
  async send(...parts: readonly (string | Uint8Array)[]): Promise<void> {
    const bytes = join(...parts.map(bytesOf));
    for (let sent = 0; sent < bytes.length;) sent += await this.#connection.write(bytes.subarray(sent));
  }

  /** The next frame. */
  async frame(): Promise<Frame> {
    const frame = await this.#next();
    if (frame === undefined) throw new EndedError("The connection has ended, a frame was expected");
    return frame;
  }

  /** The next frame, which is to be a message. */
  async message(): Promise<MessageFrame> {
    const frame = await this.frame();
    if (frame.type !== "message") throw new AssertionError(`A message was expected, not ${frame.text}`);
    return frame;
  }

  /** The next frame, which is to be a response or an error, as text. */
  async answer(): Promise<string> {
    const frame = await this.frame();
    if (frame.type === "message") {
      throw new AssertionError(`An answer was expected, not message ${frame.body}`);
    }
    return frame.text;
  }

  /** Sends the parts and returns the answer. */
  async ask(...parts: readonly (string | Uint8Array)[]): Promise<string> {
    await this.send(...parts);
    return await this.answer();
  }

  /** Waits for the end of the connection; returns the frames that came before it. */
  async rest(): Promise<Frame[]> {
    const frames: Frame[] = [];
    for (let frame = await this.#next(); frame !== undefined; frame = await this.#next()) frames.push(frame);
    return frames;
  }

  /** Ends the client's side; the other may still send. */
  async end(): Promise<void> {
    await this.#connection.closeWrite();
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  async #next(): Promise<Frame | undefined> {
    const buffer = new Uint8Array(READ_SIZE);
    while (this.#frames.length === 0) {
      const count = await this.#read(buffer);
      if (count === null) return undefined;
      this.#frames.push(...this.#reader.push(buffer.slice(0, count)));
    }
    return this.#frames.shift();
  }

  async #read(buffer: Uint8Array): Promise<number | null> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this[Symbol.dispose]();
    }, PATIENCE_MS);
    try {
      return await this.#connection.read(buffer);
    } catch (error) {
      if (late) throw new AssertionError(`No frame within ${PATIENCE_MS} ms`);
      // What was sent to a peer that closed makes it reset the connection: an end as well.
      if (error instanceof Deno.errors.ConnectionReset) return null;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Finishes the next messages, so many; their bodies. */
export async function finishNext(
  client: Pick<RawClient, "frame" | "send">,
  count: number,
): Promise<string[]> {
  const bodies: string[] = [];
  while (bodies.length < count) {
    const frame = await client.frame();
    if (frame.type !== "message") throw new AssertionError(`A message was expected, not ${frame.text}`);
    bodies.push(frame.body);
    await client.send(`FIN ${frame.id}\n`);
  }
  return bodies;
}
