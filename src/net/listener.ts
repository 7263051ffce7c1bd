/**
 * Listening for connections, and the loop that accepts them. Whatever an accept fails with, the loop goes on, and a
 * listener that has broken is opened again: nothing that clients do ends it.
 *
 * Every address of the machine means IPv4 and IPv6, as in Go, whether it is asked for by an empty host, `0.0.0.0` or
 * `::`. One socket serves both where the system lets it, two do where it keeps them apart, and one of IPv4 where there
 * is no IPv6.
 *
 * @module
 */

import type { AsyncGroup } from "../base/async_group.ts";
import type { ErrorSink } from "../base/error_sink.ts";
import { errorText } from "../base/error_text.ts";
import { hostPort } from "../base/host_port.ts";
import type { Logger } from "../base/logger.ts";
import { Seldom } from "../base/seldom.ts";
import type { Address } from "../config/address.ts";
import { Admission, type AdmissionRefusal, type ConnectionLimits } from "./admission.ts";
import { addressText, type Connection, DenoConnection, hostOf } from "./connection.ts";
import { keepAliveOnPort } from "./keep_alive.ts";
import { removeSocket, socketAt } from "./unix_socket.ts";

/** When the system is short of something, how long to wait before the next accept, in ms. */
const ACCEPT_RETRY_MS = 50;
/** Codes of the errors that say so: every other is of that one connection, and the next may be accepted at once. */
const SHORTAGES: ReadonlySet<unknown> = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]);
/** After so many failures in a row it is waited after each, whatever they are. */
const FAILURES_AT_ONCE_MAX = 1000;
/** What is beyond a limit, as kinds of errors have it. */
const LIMIT_CODES: Readonly<Record<AdmissionRefusal["limit"], string>> = {
  max: "MAX_CONNECTIONS",
  perAddressMax: "MAX_CONNECTIONS_PER_ADDRESS",
};
const ANY_IPV4 = "0.0.0.0";
const ANY = "::";

/** What a listener may be told. */
export interface ListenerOptions {
  /** @default {none} */
  readonly limits?: ConnectionLimits;
  /** Others listen on the same port, and the system deals the connections out. @default {false} */
  readonly reusePort?: boolean;
}

/** Where connections come from. */
export interface Listening {
  /** The address as Go prints it. */
  readonly text: string;
  /** The TCP port, or -1 of a unix socket. */
  readonly port: number;
  /** Connections that there are, and that have been refused. */
  readonly admission: Pick<Admission, "count" | "refused">;
  /** Accepts connections until `close()`; each is served as a task of the group. */
  serve(group: AsyncGroup, client: ListenerClient<Connection>): Promise<void>;
  /** Stops listening. */
  close(): void;
}

/** Who gets the connections of a listener, and what it says. */
export interface ListenerClient<Served extends Connection = DenoConnection> {
  /** Serves a connection to its end. */
  serve(connection: Served): Promise<void>;
  /** Says no to a connection beyond the limits, and closes it. @default {closes it} */
  refuse?(connection: Connection): void;
  readonly logger: Pick<Logger, "info" | "warn" | "error">;
  /** How log lines and kinds of errors begin: `TCP`, `HTTP`. */
  readonly name: string;
  /** Is told of connections beyond the limits. @default {nobody} */
  readonly onError?: ErrorSink | undefined;
}

type AnyListener = Deno.Listener<Deno.Conn>;

/** Listens on a TCP address or a unix socket. */
export class ConnectionListener implements Listening {
  readonly #address: Address;
  readonly #reusePort: boolean;
  readonly #admission: Admission;
  #listeners: AnyListener[];
  /** Which socket is ours at the path, if it is one. */
  #socket: ReturnType<typeof socketAt>;
  #keepsAlive = true;
  #closed = false;

  /** Throws when the address cannot be listened on. */
  constructor(
    address: Address,
    { limits = { max: 0, perAddressMax: 0 }, reusePort = false }: ListenerOptions = {},
  ) {
    this.#admission = new Admission(limits);
    this.#reusePort = reusePort;
    this.#listeners = open(address, reusePort);
    const { addr } = this.#listeners[0];
    // Where any port will do, another time it must be the same.
    this.#address = address.kind === "tcp" && "port" in addr ? { ...address, port: addr.port } : address;
    this.#opened();
  }

