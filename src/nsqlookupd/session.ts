/**
 * An nsqd's connection (nsqlookupd/tcp.go, nsqlookupd/lookup_protocol_v1.go): reads commands, registers what they say,
 * and ends all of it with the connection. One read takes every complete command that has come, and their answers go
 * out in one write.
 *
 * @module
 */

import { type Clock, type Moment, momentOf } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import { errorText } from "../base/error_text.ts";
import type { Logger } from "../base/logger.ts";
import { inSlices, type SharedSlice, type Slice } from "../base/time_slice.ts";
import { NSQ_VERSION } from "../base/version.ts";
import type { Producer } from "../cluster/producer.ts";
import {
  CLIENT_REGISTRATION,
  type Registration,
  type RegistrationDb,
  RegistrationsFullError,
} from "../cluster/registration_db.ts";
import { type Connection, isDisconnect } from "../net/connection.ts";
import { Wire, type WireOwner } from "../net/wire.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { type LookupCommand, LookupCommandReader, MAGIC_V1 } from "../protocol/lookup_commands.ts";
import type { NodeInfo } from "../protocol/lookup_requests.ts";
import { encodeLookupResponse, LOOKUP_OK } from "../protocol/lookup_responses.ts";
import type { NsqlookupdOptions } from "./options.ts";

/** The answer to a REGISTER that there is no room for. */
const REGISTER_REFUSED = "E_INVALID REGISTER too many topics and channels";

/** What a session uses of its daemon. */
export interface SessionContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly options: NsqlookupdOptions;
  readonly db: RegistrationDb;
  /** For how long commands are carried out in a turn, whoever sends them. */
  readonly slice: SharedSlice;
  readonly hostname: string;
  readonly tcpPort: number;
  readonly httpPort: number;
  /** Every connection; a session adds and removes itself. */
  readonly connections: Set<Session>;
}

/** A client of the TCP protocol. Its times are by the monotonic clock. */
export class Session implements WireOwner {
  readonly #context: SessionContext;
  readonly #peer: string;
  readonly #reader: LookupCommandReader;
  readonly #wire: Wire;
  /** Set by IDENTIFY. */
  #producer: Producer | undefined;
  readonly #acceptedMs: number;
  /** When it last sent something; or when it was last waited for, if that was later. */
  #lastRead: Moment;
  /** A whole command has come. */
  #introduced = false;
  /** Since when a command has been incomplete, or 0. */
  #incompleteMs = 0;
  /** The output has been made small since the last command. */
  #shrunk = false;
  /** Settles when there is room for output again; the client's time does not run meanwhile. */
  #room: PromiseWithResolvers<void> | undefined;

  constructor(context: SessionContext, connection: Connection) {
    const { options } = context;
    this.#context = context;
    this.#peer = connection.peer;
    this.#reader = new LookupCommandReader(options);
    this.#wire = new Wire(connection, this, options.maxOutputPendingSizeBytes);
    this.#lastRead = momentOf(context.clock);
    this.#acceptedMs = this.#lastRead.monotonicMs;
  }

