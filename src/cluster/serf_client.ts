/**
 * The RPC protocol of a Serf agent, from the side of the one who asks: MessagePack objects over TCP, one after the
 * other. It is HashiCorp's documented one, version 1, which all agents speak.
 *
 * ```
 *  ──▶ {Command: "members", Seq: 3}                    request: a head, with most commands a body
 *  ◀── {Seq: 2, Error: ""} {Event: "user", …}          an event, of the stream that request 2 asked for
 *  ◀── {Seq: 3, Error: ""} {Members: […]}              answer: a head, with some commands a body
 * ```
 *
 * Nothing tells whether a body follows a head but the request that it answers. So an answer to no request, like
 * everything else that the protocol does not allow, ends the connection, and so does a request that is not answered
 * in time. Whoever uses it connects anew then; this does not.
 *
 * @module
 */

import { encode } from "@std/msgpack";
import { AsyncQueue } from "../base/async_queue.ts";
import { errorText } from "../base/error_text.ts";
import { MsgpackStream, type MsgpackValue } from "../base/msgpack_stream.ts";
import { type Connection, DenoConnection, writeAll } from "../net/connection.ts";
import {
  readEvent,
  readHeader,
  readJoined,
  readMembers,
  readStats,
  SerfError,
  type SerfEvent,
  type SerfHeader,
  type SerfMember,
} from "./serf_records.ts";

/** The version of the protocol. */
const VERSION = 1;
const READ_SIZE_BYTES = 16 * 1024;
/** Largest object that an agent may send: the members of a cluster of ten thousand are about 4 MiB. */
const OBJECT_SIZE_MAX = 16 * 1024 * 1024;
/** Events that may wait to be handled. */
const EVENTS_WAITING_MAX = 100_000;
/** How long a connection and an ordinary request may take. */
const REQUEST_TIMEOUT_MS = 10_000;
/** To join, an agent tries one address after the other. */
const JOIN_TIMEOUT_MS = 60_000;
/** An agent that leaves waits until others know. */
const LEAVE_TIMEOUT_MS = 15_000;
/** The one refusal that no body follows where one could. */
const AUTH_REQUIRED = "Authentication required";

/** Where an agent takes requests. */
export interface SerfEndpoint {
  readonly hostname: string;
  readonly port: number;
  /** What the agent is configured to ask for; "" if it asks for nothing. */
  readonly authKey: string;
}

/** Limits that tests shorten. */
export interface SerfLimits {
  readonly requestTimeoutMs: number;
  readonly eventsWaitingMax: number;
}

