/**
 * A Serf agent in the test's own process that answers every request at once, and keeps what it was asked.
 *
 * @module
 */

import { encode } from "@std/msgpack";
import { MsgpackStream, type MsgpackValue } from "../../src/base/msgpack_stream.ts";
import { SerfClient } from "../../src/cluster/serf_client.ts";
import { SerfError } from "../../src/cluster/serf_records.ts";
import { headBytes, memberRecord } from "./fake_serf.ts";
import { MemoryConnection } from "./memory_connection.ts";

const BARE_COMMANDS = ["members", "stats", "leave"];

/** The agent. */
export class ScriptedSerf {
  /** Its own name in the cluster. */
  name = "own:4150";
  /** Members that it knows. */
  members: MsgpackValue[] = [];
  /** How many nodes a join reaches, or why it reaches none. */
  joins: number | string = 1;
  /** Events in its queue. */
  eventQueue = 0;
  /** While it is set, nobody can connect. */
  down = false;
  /** User events that it was asked to send, such as `topic+ {"n":…}`. */
  readonly sent: string[] = [];
  /** Other requests, such as `join {"Existing":["a:1"],"Replay":true}`, without those that only ask. */
  readonly asked: string[] = [];
  readonly #connections = new Set<AgentConnection>();

  /** Connections that have not ended. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Connects a client. */
  async connect(): Promise<SerfClient> {
    if (this.down) throw new SerfError("Cannot connect to Serf at 127.0.0.1:7373: it is down");
    const connection = new AgentConnection(this);
    this.#connections.add(connection);
    const client = await SerfClient.over(connection, "");
    void client.ended.then(() => this.#connections.delete(connection));
    return client;
  }

  /** Sends an event to all who have asked for a stream. */
  emit(record: MsgpackValue): void {
    for (const connection of this.#connections) connection.emit(record);
  }

  /** Members come or go. */
  emitMembers(type: string, ...members: MsgpackValue[]): void {
    this.emit({ Event: type, Members: members });
  }

  /** A member sends an event of its own. */
  emitUser(name: string, payload: Record<string, unknown>): void {
    this.emit({
      Event: "user",
      LTime: 1,
      Name: name,
      Payload: bytes(JSON.stringify(payload)),
      Coalesce: false,
    });
  }

  /** Ends all connections, as an agent that is killed does. */
  drop(): void {
    for (const connection of this.#connections) connection.end();
  }

  /** The answer to a request: what it says, or an error as a text. */
  answer(command: string, body: MsgpackValue | undefined): { body?: MsgpackValue; error?: string } {
    switch (command) {
      case "members":
        return { body: { Members: this.members } };
      case "stats":
        return {
          body: {
            agent: { name: this.name },
            serf: { members: String(this.members.length), event_queue: String(this.eventQueue) },
          },
        };
      case "event":
        this.sent.push(eventText(body));
        return {};
      case "join":
        this.asked.push(`join ${JSON.stringify(body)}`);
        if (typeof this.joins === "number") return { body: { Num: this.joins } };
        return { body: { Num: 0 }, error: this.joins };
      case "tags":
        this.asked.push(`tags ${JSON.stringify(body)}`);
        return {};
      default:
        return {};
    }
  }
}

/** An nsqd of the cluster, as an agent tells of it. */
export function nodeRecord(name: string, options: { status?: string; tags?: Record<string, string> } = {}) {
  const tags = { role: "nsqd", tp: "4150", hp: "4151", ba: name.split(":")[0], h: "host", v: "1.3.0" };
  return memberRecord(name, { ...options, tags: options.tags ?? tags });
}

class AgentConnection extends MemoryConnection {
  readonly #agent: ScriptedSerf;
  readonly #received = new MsgpackStream({ sizeMax: 1024 * 1024 });
  readonly #streams: number[] = [];
  #head: { Command: string; Seq: number } | undefined;

  constructor(agent: ScriptedSerf) {
    super("serf");
    this.#agent = agent;
  }

  override async write(bytes: Uint8Array): Promise<number> {
    const count = await super.write(bytes);
    this.#received.push(bytes);
    while (this.#take());
    return count;
  }

  emit(record: MsgpackValue): void {
    for (const seq of this.#streams) this.#send(seq, record);
  }

  #take(): boolean {
    this.#head ??= this.#received.next() as { Command: string; Seq: number } | undefined;
    if (this.#head === undefined) return false;
    const { Command: command, Seq: seq } = this.#head;
    const body = BARE_COMMANDS.includes(command) ? undefined : this.#received.next();
    if (body === undefined && !BARE_COMMANDS.includes(command)) return false;
    this.#head = undefined;
    const answer = this.#agent.answer(command, body);
    this.#send(seq, answer.body, answer.error);
    if (command === "stream") this.#streams.push(seq);
    return true;
  }

  #send(seq: number, body?: MsgpackValue, error?: string): void {
    this.push(headBytes(seq, error));
    if (body !== undefined) this.push(encode(body));
  }
}

function eventText(body: MsgpackValue | undefined): string {
  const { Name: name, Payload: payload } = body as { Name: string; Payload: Uint8Array };
  return `${name} ${new TextDecoder().decode(payload)}`;
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
