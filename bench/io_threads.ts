/**
 * What `--io-threads` takes off the thread that the broker is on: connections that publish one message at a time, or that are
 * delivered one at a time and finish it, plain and with layers, with and without threads in turns. The broker's thread is the
 * process's first one, and Linux says what each thread has used.
 *
 * @module
 */

import { Flags } from "../tests/support/flags.ts";
import { certificates } from "../tests/support/certificates.ts";
import { bytesOf, mpub, pub } from "../tests/support/frames.ts";
import { LayeredClient, type Layers } from "../tests/support/layered_client.ts";
import { startNsqd } from "../tests/support/nsqd_process.ts";
import { type Connection, writeAll } from "../src/net/connection.ts";
import { markdownTable } from "./markdown_table.ts";

const USAGE = `usage: deno run -A bench/io_threads.ts [flags]   needs openssl, Linux
  --connections N     64
  --threads N         of the runs with threads (2)
  --rounds N          runs of each kind, in turns; the medians are shown (3)
  --duration 3s       of a run
  --only pub|deliver  one of the two
  --layer plain|tls|deflate|snappy|tls+deflate   one of them`;

const BODY = "x".repeat(200);
/** Ephemeral: what it cannot keep in memory is dropped, so only the connections cost. */
const PUBLISH = pub("load#ephemeral", BODY);
const OK_FRAME_LENGTH = 10;
const WARMUP_MS = 1000;
/** From the start of a frame: where a message's id is. */
const ID_AT = 18;
const ID_LENGTH = 16;
/** Messages that are there for consumers to take, in commands of so many. */
const BACKLOG_BATCH = 500;
const BACKLOG = 1_000_000;
const NS_PER_US = 1000;

interface Measured {
  readonly perSecond: number;
  /** Of the broker's thread, and of all, for each message. */
  readonly brokerUs: number;
  readonly processUs: number;
}

interface Case {
  readonly what: "pub" | "deliver";
  readonly layer: string;
}

if (import.meta.main) {
  const names = ["connections", "threads", "rounds", "duration", "only", "layer"];
  const flags = new Flags({ usage: USAGE, names });
  const connections = flags.count("connections") ?? 64;
  const threads = flags.count("threads") ?? 2;
  const rounds = flags.count("rounds") ?? 3;
  const durationMs = flags.durationMs("duration") ?? 3000;
  const whats = [flags.choice("only", ["pub", "deliver"]) ?? ["pub", "deliver"]].flat() as Case["what"][];
  const layers = flags.text("layer")?.split(",") ?? ["plain", "tls", "deflate", "snappy", "tls+deflate"];
  const rows: string[][] = [];
  for (const what of whats) {
    for (const layer of layers) {
      const runs = new Map<number, Measured[]>([[0, []], [threads, []]]);
      for (let round = 0; round < rounds; round++) {
        for (const [count, measured] of runs) {
          measured.push(await measure({ what, layer }, { threads: count, connections, durationMs }));
        }
      }
      for (const [count, measured] of runs) rows.push(rowOf({ what, layer }, count, measured));
      console.log(rows.slice(-2).map((row) => row.join("  ")).join("\n"));
    }
  }
  const head = ["messages", "layer", "--io-threads", "messages/s", "broker thread, µs", "process, µs"];
  console.log(markdownTable(head, rows, { textColumns: 2 }));
}

function rowOf({ what, layer }: Case, threads: number, runs: readonly Measured[]): string[] {
  const median = (of: (run: Measured) => number) => {
    return runs.map(of).sort((a, b) => a - b)[Math.floor(runs.length / 2)];
  };
  return [
    what === "pub" ? "PUB, one at a time" : "delivered and finished, RDY 1",
    layer,
    String(threads),
    String(Math.round(median(({ perSecond }) => perSecond))),
    median(({ brokerUs }) => brokerUs).toFixed(2),
    median(({ processUs }) => processUs).toFixed(1),
  ];
}

