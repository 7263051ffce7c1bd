/**
 * What consuming over HTTP costs nsqd: receive and finish, server-sent events, protocol V2 over WebSockets, and requests
 * that wait. The client is another process, as lean as can be. The figures are docs/performance.md's.
 *
 * @module
 */

import { connect, type Socket } from "node:net";
import { type NsqdProcess, startNsqd } from "../tests/support/nsqd_process.ts";
import { Flags } from "../tests/support/flags.ts";
import { markdownTable } from "./markdown_table.ts";
import { readProcessUsage } from "./process_usage.ts";

const USAGE = `usage: deno run -A bench/consume.ts [flags]

  --connections N      that receive (16), have a stream (16), or a WebSocket (16)
  --batch N            messages of a receive (10)
  --messages N         that are there in each case (400000)
  --waiters N          requests that wait (2000)
  --size BYTES         of a body (200)
  --rounds N           of all cases; the best of each counts (3)`;

/** How many leases are finished in one request, at most. */
const FINISHED_AT_ONCE = 500;
/** How many messages are published in one request. */
const PUBLISHED_AT_ONCE = 5000;
const QUERY = "topic=load&channel=c";

interface Load {
  readonly connections: number;
  readonly batch: number;
  readonly messages: number;
  readonly waiters: number;
  readonly sizeBytes: number;
}

interface Result {
  readonly perSecond: number;
  /** Of the server's processor time. */
  readonly cpuUs: number;
}

type Case = (nsqd: NsqdProcess, load: Load) => Promise<void>;

async function main(): Promise<void> {
  const names = ["connections", "batch", "messages", "waiters", "size", "rounds"];
  const flags = new Flags({ usage: USAGE, names });
  const load: Load = {
    connections: flags.count("connections") ?? 16,
    batch: flags.count("batch") ?? 10,
    messages: flags.count("messages") ?? 400_000,
    waiters: flags.count("waiters") ?? 2000,
    sizeBytes: flags.count("size") ?? 200,
  };
  const cases: readonly (readonly [name: string, run: Case])[] = [
    [`receive and finish, ${load.batch} at a time, JSON`, (nsqd) => receiveAll(nsqd, load, "json")],
    [`receive and finish, ${load.batch} at a time, frames`, (nsqd) => receiveAll(nsqd, load, "frames")],
    ["server-sent events, finished as they come", (nsqd) => streamAll(nsqd, load, "manual")],
    ["server-sent events, ack=auto", (nsqd) => streamAll(nsqd, load, "auto")],
    ["protocol V2 over WebSockets", (nsqd) => socketAll(nsqd, load)],
  ];
  const best = new Map<string, Result>();
  for (let round = flags.count("rounds") ?? 3; round > 0; round--) {
    for (const [name, run] of cases) {
      const result = await measure(run, load);
      const known = best.get(name);
      if (known === undefined || result.perSecond > known.perSecond) best.set(name, result);
    }
  }
  const rows = [...best].map((
    [name, { perSecond, cpuUs }],
  ) => [name, perSecond.toFixed(0), cpuUs.toFixed(1)]);
  console.log(markdownTable(["consumed by", "messages/s", "µs of the server's processor time each"], rows));
  console.log(await waiting(load));
}

async function start(): Promise<NsqdProcess> {
  const args = ["--mem-queue-size=1000000", "--http-max-waiters=100000"];
  return await startNsqd({ args });
}

async function measure(run: Case, load: Load): Promise<Result> {
  await using nsqd = await start();
  await fill(nsqd, load);
  const [cpuStart, startMs] = [cpuSeconds(nsqd.pid), performance.now()];
  await run(nsqd, load);
  const timeS = (performance.now() - startMs) / 1000;
  return {
    perSecond: load.messages / timeS,
    cpuUs: (cpuSeconds(nsqd.pid) - cpuStart) / load.messages * 1e6,
  };
}

