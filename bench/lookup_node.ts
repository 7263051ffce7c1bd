/**
 * An nsqd as an nsqlookupd sees it: it says who it is, and registers what it is told to.
 *
 * @module
 */

/** Of the answer OK, with its size. */
const OK_LENGTH = 6;
const READ_SIZE = 64 * 1024;

/** A simulated nsqd. */
export class SimulatedNode implements Disposable {
  readonly #connection: Deno.Conn;
  readonly #buffer = new Uint8Array(READ_SIZE);
  #closed = false;

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /** Connects, and says who it is. */
  static async connect(hostname: string, port: number, index: number): Promise<SimulatedNode> {
    const node = new SimulatedNode(await Deno.connect({ hostname, port }));
    const body = new TextEncoder().encode(JSON.stringify({
      ...{ broadcast_address: `node-${index}.example`, hostname: `node-${index}` },
      ...{ tcp_port: 4150, http_port: 4151, version: "1.3.0", topology_zone: "", topology_region: "" },
    }));
    const size = new Uint8Array(4);
    new DataView(size.buffer).setUint32(0, body.length);
    await node.#send("  V1IDENTIFY\n");
    await node.#connection.write(size);
    await node.#connection.write(body);
    await node.#read();
    return node;
  }

  /** Sends the lines and reads their answers, which are all to be OK. */
  async register(lines: readonly string[], window: number): Promise<void> {
    for (let at = 0; at < lines.length; at += window) {
      const some = lines.slice(at, at + window);
      await this.#send(some.join(""));
      for (let left = some.length * OK_LENGTH; left > 0;) left -= await this.#read();
    }
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  async #send(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let sent = 0; sent < bytes.length;) sent += await this.#connection.write(bytes.subarray(sent));
  }

  async #read(): Promise<number> {
    const count = await this.#connection.read(this.#buffer);
    if (count === null) throw new Error("The server has ended the connection");
    return count;
  }
}