  /** The address as Go prints it. */
  get text(): string {
    return addressText(this.#listeners[0].addr);
  }

  /** The TCP port, or -1 of a unix socket. */
  get port(): number {
    return this.#address.kind === "tcp" ? this.#address.port : -1;
  }

  /** Connections that there are, and that have been refused. */
  get admission(): Pick<Admission, "count" | "refused"> {
    return this.#admission;
  }

  /** Accepts connections until `close()`; each is served as a task of the group. */
  async serve(group: AsyncGroup, client: ListenerClient): Promise<void> {
    const { logger, name } = client;
    const notes = {
      failed: new Seldom((text) => logger.warn(`${name}: temporary Accept() failure - ${text}`)),
      refused: new Seldom((text) => logger.warn(`${name}: ${text}`)),
    };
    while (!this.#closed) {
      await Promise.all(this.#listeners.map((listener) => this.#accept(listener, group, client, notes)));
      if (!this.#closed) await this.#openAgain(client);
    }
  }

  /** Stops listening. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeAll(this.#listeners);
    if (this.#address.kind !== "unix") return;
    // Older versions of the runtime leave the socket's file behind, Go does not; and it may be somebody else's by now.
    const { path } = this.#address;
    if (socketAt(path)?.ino === this.#socket?.ino) removeSocket(path);
  }

  async #accept(
    listener: AnyListener,
    group: AsyncGroup,
    client: ListenerClient,
    notes: { readonly failed: Seldom; readonly refused: Seldom },
  ): Promise<void> {
    for (let failures = 0;;) {
      try {
        const connection = new DenoConnection(await listener.accept());
        failures = 0;
        if (this.#closed) {
          // It came at the last moment: nobody who ends the others knows of it.
          connection.close();
          return;
        }
        if (!this.#keepsAlive) connection.keepAlive();
        admit(connection, group, client, { admission: this.#admission, refused: notes.refused });
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
        if (this.#closed) return;
        failures++;
        notes.failed.say(errorText(error));
        const isShort = error instanceof Error && "code" in error && SHORTAGES.has(error.code);
        if (isShort || failures > FAILURES_AT_ONCE_MAX) await pause();
      }
    }
  }

  async #openAgain({ logger, name }: ListenerClient): Promise<void> {
    closeAll(this.#listeners);
    const failed = new Seldom((text) => logger.error(`${name}: cannot listen again - ${text}`));
    while (!this.#closed) {
      try {
        this.#listeners = open(this.#address, this.#reusePort);
        this.#opened();
        logger.info(`${name}: listening again on ${this.text}`);
        return;
      } catch (error) {
        failed.say(errorText(error));
        await pause();
      }
    }
  }

  #opened(): void {
    if (this.#address.kind === "tcp") this.#keepsAlive = keepAliveOnPort(this.#address.port);
    else this.#socket = socketAt(this.#address.path);
  }
}

/** Serves a connection as a task of the group, or refuses it. */
export function admit<Served extends Connection>(
  connection: Served,
  group: AsyncGroup,
  client: ListenerClient<Served>,
  { admission, refused }: { readonly admission: Admission; readonly refused: Seldom },
): void {
  const host = hostOf(connection.peer);
  const refusal = admission.enter(host);
  if (refusal !== undefined) {
    refused.say(`refused client(${connection.peer}): ${refusal.reason}`);
    client.onError?.(`${client.name}_${LIMIT_CODES[refusal.limit]}`, connection.peer, refusal.reason);
    if (client.refuse) client.refuse(connection);
    else connection.close();
    return;
  }
  group.spawn(`connection ${connection.peer}`, async () => {
    try {
      await client.serve(connection);
    } finally {
      admission.leave(host);
    }
  });
}

/** Why an address cannot be listened on. */
export function cannotListen(address: Address, cause: unknown): Error {
  const text = address.kind === "unix" ? address.path : hostPort(address);
  return new Error(`Cannot listen on ${text}: ${errorText(cause)}`, { cause });
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
}

function closeAll(listeners: readonly AnyListener[]): void {
  for (const listener of listeners) {
    try {
      listener.close();
    } catch (error) {
      // One that has broken is closed already.
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}

function open(address: Address, reusePort: boolean): AnyListener[] {
  if (address.kind === "unix") return [Deno.listen({ transport: "unix", path: address.path })];
  const { hostname, port } = address;
  // Without the runtime's flag for it, merely naming that option ends the process.
  const listenOn = (hostname: string, at = port) =>
    Deno.listen({ hostname, port: at, ...reusePort && { reusePort } });
  if (hostname !== "" && hostname !== ANY_IPV4 && hostname !== ANY) return [listenOn(hostname)];
  return openForAll(listenOn);
}

function openForAll(listenOn: (hostname: string, port?: number) => AnyListener): AnyListener[] {
  let both: AnyListener;
  try {
    both = listenOn(ANY);
  } catch (error) {
    // The port is taken, or may not be used, whatever the version: other errors are of a machine without IPv6.
    if (error instanceof Deno.errors.AddrInUse || error instanceof Deno.errors.PermissionDenied) throw error;
    return [listenOn(ANY_IPV4)];
  }
  try {
    // Where the system keeps the versions apart (net.ipv6.bindv6only), this succeeds; otherwise the port is taken.
    return [both, listenOn(ANY_IPV4, "port" in both.addr ? both.addr.port : undefined)];
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse || error instanceof Deno.errors.NotCapable) return [both];
    both.close();
    throw error;
  }
}
