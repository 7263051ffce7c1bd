/**
 * Links over WebSockets, in whose binary messages the bytes of protocol V2 travel as they would over TCP: for where
 * nothing but HTTP comes through. Uses the global `WebSocket`, which Deno and Node.js 22 have.
 *
 * @module
 */

import type { NodeAddress } from "./address.ts";
import type { DialOptions, Link, LinkOwner, Transport } from "./link.ts";

/** Above so many bytes that a WebSocket has not sent yet, a write is not done. */
const BUFFERED_MAX = 1024 * 1024;
/** How often it is looked whether it has sent them: nothing tells. */
const LOOK_MS = 5;

/** Connects by WebSockets. */
export const WEBSOCKET_TRANSPORT: Transport = {
  connect(address: NodeAddress, { signal }: DialOptions): Promise<Link> {
    if (address.kind !== "websocket") {
      return Promise.reject(new TypeError(`Not the address of a WebSocket: ${address.text}`));
    }
    if (typeof WebSocket === "undefined") {
      return Promise.reject(new TypeError("This runtime has no WebSocket"));
    }
    const { url } = address;
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const socket = new WebSocket(url);
      socket.binaryType = "arraybuffer";
      const settle = (settled: () => void) => {
        socket.onopen = socket.onclose = socket.onerror = null;
        signal.removeEventListener("abort", abort);
        settled();
      };
      const abort = () => {
        settle(() => reject(signal.reason));
        socket.close();
      };
      socket.onopen = () => settle(() => resolve(new WebSocketLink(socket)));
      socket.onerror = (event) => settle(() => reject(errorOf(event)));
      socket.onclose = () => settle(() => reject(new Error("The node has closed the connection")));
      signal.addEventListener("abort", abort);
    });
  },
};

class WebSocketLink implements Link {
  #owner: LinkOwner | undefined;
  readonly #socket: WebSocket;
  /** What came, and that it has ended, before there was an owner. */
  #early: Uint8Array[] = [];
  #error: Error | undefined;
  #ended = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onerror = (event) => this.#error ??= errorOf(event);
    socket.onclose = () => this.#finish();
  }

  get owner(): LinkOwner | undefined {
    return this.#owner;
  }

  set owner(owner: LinkOwner | undefined) {
    this.#owner = owner;
    if (!owner) return;
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) owner.received(bytes);
    if (this.#ended) owner.ended(this.#error);
  }

  write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    if (this.#ended) return done(new Error("The connection has ended"));
    // The bytes may be written over as soon as this write is done.
    this.#socket.send(bytes.slice());
    this.#whenSent(done);
  }

  end(): void {
    this.#socket.close();
  }

  destroy(): void {
    clearTimeout(this.#timer);
    this.#socket.close();
    this.#finish();
  }

  #whenSent(done: (error?: Error | null) => void): void {
    if (this.#ended || this.#socket.bufferedAmount <= BUFFERED_MAX) queueMicrotask(done);
    else this.#timer = setTimeout(() => this.#whenSent(done), LOOK_MS);
  }

  #receive(data: unknown): void {
    if (!(data instanceof ArrayBuffer)) {
      this.#error ??= new TypeError("The node has sent text");
      this.destroy();
      return;
    }
    const bytes = new Uint8Array(data);
    if (!this.#owner) {
      this.#early.push(bytes);
      return;
    }
    try {
      this.#owner.received(bytes);
    } catch (error) {
      this.#error ??= error as Error;
      this.destroy();
    }
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#owner?.ended(this.#error);
  }
}

function errorOf(event: Event): Error {
  return "error" in event && event.error instanceof Error
    ? event.error
    : new Error("The WebSocket has failed");
}
