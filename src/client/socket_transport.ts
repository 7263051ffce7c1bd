/**
 * Links over TCP, TLS and unix sockets, by the modules `node:net` and `node:tls` that Deno and Node.js both have.
 *
 * @module
 */

import { connect as connectSocket, isIP, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions as NodeTlsOptions } from "node:tls";
import type { NodeAddress } from "./address.ts";
import type { DialOptions, Link, LinkOwner, Transport } from "./link.ts";
import type { TlsOptions } from "./options.ts";

/** How long, in ms, is read on after a failed write: what has come before is in this machine already. */
const READ_ON_MS = 100;

type SocketAddress = Exclude<NodeAddress, { readonly url: string }>;

/** Connects by sockets. */
export const SOCKET_TRANSPORT: Transport = {
  async connect(address: NodeAddress, options: DialOptions): Promise<Link> {
    if ("url" in address) throw new TypeError(`Not the address of a socket: ${address.text}`);
    const socket = openSocket(address, options.localAddress);
    await opened(socket, "connect", options.signal);
    const link = new SocketLink(socket, address);
    return address.kind === "tls" ? await link.startTls(options.tls ?? {}, options.signal) : link;
  },
};

class SocketLink implements Link {
  #owner: LinkOwner | undefined;
  readonly #socket: Socket;
  readonly #address: SocketAddress;
  #error: Error | undefined;
  #flowing = false;
  #upgraded = false;
  readonly #onData = (bytes: Uint8Array) => {
    try {
      this.#owner?.received(bytes);
    } catch (error) {
      this.#socket.destroy(error as Error);
    }
  };

  constructor(socket: Socket, address: SocketAddress) {
    this.#socket = socket;
    this.#address = address;
    socket.setNoDelay(true);
    socket.pause();
    socket.on("error", (error) => this.#error ??= error);
    socket.on("close", () => {
      if (!this.#upgraded) this.#owner?.ended(this.#error);
    });
  }

  get owner(): LinkOwner | undefined {
    return this.#owner;
  }

  set owner(owner: LinkOwner | undefined) {
    this.#owner = owner;
    if (this.#flowing) return;
    this.#flowing = true;
    this.#socket.on("data", this.#onData);
    this.#socket.resume();
  }

  write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    this.#socket.write(bytes, (error) => error ? this.#readOn(error, done) : done());
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async startTls(options: TlsOptions, signal: AbortSignal): Promise<Link> {
    // In flowing mode the peer's first bytes of TLS would be lost.
    this.#socket.pause();
    this.#socket.off("data", this.#onData);
    this.#upgraded = true;
    const secure = connectTls({ socket: this.#socket, ...nodeTlsOptions(options, this.#address) });
    // A socket that ends below TLS does not always end the TLS above it.
    this.#socket.on("close", () => secure.destroy(this.#error));
    await opened(secure, "secureConnect", signal);
    return new SocketLink(secure, this.#address);
  }

  /**
   * A node that refuses something says why and closes the connection, however much is still being sent. Streams drop what has been
   * received when a write fails, and so the reason; here it is read before the end is told of. By what is the stream's own, for
   * want of another way: where that is not there, it is dropped.
   */
  #readOn(error: Error, done: (error: Error) => void): void {
    const socket: Socket & { readonly _readableState?: { errored: Error | null } } = this.#socket;
    const { destroy, _readableState: reading } = socket;
    this.#error ??= error;
    if (!reading || socket.destroyed) return done(error);
    reading.errored = null;
    // The stream destroys itself right after this.
    socket.destroy = () => {
      socket.destroy = destroy;
      return socket;
    };
    const end = () => void socket.destroy(error);
    const timer = setTimeout(end, READ_ON_MS);
    socket.on("end", end);
    socket.on("close", () => {
      clearTimeout(timer);
      done(error);
    });
  }
}

function openSocket(address: SocketAddress, localAddress: string | undefined): Socket {
  if (address.kind === "unix") return connectSocket({ path: address.path });
  const [, host, port] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(localAddress ?? "") ?? [];
  return connectSocket({
    host: address.host,
    port: address.port,
    ...host && { localAddress: host },
    ...port && { localPort: Number(port) },
  });
}

/** Waits for the event that a socket is opened with. */
function opened(socket: Socket, event: "connect" | "secureConnect", signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (settled: () => void) => {
      socket.off(event, succeed);
      socket.off("error", fail);
      socket.off("close", end);
      signal.removeEventListener("abort", abort);
      settled();
    };
    const succeed = () => settle(resolve);
    const fail = (error: Error) => settle(() => reject(error));
    const end = () => settle(() => reject(new Error("The node has closed the connection")));
    const abort = () => {
      settle(() => reject(signal.reason));
      // What still goes wrong with it is of no interest.
      socket.on("error", () => undefined);
      socket.destroy();
    };
    socket.on(event, succeed);
    socket.on("error", fail);
    socket.on("close", end);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
  });
}

function nodeTlsOptions(options: TlsOptions, address: SocketAddress): NodeTlsOptions {
  const name = options.serverName ?? (address.kind === "unix" ? "localhost" : address.host);
  return {
    host: name,
    // An IP address is compared with the certificate, but no name to ask for.
    ...isIP(name) === 0 && { servername: name },
    ...options.ca !== undefined && { ca: typeof options.ca === "string" ? options.ca : [...options.ca] },
    ...options.cert !== undefined && { cert: options.cert },
    ...options.key !== undefined && { key: options.key },
    ...options.minVersion && { minVersion: options.minVersion },
    rejectUnauthorized: options.rejectUnauthorized ?? true,
  };
}
