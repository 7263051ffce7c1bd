/**
 * Requests to nsqd's HTTP API, each at the worst size that the default limits admit, beside topics, channels and clients as
 * there may be.
 *
 * @module
 */

import { identify, join, MAGIC } from "../../tests/support/frames.ts";
import type { LoopCase } from "./loop_case.ts";
import { connect, exchange, type Part, request } from "./wire.ts";

const MIB = 1024 * 1024;
const HEAD_SIZE = 60 * 1024;
/** Names that a stranger may make. */
const TOPICS = 2000;
const CHANNELS = 1000;
/** Connections that may be there by default are 10,000; a limit on descriptors may be lower. */
const CLIENTS = 5000;
const AT_ONCE = 50;
/** What a scraper or statsd may be told of. */
const MANY_TOPICS = 10_000;
const CHANNELS_EACH = 2;
const CROWD = "loop_time_crowd";

/** The cases that need no more than an nsqd. */
export function httpCases(address: string): LoopCase[] {
  const plain = (
    method: string,
    target: string,
    body: Part = "",
    headers: readonly string[] = [],
  ): LoopCase => ({
    name: `${method} ${target.length > 60 ? `${target.slice(0, 50)}… of ${target.length} bytes` : target}` +
      (body.length > 0 ? `, ${describeSize(body.length)}` : ""),
    play: () => request(address, method, target, body, headers),
  });
  const named = (name: string, each: LoopCase): LoopCase => ({ ...each, name });
  return [
    plain("GET", "/info"),
    plain("POST", "/pub?topic=loop_time", new Uint8Array(MIB).fill(0x78)),
    named(
      "POST /mpub of 5 MiB, lines of 1 byte",
      plain("POST", "/mpub?topic=loop_time", "x\n".repeat(2.5 * MIB)),
    ),
    named("POST /mpub of 5 MiB, empty lines", plain("POST", "/mpub?topic=loop_time", "\n".repeat(5 * MIB))),
    named("POST /mpub?binary=true of 5 MiB, messages of 1 byte", {
      name: "",
      play: () => request(address, "POST", "/mpub?topic=loop_time&binary=true", binaryBatch()),
    }),
    named("PUT /config/nsqlookupd_tcp_addresses, a list of 1 MiB", {
      name: "",
      play: () =>
        request(address, "PUT", "/config/nsqlookupd_tcp_addresses", `["${'a:1","'.repeat(100_000)}b:1"]`),
    }),
    named("the same, nested", {
      name: "",
      play: () => request(address, "PUT", "/config/nsqlookupd_tcp_addresses", "[".repeat(MIB)),
    }),
    plain("PUT", "/config/reload"),
    plain("GET", `/ping?${"a=%20&".repeat(HEAD_SIZE / 6)}`),
    plain("GET", `/stats?topic=${"%ff".repeat(HEAD_SIZE / 3)}`),
    plain("GET", `/${"a/".repeat(HEAD_SIZE / 2)}`),
    named("GET /ping with 60 KiB of headers", plain("GET", "/ping", "", ["X: " + "y".repeat(HEAD_SIZE)])),
    plain("GET", "/debug/pprof/heap"),
    plain("GET", "/debug/pprof/goroutine"),
    plain("GET", "/debug/pprof/cmdline"),
  ];
}

/** The cases beside many topics, channels of one topic, and clients; making those takes a while. */
export async function crowdedCases(
  { tcpAddress, httpAddress }: { readonly tcpAddress: string; readonly httpAddress: string },
): Promise<{ readonly cases: LoopCase[]; readonly clients: AsyncDisposable }> {
  await times(TOPICS, (i) => request(httpAddress, "POST", `/topic/create?topic=${CROWD}_${i}`));
  const connections: Deno.TcpConn[] = [];
  const hello = join(
    MAGIC,
    identify({ user_agent: "x".repeat(1000), heartbeat_interval: 60_000 }),
    `SUB ${CROWD} c\n`,
  );
  const openClients = () =>
    times(CLIENTS - connections.length, async () => {
      const connection = await connect(tcpAddress);
      connections.push(connection);
      await exchange(connection, [hello], 1);
    });
  await openClients();
  const post = (what: string): LoopCase => ({
    name: `POST ${what}, of ${CHANNELS} channels`,
    prepare: () => makeChannels(httpAddress),
    play: () => request(httpAddress, "POST", `${what}?topic=${CROWD}_channels`),
  });
  const get = (target: string): LoopCase => ({
    name: `GET ${target}, ${TOPICS} topics and ${CLIENTS} clients`,
    play: () => request(httpAddress, "GET", target),
  });
  const cases = [
    get("/stats?format=json"),
    get("/stats"),
    get("/stats?format=json&include_clients=false"),
    post("/topic/pause"),
    post("/topic/unpause"),
    post("/topic/empty"),
    post("/topic/delete"),
    {
      name: `the end of ${CLIENTS} clients at once`,
      prepare: openClients,
      play: () => {
        for (const connection of connections.splice(0)) connection.close();
        return Promise.resolve();
      },
    },
  ];
  const end = () => {
    for (const connection of connections) connection.close();
    return Promise.resolve();
  };
  return { cases, clients: { [Symbol.asyncDispose]: end } };
}

/** The cases beside very many topics with channels. */
export function manyTopicsCases(httpAddress: string): LoopCase[] {
  const targets = [
    "/stats?format=json",
    "/stats",
    "/metrics",
    "/metrics?aggregate=node",
    "/metrics?names=statsd",
  ];
  return targets.map((target) => ({
    name: `GET ${target}, ${MANY_TOPICS} topics with ${CHANNELS_EACH} channels`,
    play: () => request(httpAddress, "GET", target),
  }));
}

/** The case of statsd, beside as many topics; `push` settles with the end of one. */
export function manyTopicsPush(push: () => Promise<void>): LoopCase {
  return { name: `a push to statsd, ${MANY_TOPICS} topics with ${CHANNELS_EACH} channels`, play: push };
}

/** A metadata file with so many topics. */
export function manyTopicsMetadata(): string {
  const channels = Array.from({ length: CHANNELS_EACH }, (_, i) => ({ name: `channel_${i}`, paused: false }));
  const topics = Array.from({ length: MANY_TOPICS }, (_, i) => ({
    name: `${CROWD}_${i}`,
    paused: false,
    channels,
  }));
  return JSON.stringify({ version: "1.3.0", topics });
}

function makeChannels(httpAddress: string): Promise<void> {
  return times(
    CHANNELS,
    (i) => request(httpAddress, "POST", `/channel/create?topic=${CROWD}_channels&channel=c${i}`),
  );
}

/** Does it so many times, some at once. */
async function times(count: number, work: (i: number) => Promise<void>): Promise<void> {
  for (let at = 0; at < count; at += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - at) }, (_, i) => work(at + i)));
  }
}

function binaryBatch(): Uint8Array {
  const count = Math.floor((5 * MIB - 4) / 5);
  const body = new Uint8Array(4 + 5 * count);
  new DataView(body.buffer).setInt32(0, count);
  for (let at = 4; at < body.length; at += 5) body[at + 3] = 1;
  return body;
}

function describeSize(bytes: number): string {
  return bytes >= MIB ? `${bytes / MIB} MiB` : `${bytes} bytes`;
}
