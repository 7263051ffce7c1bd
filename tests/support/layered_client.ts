/**
 * A client of protocol V2 that puts TLS and compression on its connection, as nsqd offers them.
 *
 * @module
 */

import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { assertEquals, AssertionError } from "@std/assert";
import { type Connection, DenoConnection, writeAll } from "../../src/net/connection.ts";
import { DeflateConnection } from "../../src/net/deflate.ts";
import { ReadGate, StreamConnection, streamOf } from "../../src/net/node_stream.ts";
import { SnappyConnection } from "../../src/net/snappy.ts";
import { PATIENCE_MS } from "./eventually.ts";
import { bytesOf, type Frame, FrameReader, identify, join, MAGIC } from "./frames.ts";

const READ_SIZE = 64 * 1024;
const DEFLATE_LEVEL = 6;

/** What a client may ask for. */
export interface Layers {
  /** How to speak TLS; without it, not. */
  readonly tls?: ConnectionOptions;
  readonly deflate?: boolean;
  readonly snappy?: boolean;
}

/** The client's side of TLS, for the server `localhost`. */
export async function clientTls(connection: Connection, options: ConnectionOptions): Promise<Connection> {
  const gate = new ReadGate();
  const stream = streamOf(connection, gate);
  const socket = connectTls({ socket: stream, servername: "localhost", ...options });
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.on("error", reject);
    stream.once("end", () => reject(new Error("The server has closed the connection")));
  });
  return new StreamConnection(socket, gate, connection.peer);
}

/** A connected client. */
export class LayeredClient implements Disposable {
  #connection: Connection;
  readonly #reader = new FrameReader();
  readonly #frames: Frame[] = [];

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Connects to `host:port`, and sends the magic. */
  static async connect(address: string): Promise<LayeredClient> {
    const [hostname, port] = address.split(":");
    const client = new LayeredClient(
      new DenoConnection(await Deno.connect({ hostname, port: Number(port) })),
    );
    await client.send(MAGIC);
    return client;
  }

  /** Asks for the layers and puts them on the connection, each of which nsqd must say OK over; its answer. */
  async upgrade(layers: Layers, features: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const { tls, deflate = false, snappy = false } = layers;
    const asked = { feature_negotiation: true, tls_v1: tls !== undefined, deflate, snappy, ...features };
    await this.send(identify(asked));
    const answer: unknown = JSON.parse(await this.#onlyAnswer());
    if (tls) await this.#layer(await clientTls(this.#connection, tls));
    if (snappy) await this.#layer(new SnappyConnection(this.#connection));
    if (deflate) await this.#layer(new DeflateConnection(this.#connection, DEFLATE_LEVEL));
    return answer;
  }

  /** The connection with its layers, for whoever goes on without this client. */
  get connection(): Connection {
    return this.#connection;
  }

  /** Sends all of the parts. */
  async send(...parts: readonly (string | Uint8Array)[]): Promise<void> {
    await writeAll(this.#connection, join(...parts.map(bytesOf)));
  }

  /** The next frame. */
  async frame(): Promise<Frame> {
    const frame = await this.#next();
    if (frame === undefined) throw new AssertionError("The connection has ended, a frame was expected");
    return frame;
  }

  /** The next frame, which is to be a response or an error, as text. */
  async answer(): Promise<string> {
    const frame = await this.frame();
    if (frame.type === "message") throw new AssertionError(`An answer was expected, not ${frame.body}`);
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

  [Symbol.dispose](): void {
    this.#connection.close();
  }

  async #layer(connection: Connection): Promise<void> {
    this.#connection = connection;
    assertEquals(await this.#onlyAnswer(), "OK");
  }

  /** The next answer, and not a byte more is read: what follows is of another layer. */
  async #onlyAnswer(): Promise<string> {
    const header = await this.#readExactly(4);
    const body = await this.#readExactly(new DataView(header.buffer).getUint32(0));
    const [frame] = new FrameReader().push(join(header, body));
    if (frame.type === "message") throw new AssertionError("A response was expected, not a message");
    if (frame.type === "error") throw new AssertionError(`A response was expected, not "${frame.text}"`);
    return frame.text;
  }

  async #readExactly(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length);
    for (let end = 0; end < length;) {
      const count = await this.#read(bytes.subarray(end));
      if (count === null) throw new AssertionError("The connection has ended, an answer was expected");
      end += count;
    }
    return bytes;
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
      this.#connection.close();
    }, PATIENCE_MS);
    try {
      const count = await this.#connection.read(buffer);
      if (late) throw new AssertionError(`No frame within ${PATIENCE_MS} ms`);
      return count;
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
