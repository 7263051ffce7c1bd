/**
 * What nsqlookupd costs: an nsqd that registers all of its topics, as after a restart, and the answers over HTTP when
 * many nsqd nodes are known. Every server is measured in the same run, one after the other, and logs to nowhere.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { compareTable, type Measurement } from "./compare_table.ts";
import { Flags } from "../tests/support/flags.ts";
import { SimulatedNode } from "./lookup_node.ts";
import { type ProcessUsage, readProcessUsage } from "./process_usage.ts";
import { freePort } from "../tests/support/ports.ts";

const USAGE = `usage: deno run -A bench/lookup.ts [flags]

  --server 'NAME=COMMAND'   an nsqlookupd to measure, may be repeated (default: this project's; and Go's, if the
                            environment variable NSQ_BIN names the folder that it is in)
  --topics N                topics of the nsqd that registers alone, each with --channels N (10000, 3)
  --nodes N                 nsqd nodes that are known for the answers over HTTP (200), each with
  --node-topics N           topics, the same for all (1000), each with --channels N
  --requests N              of each kind over HTTP; the median counts (5)`;

const HOST = "127.0.0.1";
const START_TIMEOUT_MS = 15_000;
/** Commands that are sent before their answers are read. */
const WINDOW = 500;
const MIB = 2 ** 20;

interface Server {
  readonly name: string;
  readonly command: readonly string[];
}

/** A running nsqlookupd. */
interface Running {
  readonly tcpPort: number;
  readonly httpPort: number;
  readonly pid: number;
}

interface Sizes {
  readonly topics: number;
  readonly channels: number;
  readonly nodes: number;
  readonly nodeTopics: number;
  readonly requests: number;
}

if (import.meta.main) {
  const flags = new Flags({
    usage: USAGE,
    names: ["server", "topics", "channels", "nodes", "node-topics", "requests"],
  });
  const sizes = {
    topics: flags.count("topics") ?? 10_000,
    channels: flags.count("channels") ?? 3,
    nodes: flags.count("nodes") ?? 200,
    nodeTopics: flags.count("node-topics") ?? 1000,
    requests: flags.count("requests") ?? 5,
  };
  const given = flags.texts("server").map(parseServer);
  const servers = given.length > 0 ? given : defaultServers();
  const measurements: Measurement[] = [];
  for (const server of servers) {
    for (const measure of [registerAll, answerForMany]) {
      await withServer(server, async (running) => {
        const results = await measure(running, sizes);
        measurements.push(...results.map((result) => ({ server: server.name, ...result })));
      });
    }
  }
  console.log(compareTable(servers.map(({ name }) => name), measurements));
}

type Result = Omit<Measurement, "server">;

/** One nsqd registers everything: each command with its answer before the next, as Go's nsqd does, or many at once. */
async function registerAll(running: Running, sizes: Sizes): Promise<Result[]> {
  const { topics, channels } = sizes;
  const lines = registrations(topics, channels);
  const what = `${lines.length} registrations`;
  const results: Result[] = [];
  for (const [name, window] of [["one by one", 1], [`${WINDOW} at a time`, WINDOW]] as const) {
    const { cpuSeconds } = usageOf(running);
    const startMs = performance.now();
    {
      using node = await SimulatedNode.connect(HOST, running.tcpPort, 0);
      await node.register(lines, window);
    }
    const elapsedMs = performance.now() - startMs;
    const cpuMicroseconds = (usageOf(running).cpuSeconds - cpuSeconds) * 1e6;
    results.push(
      { measure: `${what}, ${name}`, unit: "ms", value: elapsedMs },
      { measure: `processor, ${name}`, unit: "µs each", value: cpuMicroseconds / lines.length },
    );
    await until(async () => (await getJson(running, "/nodes")).producers?.length === 0);
  }
  return results;
}

/** Many nsqd nodes have the same topics; what do the answers cost? */
async function answerForMany(running: Running, sizes: Sizes): Promise<Result[]> {
  const { nodes, nodeTopics, channels, requests } = sizes;
  const empty = usageOf(running);
  const lines = registrations(nodeTopics, channels);
  const connected: SimulatedNode[] = [];
  try {
    for (let index = 0; index < nodes; index++) {
      const node = await SimulatedNode.connect(HOST, running.tcpPort, index);
      connected.push(node);
      await node.register(lines, WINDOW);
    }
    const results: Result[] = [];
    for (const path of ["/nodes", "/topics", "/lookup?topic=topic_0"]) {
      const timesMs: number[] = [];
      for (let i = 0; i < requests; i++) {
        const startMs = performance.now();
        const response = await fetch(`http://${HOST}:${running.httpPort}${path}`);
        await response.arrayBuffer();
        timesMs.push(performance.now() - startMs);
      }
      timesMs.sort((a, b) => a - b);
      results.push({ measure: `GET ${path}`, unit: "ms", value: timesMs[timesMs.length >> 1] });
    }
    const many = `${nodes} nodes × ${nodeTopics} topics × ${channels} channels`;
    const { rssBytes } = usageOf(running);
    results.push({ measure: `memory for ${many}`, unit: "MiB", value: (rssBytes - empty.rssBytes) / MIB });
    return results;
  } finally {
    for (const node of connected) node[Symbol.dispose]();
  }
}

function registrations(topics: number, channels: number): string[] {
  return Array.from({ length: topics * channels }, (_, index) => {
    return `REGISTER topic_${Math.floor(index / channels)} channel_${index % channels}\n`;
  });
}

async function withServer(server: Server, use: (running: Running) => Promise<void>): Promise<void> {
  const [tcpPort, httpPort] = [freePort(), freePort()];
  const [program, ...first] = server.command;
  const child = new Deno.Command(program, {
    args: [...first, `--tcp-address=${HOST}:${tcpPort}`, `--http-address=${HOST}:${httpPort}`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const running = { tcpPort, httpPort, pid: child.pid };
  try {
    await until(async () => (await getJson(running, "/info")).version !== undefined);
    await use(running);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}

interface Answer {
  readonly version?: string;
  readonly producers?: readonly unknown[];
}

async function getJson({ httpPort }: Running, path: string): Promise<Answer> {
  try {
    const response = await fetch(`http://${HOST}:${httpPort}${path}`);
    return await response.json() as Answer;
  } catch (error) {
    // It does not listen yet.
    if (error instanceof TypeError) return {};
    throw error;
  }
}

async function until(check: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + START_TIMEOUT_MS;
  while (!await check()) {
    if (performance.now() > endMs) throw new Error(`Not within ${START_TIMEOUT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function usageOf({ pid }: Running): ProcessUsage {
  return readProcessUsage(pid) ?? { cpuSeconds: NaN, readBytes: NaN, rssBytes: NaN, peakRssBytes: NaN };
}

function parseServer(text: string): Server {
  const equals = text.indexOf("=");
  return { name: text.slice(0, equals), command: text.slice(equals + 1).trim().split(/\s+/) };
}

function defaultServers(): Server[] {
  const main = fileURLToPath(new URL("../main.ts", import.meta.url));
  const folder = Deno.env.get("NSQ_BIN");
  const ours = { name: "denosq", command: [Deno.execPath(), "run", "-A", main, "nsqlookupd"] };
  return folder ? [{ name: "NSQ", command: [`${folder}/nsqlookupd`] }, ours] : [ours];
}
