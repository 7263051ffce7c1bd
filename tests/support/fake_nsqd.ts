/**
 * An nsqd that answers as a test tells it to, and remembers what it was sent.
 *
 * @module
 */

import { bytesOf, i32, join, textOf } from "./frames.ts";

/** Instead of an answer: the connection is closed. */
export const HANG_UP = Symbol("hang up");
/** Instead of an answer: there is none. */
export const SILENCE = Symbol("silence");

/** What it says: text, which is an error when it begins with `E_`, or nothing. */
export type FakeAnswer = string | typeof HANG_UP | typeof SILENCE;

/** A command that has come. */
export interface FakeCommand {
  readonly line: string;
  /** Bodies, if it has any: of MPUB, each message's. */
  readonly bodies: readonly string[];
}

/** How it behaves. */
export interface FakeNsqdOptions {
  /** Answers PUB, MPUB, DPUB, SUB and CLS; OK, or CLOSE_WAIT, if it gives none. */
  readonly answer?: (command: FakeCommand) => FakeAnswer | undefined;
  /** The port to listen on; by default any. */
  readonly port?: number;
  /** Added to what IDENTIFY is answered. */
  readonly info?: Readonly<Record<string, unknown>>;
}

const ANSWERED = new Set(["PUB", "MPUB", "DPUB", "SUB", "CLS"]);

/** A listening nsqd. */
export class FakeNsqd implements AsyncDisposable {
  /** Every command but IDENTIFY, in the order they came. */
  readonly commands: FakeCommand[] = [];
  /** How many connections there have been. */
  connections = 0;
  readonly port: number;
  readonly #options: FakeNsqdOptions;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #tasks: Promise<void>[] = [];

  constructor(options: FakeNsqdOptions = {}) {
    this.#options = options;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: options.port ?? 0 });
    this.port = this.#listener.addr.port;
    this.#tasks.push(this.#accept());
  }

  /** `host:port`. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** The lines of the commands that begin with that. */
  lines(name = ""): string[] {
    return this.commands.map(({ line }) => line).filter((line) => line.startsWith(name));
  }

  /** Sends a message, or any other frame, on all connections. */
  async send(type: "response" | "error" | "message", data: string): Promise<void> {
    for (const connection of this.#open) await connection.write(frame(type, data));
  }

  /** Delivers messages with these bodies, whose ids are their places, on all connections. */
  async deliver(bodies: readonly string[], attempts = 1): Promise<void> {
    const messages = bodies.map((body, i) =>
      frame(
        "message",
        `\0\0\0\0\0\0\0\x01\0${String.fromCharCode(attempts)}${String(i).padStart(16, "0")}${body}`,
      )
    );
    for (const connection of this.#open) await connection.write(join(...messages));
  }

  /** Ends all connections and goes on listening. */
  drop(): void {
    for (const connection of this.#open) connection.close();
    this.#open.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.drop();
    await Promise.all(this.#tasks);
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      this.connections++;
      this.#open.add(connection);
      this.#tasks.push(this.#serve(connection));
    }
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    try {
      await this.#converse(connection);
    } catch (error) {
      const isClosed = error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted ||
        error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe;
      if (!isClosed) throw error;
    } finally {
      if (this.#open.delete(connection)) connection.close();
    }
  }

  async #converse(connection: Deno.TcpConn): Promise<void> {
    const input = new Input(connection);
    if (await input.take(4) === undefined) return;
    for (let line = await input.line(); line !== undefined; line = await input.line()) {
      const [name] = line.split(" ");
      const body = /^(IDENTIFY|AUTH|PUB|DPUB|MPUB)$/.test(name) ? await input.sized() : undefined;
      if (name === "IDENTIFY") {
        const info = { max_rdy_count: 2500, version: "1.3.0", msg_timeout: 60_000, ...this.#options.info };
        await connection.write(frame("response", JSON.stringify(info)));
        continue;
      }
      const command = { line, bodies: bodiesOf(name, body) };
      this.commands.push(command);
      if (!ANSWERED.has(name)) continue;
      const answer = this.#options.answer?.(command) ?? (name === "CLS" ? "CLOSE_WAIT" : "OK");
      if (answer === HANG_UP) return;
      if (answer === SILENCE) continue;
      await connection.write(frame(answer.startsWith("E_") ? "error" : "response", answer));
      if (answer.startsWith("E_")) return;
    }
  }
}

function frame(type: "response" | "error" | "message", data: string): Uint8Array {
  const types = { response: 0, error: 1, message: 2 };
  const bytes = bytesOf(data);
  return join(i32(bytes.length + 4), i32(types[type]), bytes);
}

function bodiesOf(name: string, body: Uint8Array | undefined): string[] {
  if (body === undefined) return [];
  if (name !== "MPUB") return [textOf(body)];
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const bodies: string[] = [];
  for (let at = 4; at < body.length;) {
    const size = view.getInt32(at);
    bodies.push(textOf(body.subarray(at + 4, at + 4 + size)));
    at += 4 + size;
  }
  return bodies;
}

/** The bytes that come, in pieces that mean something. */
class Input {
  readonly #connection: Deno.TcpConn;
  #bytes = new Uint8Array();

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  async take(count: number): Promise<Uint8Array | undefined> {
    while (this.#bytes.length < count) if (!await this.#read()) return undefined;
    const taken = this.#bytes.slice(0, count);
    this.#bytes = this.#bytes.slice(count);
    return taken;
  }

  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#bytes.indexOf(10);
      if (end >= 0) {
        const line = textOf(this.#bytes.subarray(0, end));
        this.#bytes = this.#bytes.slice(end + 1);
        return line;
      }
      if (!await this.#read()) return undefined;
    }
  }

  async sized(): Promise<Uint8Array | undefined> {
    const size = await this.take(4);
    return size && await this.take(new DataView(size.buffer).getInt32(0));
  }

  async #read(): Promise<boolean> {
    const buffer = new Uint8Array(64 * 1024);
    const count = await this.#connection.read(buffer);
    if (count === null) return false;
    this.#bytes = join(this.#bytes, buffer.subarray(0, count));
    return true;
  }
}
