/**
 * A relay between two daemons, at which a test cuts what is between them.
 *
 * @module
 */

/** Relays connections to a target. */
export class TcpProxy implements AsyncDisposable {
  readonly #target: Deno.ConnectOptions;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #tasks: Promise<void>[] = [];
  #isCut = false;
  /** Settles when bytes may pass; undefined while they may. */
  #held: PromiseWithResolvers<void> | undefined;

  /** Relays to `host:port`. */
  constructor(target: string) {
    const [hostname, port] = target.split(":");
    this.#target = { hostname, port: Number(port) };
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#tasks.push(this.#accept());
  }

  /** `host:port` to connect to instead of the target. */
  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Ends all connections, and any that comes until it is healed. */
  cut(): void {
    this.#isCut = true;
    for (const connection of this.#open) this.#close(connection);
  }

  /** Passes nothing on, and ends nothing, until it is healed: like a network that loses every packet. */
  hold(): void {
    this.#held ??= Promise.withResolvers();
  }

  /** Is as it was. */
  heal(): void {
    this.#isCut = false;
    this.#held?.resolve();
    this.#held = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.cut();
    this.#held?.resolve();
    await Promise.all(this.#tasks);
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      this.#open.add(connection);
      if (this.#isCut) this.#close(connection);
      else this.#tasks.push(this.#relay(connection));
    }
  }

  async #relay(connection: Deno.TcpConn): Promise<void> {
    let target: Deno.TcpConn;
    try {
      target = await Deno.connect(this.#target);
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      this.#close(connection);
      return;
    }
    this.#open.add(target);
    if (this.#isCut) this.#close(target);
    const ends = [this.#pass(connection, target), this.#pass(target, connection)];
    await Promise.all(ends);
  }

  /** Passes bytes on until either side ends; then both do. */
  async #pass(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (;;) {
        const count = await from.read(buffer);
        await this.#held?.promise;
        if (count === null) break;
        for (let sent = 0; sent < count;) sent += await to.write(buffer.subarray(sent, count));
      }
    } catch (error) {
      const isEnd = error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted ||
        error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe;
      if (!isEnd) throw error;
      await this.#held?.promise;
    } finally {
      this.#close(from);
      this.#close(to);
    }
  }

  #close(connection: Deno.TcpConn): void {
    if (this.#open.delete(connection)) connection.close();
  }
}