  /** Serves the client until one side ends the connection. */
  async run(): Promise<void> {
    const { logger, connections } = this.#context;
    connections.add(this);
    logger.info(`TCP: new client(${this.#peer})`);
    try {
      if (await this.#readMagic()) await this.#serve();
    } finally {
      await this.#wire.drain();
      this.close();
      connections.delete(this);
    }
  }

  /** Ends the connection at once. */
  close(): void {
    this.#wire.close();
    this.#room?.resolve();
  }

  /** Ends the connection of a client that takes longer than it may. */
  checkLimits(monotonicMs: number): void {
    if (this.#wire.closed) return;
    const { handshakeTimeoutMs, commandTimeoutMs, idleTimeoutMs, writeTimeoutMs } = this.#context.options;
    const waits = this.#room === undefined;
    if (isOver(monotonicMs - this.#acceptedMs, handshakeTimeoutMs) && !this.#introduced) {
      this.#end("no command in time after connecting - i/o timeout");
    } else if (
      waits && this.#incompleteMs > 0 && isOver(monotonicMs - this.#incompleteMs, commandTimeoutMs)
    ) {
      this.#end("failed to read the rest of a command - i/o timeout");
    } else if (waits && isOver(monotonicMs - this.#lastRead.monotonicMs, idleTimeoutMs)) {
      this.#end("failed to read command - i/o timeout");
    } else if (isOver(this.#wire.stalledMs(monotonicMs), writeTimeoutMs)) {
      this.#end("failed to write - i/o timeout");
    } else if (!this.#shrunk) {
      this.#shrunk = true;
      this.#wire.shrink();
    }
  }

  monotonicMs(): number {
    return this.#context.clock.monotonicMs();
  }

  writable(): void {
    this.#room?.resolve();
  }

  sent(): void {
    // Whatever is waited for, it is not this.
  }

  writeFailed(error: unknown): void {
    this.#end(`failed to send response - ${errorText(error)}`);
  }

  async #readMagic(): Promise<boolean> {
    const { logger } = this.#context;
    let magic = this.#reader.takeMagic();
    try {
      while (magic === undefined) {
        if (!await this.#read()) throw new Error(this.#reader.isInCommand ? "unexpected EOF" : "EOF");
        magic = this.#reader.takeMagic();
      }
    } catch (error) {
      if (!this.#wire.closed) logger.error(`failed to read protocol version - ${errorText(error)}`);
      return false;
    }
    logger.info(`CLIENT(${this.#peer}): desired protocol magic '${magic}'`);
    if (magic === MAGIC_V1) return true;
    this.#answer(encodeLookupResponse("E_BAD_PROTOCOL"));
    logger.error(`client(${this.#peer}) bad protocol magic '${magic}'`);
    return false;
  }

  async #serve(): Promise<void> {
    const { logger, db } = this.#context;
    let end: unknown;
    try {
      await this.#readCommands();
      // NSQ compat: that a client has gone is an error in the log.
      end = "EOF";
    } catch (error) {
      end = error;
    }
    if (end instanceof ProtocolError) this.#refuse(end);
    logger.info(`PROTOCOL(V1): [${this.#peer}] exiting ioloop`);
    if (this.#producer) {
      this.#context.slice.begin();
      await inSlices(db.removingProducer(this.#producer), (removed) => {
        if (removed) this.#logEach("UNREGISTER", [removed]);
      }, this.#context.slice);
    }
    if (!this.#wire.closed) logger.error(`client(${this.#peer}) - ${errorText(end)}`);
  }

  async #readCommands(): Promise<void> {
    do {
      await this.#executeAll();
      this.#wire.flush();
      // A client that does not read its answers is not asked for more commands.
      if (!this.#wire.writable && !this.#wire.closed) await this.#roomForOutput();
    } while (await this.#read());
    if (this.#wire.closed) return;
    // What was cut off in the middle is answered with the error that NSQ has for it.
    this.#reader.end();
    await this.#executeAll();
  }

  /** Carries out every complete command that has come. */
  async #executeAll(): Promise<void> {
    const { slice } = this.#context;
    slice.begin();
    for (let command = this.#reader.next(); command; command = this.#reader.next()) {
      this.#introduced = true;
      this.#incompleteMs = 0;
      this.#answer(await this.#execute(command, slice));
      if (slice.isOver) await slice.next();
    }
    if (!this.#reader.isInCommand) this.#incompleteMs = 0;
    else if (this.#incompleteMs === 0) this.#incompleteMs = this.#lastRead.monotonicMs;
  }

  #execute(
    command: LookupCommand,
    slice: Slice,
  ): Readonly<Uint8Array> | Promise<Readonly<Uint8Array>> {
    switch (command.name) {
      case "PING":
        return this.#ping();
      case "IDENTIFY":
        return this.#identify(command.info);
      case "REGISTER":
        return this.#register(command);
      case "UNREGISTER":
        return this.#unregister(command, slice);
    }
  }

  #ping(): Readonly<Uint8Array> {
    if (this.#producer) {
      const last = formatDuration(this.#lastRead.monotonicMs - this.#producer.lastUpdate.monotonicMs);
      this.#context.logger.info(`CLIENT(${this.#peer}): pinged (last ping ${last})`);
      // NSQ compat: no other command keeps a producer active.
      this.#producer.lastUpdate = this.#lastRead;
    }
    return LOOKUP_OK;
  }

  #identify(info: NodeInfo): Uint8Array {
    const { logger, db, options, hostname, tcpPort, httpPort } = this.#context;
    const { broadcast_address, tcp_port, http_port, version } = info;
    logger.info(
      `CLIENT(${this.#peer}): IDENTIFY Address:${broadcast_address} TCP:${tcp_port} HTTP:${http_port} Version:${version}`,
    );
    this.#producer = db.addProducer(this.#peer, { remote_address: this.#peer, ...info }, this.#lastRead);
    this.#logEach("REGISTER", [CLIENT_REGISTRATION]);
    const answer = {
      broadcast_address: options.broadcastAddress,
      hostname,
      http_port: httpPort,
      tcp_port: tcpPort,
      version: NSQ_VERSION,
    };
    return encodeLookupResponse(new TextEncoder().encode(JSON.stringify(answer)));
  }

  #register({ topic, channel }: Named): Readonly<Uint8Array> {
    const problem = this.#tryToRegister(topic, channel);
    if (problem === undefined) return LOOKUP_OK;
    // Consumers find the node by its topic: that is worth more than the name of one of the channels.
    if (channel !== undefined) this.#tryToRegister(topic, undefined);
    this.#context.logger.error(`[${this.#peer}] - ${REGISTER_REFUSED} - ${problem.message}`);
    // Unlike after NSQ's errors, the connection stays, and with it whatever else the node has registered.
    return encodeLookupResponse(REGISTER_REFUSED);
  }

  #tryToRegister(topic: string, channel: string | undefined): RegistrationsFullError | undefined {
    try {
      this.#logEach("REGISTER", this.#context.db.register(this.#identified(), topic, channel));
      return undefined;
    } catch (error) {
      if (!(error instanceof RegistrationsFullError)) throw error;
      return error;
    }
  }

  /** A topic may have any number of channels. */
  async #unregister({ topic, channel }: Named, slice: Slice): Promise<Readonly<Uint8Array>> {
    const { db, logger } = this.#context;
    await inSlices(db.unregistering(this.#identified(), topic, channel), (removed) => {
      if (channel !== undefined || removed.category === "topic") this.#logEach("UNREGISTER", [removed]);
      // An nsqd is to end a topic's channels first.
      else logger.warn(`client(${this.#peer}) unexpected UNREGISTER ${describe(removed)}`);
    }, slice);
    return LOOKUP_OK;
  }

  /** The reader lets no REGISTER or UNREGISTER pass before IDENTIFY. */
  #identified(): Producer {
    if (this.#producer === undefined) throw new TypeError("A command came before IDENTIFY");
    return this.#producer;
  }

  #logEach(what: "REGISTER" | "UNREGISTER", registrations: readonly Registration[]): void {
    for (const registration of registrations) {
      this.#context.logger.info(`DB: client(${this.#peer}) ${what} ${describe(registration)}`);
    }
  }

  #refuse(error: ProtocolError): void {
    const cause = error.cause === undefined ? "" : ` - ${errorText(error.cause)}`;
    this.#context.logger.error(`[${this.#peer}] - ${error.message}${cause}`);
    this.#answer(encodeLookupResponse(error.message));
  }

  #answer(response: Readonly<Uint8Array>): void {
    this.#wire.output.append(response);
  }

  async #read(): Promise<boolean> {
    try {
      const count = await this.#wire.read(this.#reader.space());
      if (count === null || this.#wire.closed) return false;
      this.#reader.received(count);
      this.#lastRead = momentOf(this.#context.clock);
      this.#shrunk = false;
      return true;
    } catch (error) {
      if (this.#wire.closed && isDisconnect(error)) return false;
      throw error;
    }
  }

  async #roomForOutput(): Promise<void> {
    this.#room = Promise.withResolvers();
    await this.#room.promise;
    this.#room = undefined;
    this.#lastRead = momentOf(this.#context.clock);
    if (this.#incompleteMs > 0) this.#incompleteMs = this.#lastRead.monotonicMs;
  }

  #end(reason: string): void {
    this.#context.logger.error(`client(${this.#peer}) - ${reason}`);
    this.close();
  }
}

interface Named {
  readonly topic: string;
  readonly channel: string | undefined;
}

function describe({ category, key, subKey }: Registration): string {
  return `category:${category} key:${key} subkey:${subKey}`;
}

/** True when more than the timeout has passed; a timeout of 0 is none. */
function isOver(passedMs: number, timeoutMs: number): boolean {
  return timeoutMs > 0 && passedMs > timeoutMs;
}