async function measure(
  { what, layer }: Case,
  { threads, connections, durationMs }: { threads: number; connections: number; durationMs: number },
): Promise<Measured> {
  const { server, ca } = await certificates();
  const args = [`--io-threads=${threads}`, "--mem-queue-size=20000000", "--https-address=127.0.0.1:0"];
  args.push(`--tls-cert=${server.certPath}`, `--tls-key=${server.keyPath}`);
  const layers: Layers = {
    ...layer.includes("tls") && { tls: { ca: ca.cert } },
    deflate: layer.includes("deflate"),
    snappy: layer.includes("snappy"),
  };
  await using nsqd = await startNsqd({ args });
  if (what === "deliver") await fill(nsqd.tcpAddress);
  const counts = { done: 0 };
  let ending = false;
  const clients = await Promise.all(Array.from({ length: connections }, async () => {
    const client = await LayeredClient.connect(nsqd.tcpAddress);
    await client.upgrade(layers);
    if (what === "deliver") await client.ask("SUB load c\n");
    return client;
  }));
  const running = clients.map(async ({ connection }) => {
    try {
      await (what === "pub" ? publish(connection, counts) : consume(connection, counts));
    } catch (error) {
      if (!ending) throw error;
    }
  });
  await pause(WARMUP_MS);
  const [before, start] = [{ ...usageOf(nsqd.pid), done: counts.done }, performance.now()];
  await pause(durationMs);
  const [after, seconds] = [{ ...usageOf(nsqd.pid), done: counts.done }, (performance.now() - start) / 1000];
  ending = true;
  for (const client of clients) client[Symbol.dispose]();
  await Promise.all(running);
  // A graceful stop would save what nobody wants.
  await nsqd.kill();
  const done = after.done - before.done;
  return {
    perSecond: done / seconds,
    brokerUs: (after.brokerNs - before.brokerNs) / NS_PER_US / done,
    processUs: (after.processNs - before.processNs) / NS_PER_US / done,
  };
}

/** Publishes the next message with each answer. */
async function publish(connection: Connection, counts: { done: number }): Promise<void> {
  const buffer = new Uint8Array(4096);
  for (;;) {
    await writeAll(connection, PUBLISH);
    for (let length = 0; length < OK_FRAME_LENGTH;) {
      const count = await connection.read(buffer);
      if (count === null) return;
      length += count;
    }
    counts.done++;
  }
}

/** Finishes each message, which brings the next. */
async function consume(connection: Connection, counts: { done: number }): Promise<void> {
  const buffer = new Uint8Array(4096);
  const view = new DataView(buffer.buffer);
  const fin = bytesOf(`FIN ${"0".repeat(ID_LENGTH)}\n`);
  await writeAll(connection, bytesOf("RDY 1\n"));
  for (;;) {
    let length = 0;
    while (length < 4 || length < 4 + view.getUint32(0)) {
      const count = await connection.read(buffer.subarray(length));
      if (count === null) return;
      length += count;
    }
    counts.done++;
    fin.set(buffer.subarray(ID_AT, ID_AT + ID_LENGTH), 4);
    await writeAll(connection, fin);
  }
}

async function fill(tcpAddress: string): Promise<void> {
  using client = await LayeredClient.connect(tcpAddress);
  const command = mpub("load", Array<string>(BACKLOG_BATCH).fill(BODY));
  for (let sent = 0; sent < BACKLOG; sent += BACKLOG_BATCH) await client.ask(command);
}

/** Processor time of the process's first thread, and of all, in ns. */
function usageOf(pid: number): { brokerNs: number; processNs: number } {
  const folder = `/proc/${pid}/task`;
  const used = (tid: string) => Number(Deno.readTextFileSync(`${folder}/${tid}/schedstat`).split(" ")[0]);
  const processNs = [...Deno.readDirSync(folder)].reduce((sum, { name }) => sum + used(name), 0);
  return { brokerNs: used(String(pid)), processNs };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
