/**
 * A Serf agent's RPC side, played by the test: it reads the requests of a client and answers them as the test says.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { encode } from "@std/msgpack";
import { MsgpackStream, type MsgpackValue } from "../../src/base/msgpack_stream.ts";
import { SerfClient, type SerfLimits } from "../../src/cluster/serf_client.ts";
import { eventually } from "./eventually.ts";
import { MemoryConnection } from "./memory_connection.ts";

/** A request, as the agent gets it. */
export interface SerfRequest {
  readonly command: string;
  readonly seq: number;
  readonly body: MsgpackValue | undefined;
}

/** Commands that have no body. */
const BARE_COMMANDS = ["members", "stats", "leave"];

/** The agent. */
export class FakeSerf {
  readonly connection = new MemoryConnection("serf");
  readonly #received = new MsgpackStream({ sizeMax: 1024 * 1024 });
  #taken = 0;

  /** A client that has said its handshake, and authenticated with the key if there is one. */
  static async connected(
    options: { authKey?: string; limits?: Partial<SerfLimits> } = {},
  ): Promise<{ serf: FakeSerf; client: SerfClient }> {
    const { authKey = "", limits } = options;
    const serf = new FakeSerf();
    const client = SerfClient.over(serf.connection, authKey, limits);
    assertEquals(await serf.request(), { command: "handshake", seq: 0, body: { Version: 1 } });
    serf.answer(0);
    if (authKey !== "") {
      assertEquals(await serf.request(), { command: "auth", seq: 1, body: { AuthKey: authKey } });
      serf.answer(1);
    }
    return { serf, client: await client };
  }

  /** The next request. */
  async request(): Promise<SerfRequest> {
    const head = await this.#value("the head of a request");
    assert(typeof head === "object" && head !== null && "Command" in head && "Seq" in head);
    const { Command: command, Seq: seq } = head;
    assert(typeof command === "string" && typeof seq === "number");
    const body = BARE_COMMANDS.includes(command) ? undefined : await this.#value(`the body of ${command}`);
    return { command, seq, body };
  }

  /** Answers a request, or sends an event of the stream that it asked for. */
  answer(seq: number, body?: MsgpackValue, error = ""): void {
    this.send(headBytes(seq, error));
    if (body !== undefined) this.send(encode(body));
  }

  /** Sends bytes as they are. */
  send(bytes: Uint8Array): void {
    this.connection.push(bytes);
  }

  #value(what: string): Promise<MsgpackValue> {
    return eventually(what, () => {
      const { written } = this.connection;
      for (; this.#taken < written.length; this.#taken++) this.#received.push(written[this.#taken]);
      const value = this.#received.next();
      // A false or an absent value would count as not there yet.
      return value === undefined ? undefined : { value };
    }).then(({ value }) => value);
  }
}

/** The head of an answer. */
export function headBytes(seq: number, error = ""): Uint8Array {
  return encode({ Error: error, Seq: seq });
}

/** A member, as an agent sends it. */
export function memberRecord(
  name: string,
  options: { tags?: Record<string, string>; status?: string; address?: number[]; port?: number } = {},
): MsgpackValue {
  const { tags = {}, status = "alive", address = [127, 0, 0, 1], port = 7946 } = options;
  return {
    Addr: Uint8Array.from(address),
    DelegateCur: 5,
    DelegateMax: 5,
    DelegateMin: 2,
    Name: name,
    Port: port,
    ProtocolCur: 2,
    ProtocolMax: 5,
    ProtocolMin: 1,
    Status: status,
    Tags: tags,
  };
}
