/**
 * nsqlookupd without a daemon: sessions over connections in memory, and the HTTP API, on one database. Time stands
 * still until it is moved.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { momentOf } from "../../src/base/clock.ts";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { LoopLag } from "../../src/base/loop_lag.ts";
import { RegistrationDb } from "../../src/cluster/registration_db.ts";
import { defaultOptions } from "../../src/config/option.ts";
import { type HttpApiContext, nsqlookupdHttpApi } from "../../src/nsqlookupd/http_api.ts";
import { RequestCounts } from "../../src/http/request_counts.ts";
import {
  NSQLOOKUPD_OPTIONS,
  type NsqlookupdOptions,
  registrationLimits,
} from "../../src/nsqlookupd/options.ts";
import { Session, type SessionContext } from "../../src/nsqlookupd/session.ts";
import { SharedSlice } from "../../src/base/time_slice.ts";
import { FakeClock } from "./fake_clock.ts";
import { bytesOf, join } from "./frames.ts";
import { callHandler } from "./http_call.ts";
import { identifyNode, LOOKUP_MAGIC, LookupAnswerReader } from "./lookup_frames.ts";
import { MemoryConnection } from "./memory_connection.ts";
import { settle } from "./settle.ts";

const OK = "OK";

/** An answer of the HTTP API. */
export interface HttpAnswer {
  readonly status: number;
  readonly type?: string;
  readonly text: string;
}

/** An nsqlookupd without a daemon, and what a test wants to see of it. */
export class NsqlookupdInMemory implements HttpApiContext, SessionContext {
  readonly readiness = { ready: true, state: "running", reasons: [] };
  readonly clock = new FakeClock();
  /** The log's lines, without time. */
  readonly lines: string[] = [];
  readonly logger: Logger;
  readonly options: NsqlookupdOptions;
  readonly db: RegistrationDb;
  readonly connections = new Set<Session>();
  /** It never ends: nothing is to depend on how fast a test runs. */
  readonly slice = new SharedSlice({ monotonicMs: () => 0 });
  readonly hostname = "lookup.example";
  readonly started = momentOf(this.clock);
  readonly lag = new LoopLag();
  readonly requests = new RequestCounts();
  readonly refused = { tcp: 0, http: 0 };
  readonly tcpPort = 4160;
  readonly httpPort = 4161;
  readonly #handle: ReturnType<typeof nsqlookupdHttpApi>["handle"];
  #connected = 0;

  constructor(options: Partial<NsqlookupdOptions> = {}) {
    const broadcastAddress = "broadcast.example";
    this.options = { ...defaultOptions(NSQLOOKUPD_OPTIONS), broadcastAddress, ...options };
    const write = (line: string) => this.lines.push(line.slice("yyyy/mm/dd hh:mm:ss.uuuuuu ".length));
    this.logger = new Logger({ prefix: "", level: LOG_LEVELS.info, write });
    this.db = new RegistrationDb(registrationLimits(this.options));
    this.#handle = nsqlookupdHttpApi(this).handle;
  }

  runningTasks(): string[] {
    return ["tcpServer", "httpServer"];
  }

  /** Connects a client, which says the magic. */
  async connect(options: { readonly magic?: string } = {}): Promise<LookupMemoryClient> {
    const client = new LookupMemoryClient(this, `127.0.0.1:${5001 + this.#connected++}`);
    await client.send(options.magic ?? LOOKUP_MAGIC);
    return client;
  }

  /** Connects an nsqd that is registered for topics, and for channels given as `topic channel`. */
  async node(
    info: Readonly<Record<string, unknown>>,
    ...names: readonly string[]
  ): Promise<LookupMemoryClient> {
    const client = await this.connect();
    const [, ...answers] = await client.ask(identifyNode(info), ...names.map((name) => `REGISTER ${name}\n`));
    assertEquals(answers, names.map(() => OK));
    return client;
  }

  /** Sends an HTTP request. */
  async request(method: string, target: string): Promise<HttpAnswer> {
    const { status, text, header } = await callHandler(this.#handle, { method, target });
    const type = header("content-type");
    return { status, ...type !== undefined && { type }, text };
  }

  /** The JSON of an answer. */
  async json(target: string): Promise<unknown> {
    return JSON.parse((await this.request("GET", target)).text);
  }

  /** Broadcast addresses of the producers that are told of for a topic. */
  async producersOf(topic: string): Promise<string[]> {
    const { producers } = await this.json(`/lookup?topic=${topic}`) as {
      producers: { broadcast_address: string }[];
    };
    return producers.map(({ broadcast_address }) => broadcast_address);
  }

  /** Time passes; connections are held against their limits then. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.#look();
  }

  /** Somebody sets the clock; no connection is over its limits because of that. */
  async step(ms: number): Promise<void> {
    this.clock.step(ms);
    await this.#look();
  }

  /** The log since the last call. */
  newLines(): string[] {
    return this.lines.splice(0);
  }

  async #look(): Promise<void> {
    for (const session of this.connections) session.checkLimits(this.clock.monotonicMs());
    await settle();
  }
}

/** A client of an {@linkcode NsqlookupdInMemory}. */
export class LookupMemoryClient {
  readonly connection: MemoryConnection;
  /** Settles when the session has ended. */
  readonly done: Promise<void>;
  readonly #reader = new LookupAnswerReader();

  constructor(nsqlookupd: SessionContext, peer: string) {
    this.connection = new MemoryConnection(peer);
    this.done = new Session(nsqlookupd, this.connection).run();
  }

  /** Sends the parts at once. */
  async send(...parts: readonly (string | Uint8Array)[]): Promise<void> {
    this.connection.push(join(...parts.map(bytesOf)));
    await settle();
  }

  /** The answers that have come since the last call. */
  answers(): string[] {
    return this.#reader.push(join(...this.connection.written.splice(0)));
  }

  /** Sends the parts and returns the answers that come. */
  async ask(...parts: readonly (string | Uint8Array)[]): Promise<string[]> {
    await this.send(...parts);
    return this.answers();
  }

  /** Sends no more; returns the last answers. */
  async end(): Promise<string[]> {
    this.connection.end();
    await settle();
    return this.answers();
  }
}

/** A test with an nsqlookupd, whose clients must all have gone when it ends. */
export function lookupTest(
  name: string,
  test: (nsqlookupd: NsqlookupdInMemory) => Promise<void>,
  options: Partial<NsqlookupdOptions> = {},
): void {
  Deno.test(name, async () => {
    const nsqlookupd = new NsqlookupdInMemory(options);
    try {
      await test(nsqlookupd);
    } finally {
      for (const session of nsqlookupd.connections) session.close();
      await settle();
      assertEquals(nsqlookupd.connections.size, 0, "a session has not ended");
    }
  });
}