async function fill({ httpAddress }: NsqdProcess, { messages, sizeBytes }: Load): Promise<void> {
  const url = `http://${httpAddress}`;
  for (const path of ["topic/create?topic=load", `channel/create?${QUERY}`]) {
    await (await fetch(`${url}/${path}`, { method: "POST" })).body?.cancel();
  }
  const body = `${"x".repeat(sizeBytes)}\n`.repeat(PUBLISHED_AT_ONCE);
  for (let i = 0; i < messages; i += PUBLISHED_AT_ONCE) {
    const response = await fetch(`${url}/mpub?topic=load`, { method: "POST", body });
    if (await response.text() !== "OK") throw new Error("nsqd does not take the messages");
  }
}

/** Connections that receive, and finish with the next receive. */
async function receiveAll(nsqd: NsqdProcess, load: Load, format: "json" | "frames"): Promise<void> {
  let left = load.messages;
  const target = `/receive?${QUERY}&max=${load.batch}&format=${format}`;
  await Promise.all(Array.from({ length: load.connections }, async () => {
    using client = await HttpClient.connect(nsqd);
    // A receive and a finish each, as a worker does that answers what it has before it asks for more.
    while (left > 0) {
      const { head, body } = await client.post(target, "");
      const leases = format === "json" ? leasesInJson(body) : leasesInFrames(head, body);
      if (leases.length === 0) continue;
      left -= leases.length;
      await client.post(`/finish?${QUERY}`, leases.join("\n"));
    }
  }));
}

/** Streams of events, and a connection for each that finishes what has come. */
async function streamAll(nsqd: NsqdProcess, load: Load, ack: "manual" | "auto"): Promise<void> {
  let left = load.messages;
  const all = Promise.withResolvers<void>();
  const clients: HttpClient[] = [];
  await Promise.all(Array.from({ length: load.connections }, async () => {
    const [events, answers] = [await HttpClient.connect(nsqd), await HttpClient.connect(nsqd)];
    clients.push(events, answers);
    const leases: string[] = [];
    let isFinishing = false;
    const note = (count: number) => {
      left -= count;
      if (left <= 0) all.resolve();
    };
    // What has come while the last answer was waited for is finished together.
    const finish = async () => {
      isFinishing = true;
      while (leases.length > 0) {
        const some = leases.splice(0, FINISHED_AT_ONCE);
        await answers.post(`/finish?${QUERY}`, some.join("\n"));
        note(some.length);
      }
      isFinishing = false;
    };
    events.stream(`/subscribe?${QUERY}&max_in_flight=600&ack=${ack}`, (text) => {
      let count = 0;
      for (let at = text.indexOf("id: "); at >= 0; at = text.indexOf("\nid: ", at + 4)) {
        count++;
        const from = text.indexOf(" ", at) + 1;
        if (ack === "manual") leases.push(text.slice(from, text.indexOf("\n", from)));
      }
      if (ack === "auto") note(count);
      else if (!isFinishing) void finish();
    });
  }));
  await all.promise;
  for (const client of clients) client[Symbol.dispose]();
}

/** Consumers of protocol V2. */
async function socketAll(nsqd: NsqdProcess, load: Load): Promise<void> {
  let left = load.messages;
  const all = Promise.withResolvers<void>();
  const sockets = Array.from({ length: load.connections }, () => {
    const socket = new WebSocket(`ws://${nsqd.httpAddress}/v2`, "nsq.v2");
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(encode("  V2SUB load c\nRDY 2000\n"));
    let rest = new Uint8Array(0);
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
      const bytes = new Uint8Array(rest.length + data.byteLength);
      bytes.set(rest);
      bytes.set(new Uint8Array(data), rest.length);
      const view = new DataView(bytes.buffer);
      const answers: number[] = [];
      let at = 0;
      while (bytes.length - at >= 4 && bytes.length - at >= 4 + view.getUint32(at)) {
        if (view.getUint32(at + 4) === 2) {
          answers.push(70, 73, 78, 32, ...bytes.subarray(at + 18, at + 34), 10);
          left--;
        }
        at += 4 + view.getUint32(at);
      }
      rest = bytes.slice(at);
      if (answers.length > 0) socket.send(new Uint8Array(answers));
      if (left <= 0) all.resolve();
    };
    return socket;
  });
  await all.promise;
  for (const socket of sockets) socket.close();
}

