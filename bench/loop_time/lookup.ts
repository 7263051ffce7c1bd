/**
 * Requests to nsqlookupd, TCP and HTTP, at the worst sizes that its default limits admit: a million names, of which one nsqd
 * has a tenth.
 *
 * @module
 */

import { i32, join } from "../../tests/support/frames.ts";
import type { LoopCase } from "./loop_case.ts";
import { connect, exchange, exchangeOnce, type Part, request } from "./wire.ts";

const MAGIC = "  V1";
const NODES = 10;
/** Topics and channels of a node, and how many names there are so in all: the limits. */
const NAMES_OF_NODE = 100_000;
const LINE_LENGTH_MAX = 16 * 1024;
const BODY_SIZE_MAX = 8 * 1024;
const OK_LENGTH = 6;

/** Cases on an nsqlookupd that knows next to nothing. */
export function lookupCases(tcpAddress: string, httpAddress: string): LoopCase[] {
  const once = (name: string, ...parts: readonly Part[]): LoopCase => ({
    name: `nsqlookupd: ${name}`,
    play: async () => void await exchangeOnce(tcpAddress, [MAGIC, ...parts, "BYE\n"]),
  });
  return [
    once("unknown command of 16 KiB", "$".repeat(LINE_LENGTH_MAX - 2) + "\n"),
    once(
      "REGISTER of a name of 16 KiB",
      nodeCommand(1),
      "REGISTER " + "\xff".repeat(LINE_LENGTH_MAX - 16) + "\n",
    ),
    once("IDENTIFY of 8 KiB: nested", identifyText("[".repeat(BODY_SIZE_MAX))),
    once("IDENTIFY of 8 KiB: unknown keys", identifyText(`{${'"k":1,'.repeat(1300)}"a":1}`)),
    once("PING × 100,000", nodeCommand(1), "PING\n".repeat(100_000)),
    once("REGISTER × 20,000, the same again", nodeCommand(1), "REGISTER t c\n".repeat(20_000)),
    once("REGISTER × 20,000, and the end", nodeCommand(1), registerAll("few", 10_000)),
    {
      name: "nsqlookupd: POST /topic/create",
      play: () => request(httpAddress, "POST", "/topic/create?topic=t"),
    },
  ];
}

/** The same with as many names as there may be; making those takes a while. */
export async function crowdedLookupCases(tcpAddress: string, httpAddress: string): Promise<LoopCase[]> {
  const nodes = new Map<number, Deno.TcpConn>();
  /** All nodes are there, with all that they may have. */
  const restore = async () => {
    for (let i = 0; i < NODES; i++) {
      const connection = nodes.get(i) ?? await introduced(tcpAddress, i);
      nodes.set(i, connection);
      await exchange(connection, [registerAll(`n${i}`, NAMES_OF_NODE / 2)], (NAMES_OF_NODE / 2) * OK_LENGTH);
    }
  };
  const leave = (...which: readonly number[]) => {
    for (const i of which) {
      nodes.get(i)?.close();
      nodes.delete(i);
    }
    return Promise.resolve();
  };
  await restore();
  const count = NODES * NAMES_OF_NODE;
  const ask = (method: string, target: string): LoopCase => ({
    name: `nsqlookupd of ${count} names: ${method} ${target}`,
    play: () => request(httpAddress, method, target),
  });
  return [
    ask("GET", "/nodes"),
    ask("GET", "/topics"),
    ask("GET", "/debug"),
    ask("GET", "/lookup?topic=*"),
    ask("GET", "/channels?topic=*"),
    ask("POST", "/topic/create?topic=one_too_many"),
    ask("POST", `/topic/tombstone?topic=*&node=${encodeURIComponent("127.0.0.1:2")}`),
    {
      name: `nsqlookupd of ${count} names: REGISTER of one too many`,
      play: async () => {
        await exchangeOnce(tcpAddress, [MAGIC, nodeCommand(99), "REGISTER one_too_many c\n", "BYE\n"]);
      },
    },
    {
      name: `nsqlookupd of ${count} names: the end of a node`,
      prepare: restore,
      play: () => leave(0),
    },
    { ...ask("POST", "/topic/delete?topic=*"), prepare: restore },
    {
      name: `nsqlookupd of ${count} names: the end of all nodes`,
      prepare: restore,
      play: () => leave(...nodes.keys()),
    },
  ];
}

/** An nsqd that has said who it is. */
async function introduced(tcpAddress: string, i: number): Promise<Deno.TcpConn> {
  const connection = await connect(tcpAddress);
  await exchange(connection, [MAGIC, nodeCommand(i)], 1);
  return connection;
}

/** So many topics, with a channel each. */
function registerAll(prefix: string, count: number): Uint8Array {
  return join(...Array.from({ length: count }, (_, i) => `REGISTER ${prefix}_${i} c\n`));
}

function nodeCommand(i: number): Uint8Array {
  const node = {
    broadcast_address: "127.0.0.1",
    hostname: `h${i}`,
    tcp_port: 1,
    http_port: 2,
    version: "1.3.0",
  };
  return identifyText(JSON.stringify(node));
}

function identifyText(text: string): Uint8Array {
  return join("IDENTIFY\n", i32(text.length), text);
}
