/**
 * Sends datagrams (UDP) to one address. `Deno.listenDatagram` would need a flag of the runtime; Node's does not.
 *
 * @module
 */
import type { Socket } from "node:dgram";
import { hostPort } from "../base/host_port.ts";
import { dialledIpVersion } from "../base/ip_address.ts";
import { isGranted } from "../base/platform.ts";

/** Where to. */
export interface DatagramTarget {
  /** A name or an IP address; an empty one is this machine, as in Go. */
  readonly hostname: string;
  readonly port: number;
}

/** A socket that sends to one address. */
export class DatagramSender implements Disposable {
  readonly #socket: Socket;
  readonly #port: number;
  readonly #address: string;

  private constructor(socket: Socket, port: number, address: string) {
    this.#port = port;
    this.#address = address;
    this.#socket = socket;
    // Of what comes of a packet, `send` tells; without a listener anything else would end the program.
    this.#socket.on("error", noted);
  }

  /** Resolves the name. @throws {Error} If it has no address. */
  static async to({ hostname, port }: DatagramTarget): Promise<DatagramSender> {
    const to = await addressOf(hostname === "" ? "127.0.0.1" : hostname);
    // The runtime would throw where nobody can catch it, and end the program (Deno 2.9.6).
    for (const host of [to.family === 6 ? "[::]:0" : "0.0.0.0:0", hostPort({ hostname: to.address, port })]) {
      if (!isGranted({ name: "net", host })) {
        throw new Deno.errors.NotCapable(`Requires net access to "${host}"`);
      }
    }
    const { createSocket } = await import("node:dgram");
    return new DatagramSender(createSocket(to.family === 6 ? "udp6" : "udp4"), port, to.address);
  }

  /** Settles when the packet is on its way. @throws {Error} If it cannot be sent. */
  send(packet: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.send(packet, this.#port, this.#address, (error) => error ? reject(error) : resolve());
    });
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

async function addressOf(hostname: string): Promise<{ address: string; family: number }> {
  const family = dialledIpVersion(hostname);
  if (family !== 0) return { address: hostname, family };
  const { lookup } = await import("node:dns");
  return await new Promise((resolve, reject) => {
    lookup(hostname, (error, address, family) => error ? reject(error) : resolve({ address, family }));
  });
}

function noted(): void {
  // See the constructor.
}