/** What so many requests cost that wait, and how long it takes to answer them all. */
async function waiting(load: Load): Promise<string> {
  await using nsqd = await start();
  await fill(nsqd, { ...load, messages: 0 });
  const rssBefore = rssKb(nsqd.pid);
  const clients = await Promise.all(Array.from({ length: load.waiters }, () => HttpClient.connect(nsqd)));
  const rssConnected = rssKb(nsqd.pid);
  const answers = clients.map((client) => client.post(`/receive?${QUERY}&max=1&wait=50s`, ""));
  using asker = await HttpClient.connect(nsqd);
  await pass(2000);
  const [rssWaiting, cpuBefore] = [rssKb(nsqd.pid), cpuSeconds(nsqd.pid)];
  await pass(5000);
  const idleCpu = (cpuSeconds(nsqd.pid) - cpuBefore) / 5;
  const startMs = performance.now();
  await asker.post("/mpub?topic=load", "x\n".repeat(load.waiters));
  await Promise.all(answers);
  const timeMs = performance.now() - startMs;
  for (const client of clients) client[Symbol.dispose]();
  const kb = (from: number, to: number) => ((to - from) / load.waiters).toFixed(1);
  return `${load.waiters} requests that wait: ${kb(rssBefore, rssConnected)} KB a connection and ` +
    `${kb(rssConnected, rssWaiting)} KB a request, ${(idleCpu * 100).toFixed(1)} % of a processor; ` +
    `all are answered ${timeMs.toFixed(0)} ms after ${load.waiters} messages were published`;
}

/** A connection that is kept, and has one request at a time. */
class HttpClient implements Disposable {
  readonly #socket: Socket;
  #text = "";
  #answer: ((answer: { head: string; body: string }) => void) | undefined;
  #onText: ((text: string) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding("latin1").on("data", (text: string) => this.#received(text));
    socket.on("error", () => socket.destroy());
  }

  static connect({ httpAddress }: NsqdProcess): Promise<HttpClient> {
    const [host, port] = httpAddress.split(":");
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), host, () => resolve(new HttpClient(socket)));
      socket.once("error", reject);
    });
  }

  post(target: string, body: string): Promise<{ head: string; body: string }> {
    this.#socket.write(`POST ${target} HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    return new Promise((resolve) => this.#answer = resolve);
  }

  stream(target: string, onText: (text: string) => void): void {
    this.#onText = onText;
    this.#socket.write(`GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #received(text: string): void {
    this.#text += text;
    if (this.#onText !== undefined) {
      // Up to the end of an event; sizes of chunks in between are of no concern.
      const end = this.#text.lastIndexOf("\n\n");
      if (end < 0) return;
      const whole = this.#text.slice(0, end + 1);
      this.#text = this.#text.slice(end + 2);
      return this.#onText(whole);
    }
    const headEnd = this.#text.indexOf("\r\n\r\n");
    if (headEnd < 0) return;
    const head = this.#text.slice(0, headEnd);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#text.length < headEnd + 4 + length) return;
    const body = this.#text.slice(headEnd + 4, headEnd + 4 + length);
    this.#text = this.#text.slice(headEnd + 4 + length);
    this.#answer?.({ head, body });
  }
}

function leasesInJson(body: string): string[] {
  const leases: string[] = [];
  const mark = '"lease":"';
  for (let at = body.indexOf(mark); at >= 0; at = body.indexOf(mark, at)) {
    at += mark.length;
    leases.push(body.slice(at, body.indexOf('"', at)));
  }
  return leases;
}

function leasesInFrames(head: string, body: string): string[] {
  const epoch = /nsq-lease-epoch: (\S+)/i.exec(head)?.[1];
  const leases: string[] = [];
  const u16 = (at: number) => body.charCodeAt(at) << 8 | body.charCodeAt(at + 1);
  for (let at = 0; at < body.length; at += 4 + (u16(at) << 16 | u16(at + 2))) {
    leases.push(`${body.slice(at + 18, at + 34)}.${u16(at + 16)}.${epoch}`);
  }
  return leases;
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function cpuSeconds(pid: number): number {
  return readProcessUsage(pid)?.cpuSeconds ?? NaN;
}

function rssKb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1]);
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// After the class that all of it uses.
if (import.meta.main) await main();