interface Pending {
  readonly command: string;
  readonly hasBody: boolean;
  readonly resolve: (body: MsgpackValue | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** A connection to an agent. */
export class SerfClient {
  readonly #connection: Connection;
  readonly #limits: SerfLimits;
  readonly #values = new MsgpackStream({ sizeMax: OBJECT_SIZE_MAX });
  readonly #pending = new Map<number, Pending>();
  readonly #streams = new Map<number, AsyncQueue<SerfEvent>>();
  readonly #ended = Promise.withResolvers<void>();
  #seq = 0;
  #writing = Promise.resolve();
  #failure: SerfError | undefined;
  /** The head whose body has not arrived yet. */
  #header: SerfHeader | undefined;

  private constructor(connection: Connection, limits: SerfLimits) {
    this.#connection = connection;
    this.#limits = limits;
  }

  /**
   * Connects to an agent, and authenticates if it asks for that.
   *
   * @throws {SerfError} Why that is not possible.
   */
  static async connect(endpoint: SerfEndpoint): Promise<SerfClient> {
    return await SerfClient.over(await dial(endpoint), endpoint.authKey);
  }

  /** The same over a connection that is there already. */
  static async over(
    connection: Connection,
    authKey: string,
    limits: Partial<SerfLimits> = {},
  ): Promise<SerfClient> {
    const client = new SerfClient(connection, {
      requestTimeoutMs: limits.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
      eventsWaitingMax: limits.eventsWaitingMax ?? EVENTS_WAITING_MAX,
    });
    void client.#read();
    try {
      await client.#request("handshake", { Version: VERSION });
      if (authKey !== "") await client.#request("auth", { AuthKey: authKey });
      return client;
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  /** Settles when the connection has ended, for whatever reason. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Why the connection has ended, or is about to; `undefined` as long as it is good. */
  get failure(): SerfError | undefined {
    return this.#failure;
  }

  /** Every member that the agent knows, those that have gone too. */
  async members(): Promise<SerfMember[]> {
    return readMembers(await this.#ask("members"));
  }

  /** What the agent tells of itself, in groups. */
  async stats(): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
    return readStats(await this.#ask("stats"));
  }

  /**
   * Joins the clusters of the agents at these addresses; `replay` asks for the latest of their user events.
   *
   * @returns How many were reached.
   * @throws {SerfError} If none was.
   */
  async join(addresses: readonly string[], options: { readonly replay: boolean }): Promise<number> {
    const body = { Existing: addresses, Replay: options.replay };
    return readJoined(await this.#ask("join", body, JOIN_TIMEOUT_MS));
  }

  /** Sets tags of the agent, and takes others away. */
  async updateTags(tags: Readonly<Record<string, string>>, removed: readonly string[] = []): Promise<void> {
    await this.#request("tags", { Tags: tags, DeleteTags: removed });
  }

  /** Sends an event to all members, this agent included. */
  async userEvent(name: string, payload: Uint8Array): Promise<void> {
    // To be coalesced would mean that of several events with one name only the last arrives.
    await this.#request("event", { Name: name, Payload: payload, Coalesce: false });
  }

  /**
   * The events of these types from now on, until the connection ends.
   *
   * @param types Such as `member-join`, `user` or `query`.
   */
  async events(types: readonly string[]): Promise<AsyncIterable<SerfEvent>> {
    const queue = new AsyncQueue<SerfEvent>({ countMax: this.#limits.eventsWaitingMax });
    await this.#request("stream", { Type: types.join(",") }, { queue });
    return queue;
  }

  /** Answers a query that a stream has brought. */
  async respond(id: number | bigint, payload: Uint8Array): Promise<void> {
    await this.#request("respond", { ID: id, Payload: payload });
  }

  /** Makes the agent leave the cluster and end. */
  async leave(): Promise<void> {
    await this.#request("leave", undefined, { timeoutMs: LEAVE_TIMEOUT_MS });
  }

  /** Ends the connection; requests that are not answered yet fail. */
  async close(): Promise<void> {
    this.#fail("The connection to Serf is closed");
    await this.#ended.promise;
  }

  /** A request whose answer has a body. */
  async #ask(command: string, body?: MsgpackValue, timeoutMs?: number): Promise<MsgpackValue> {
    const answer = await this.#request(command, body, { hasBody: true, timeoutMs });
    if (answer === undefined) throw new SerfError(`Serf answered "${command}" with nothing`);
    return answer;
  }

  async #request(
    command: string,
    body?: MsgpackValue,
    options: { hasBody?: boolean; timeoutMs?: number | undefined; queue?: AsyncQueue<SerfEvent> } = {},
  ): Promise<MsgpackValue | undefined> {
    if (this.#failure) throw this.#failure;
    const { hasBody = false, timeoutMs = this.#limits.requestTimeoutMs, queue } = options;
    const seq = this.#seq++;
    const answer = Promise.withResolvers<MsgpackValue | undefined>();
    this.#pending.set(seq, { command, hasBody, resolve: answer.resolve, reject: answer.reject });
    if (queue) this.#streams.set(seq, queue);
    const timer = setTimeout(() => {
      this.#fail(`Serf has not answered "${command}" within ${timeoutMs} ms`);
    }, timeoutMs);
    void this.#send(command, seq, body);
    try {
      return await answer.promise;
    } catch (error) {
      this.#streams.delete(seq);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Requests are written one after the other; that one cannot be is the end of the connection. */
  #send(command: string, seq: number, body: MsgpackValue | undefined): Promise<void> {
    const head = encode({ Command: command, Seq: seq });
    const bytes = body === undefined ? head : concatenate(head, encode(body));
    return this.#writing = this.#writing.then(async () => {
      try {
        await writeAll(this.#connection, bytes);
      } catch (cause) {
        this.#fail(`Cannot write to Serf: ${errorText(cause)}`, cause);
      }
    });
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(READ_SIZE_BYTES);
    try {
      for (;;) {
        const length = await this.#connection.read(buffer);
        if (length === null) throw new Error("the agent has closed it");
        this.#values.push(buffer.subarray(0, length));
        while (this.#takeAnswer());
      }
    } catch (cause) {
      this.#fail(`The connection to Serf is lost: ${errorText(cause)}`, cause);
    }
    this.#end();
  }

  /** Handles the next answer or event; false when it is not whole yet. */
  #takeAnswer(): boolean {
    if (this.#header === undefined) {
      const value = this.#values.next();
      if (value === undefined) return false;
      this.#header = readHeader(value);
    }
    const header = this.#header;
    let body: MsgpackValue | undefined;
    if (this.#bodyFollows(header)) {
      body = this.#values.next();
      if (body === undefined) return false;
    }
    this.#header = undefined;
    this.#dispatch(header, body);
    return true;
  }

  #bodyFollows({ seq, error }: SerfHeader): boolean {
    const pending = this.#pending.get(seq);
    // A body follows a refusal too, but not that one.
    if (pending) return pending.hasBody && error !== AUTH_REQUIRED;
    if (this.#streams.has(seq)) return true;
    throw new SerfError(`there is an answer to no request, number ${seq}`);
  }

  #dispatch({ seq, error }: SerfHeader, body: MsgpackValue | undefined): void {
    const pending = this.#pending.get(seq);
    if (pending) {
      this.#pending.delete(seq);
      if (error === "") pending.resolve(body);
      else pending.reject(new SerfError(`Serf refuses "${pending.command}": ${inOneLine(error)}`));
      return;
    }
    const event = body === undefined ? undefined : readEvent(body);
    if (event === undefined || this.#streams.get(seq)?.push(event)) return;
    throw new SerfError(`more than ${this.#limits.eventsWaitingMax} events wait to be handled`);
  }

  /** Ends the connection; of several reasons the first counts. */
  #fail(message: string, cause?: unknown): void {
    this.#failure ??= new SerfError(message, { cause });
    this.#connection.close();
  }

  #end(): void {
    for (const { reject } of this.#pending.values()) reject(this.#failure);
    this.#pending.clear();
    for (const queue of this.#streams.values()) queue.end();
    this.#ended.resolve();
  }
}

/** Opens a connection; a machine that does not answer is not waited for long. */
async function dial({ hostname, port }: SerfEndpoint): Promise<Connection> {
  const where = `${hostname}:${port}`;
  const dialed = Deno.connect({ hostname, port }).then((conn) => new DenoConnection(conn));
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), REQUEST_TIMEOUT_MS);
  });
  try {
    const connection = await Promise.race([dialed, timeout]);
    if (connection) return connection;
  } catch (cause) {
    throw new SerfError(`Cannot connect to Serf at ${where}: ${errorText(cause)}`, { cause });
  } finally {
    clearTimeout(timer);
  }
  // It may still come, and is of no use then.
  void dialed.then((late) => late.close(), () => undefined);
  throw new SerfError(`Cannot connect to Serf at ${where}: no answer within ${REQUEST_TIMEOUT_MS} ms`);
}

function concatenate(a: Uint8Array, b: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(a.length + b.length);
  bytes.set(a);
  bytes.set(b, a.length);
  return bytes;
}

/** Serf puts several errors on lines of their own. */
function inOneLine(text: string): string {
  return text.trim().replace(/\s*[\r\n]+\s*/g, " ");
}
