/**
 * What nsqadmin takes to show a large cluster: the first page, its size, what all the numbers cost, and for how long the
 * event loop stands still meanwhile. NSQ's own is measured beside it where its programs are, by what its pages ask for.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { Flags } from "../tests/support/flags.ts";
import { markdownTable } from "./markdown_table.ts";
import { readProcessUsage } from "./process_usage.ts";

const USAGE = `usage: deno run -A bench/console.ts [flags]

  --nodes N      nsqd nodes (100), each with
  --topics N     topics (1000), each with
  --channels N   channels (3)
  --seconds N    for how long polls are watched (30)

The environment variable NSQ_BIN names the folder of NSQ's programs.`;

const PORT = 24_171;
const START_TIMEOUT_MS = 20_000;
const ATTEMPTS = 9;
const POLLS = 5;
const MIB = 2 ** 20;
const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const URL_BASE = `http://127.0.0.1:${PORT}`;

if (import.meta.main) {
  const flags = new Flags({ usage: USAGE, names: ["nodes", "topics", "channels", "seconds"] });
  const sizes = [flags.count("nodes") ?? 100, flags.count("topics") ?? 1000, flags.count("channels") ?? 3];
  const seconds = flags.count("seconds") ?? 30;
  const script = fileURLToPath(new URL("console_cluster.ts", import.meta.url));
  const cluster = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", script, ...sizes.map(String)],
    stdout: "piped",
  }).spawn();
  try {
    const lookupd = await firstLine(cluster.stdout);
    const rows: string[][] = [];
    await withServer([Deno.execPath(), "run", "-A", MAIN, "nsqadmin"], lookupd, async (pid) => {
      rows.push(...await measurePolls(pid, seconds));
      for (const path of ["/", "/?sort=-depth", "/nodes", "/topics/topic-0001", "/counter"]) {
        rows.push(["denosq", `GET ${path}`, await measureRequest(path)]);
      }
      rows.push(["denosq", "memory at most", mib(readProcessUsage(pid)?.peakRssBytes)]);
      rows.push(["denosq", "GET /api/counter", await measureRequest("/api/counter", 1)]);
    });
    const bin = Deno.env.get("NSQ_BIN");
    if (bin !== undefined) {
      await withServer([`${bin}/nsqadmin`], lookupd, async (pid) => {
        for (const path of ["/api/topics", "/api/nodes", "/api/topics/topic-0001", "/api/counter"]) {
          rows.push([
            "NSQ",
            `GET ${path}`,
            await measureRequest(path, path === "/api/counter" ? 1 : ATTEMPTS),
          ]);
        }
        rows.push(["NSQ", "memory at most", mib(readProcessUsage(pid)?.peakRssBytes)]);
      });
    }
    console.log(markdownTable(["program", "what", "result"], rows, { textColumns: 2 }));
  } finally {
    cluster.kill("SIGKILL");
    await cluster.status;
  }
}

/** Processor time of polls, and how late a question comes that is asked all the time. */
async function measurePolls(pid: number, seconds: number): Promise<string[][]> {
  const startMs = performance.now();
  await request("/");
  const firstMs = performance.now() - startMs;
  const cpuMs = await cpuOfPolls(pid);
  const latenciesMs: number[] = [];
  const endMs = performance.now() + seconds * 1000;
  while (performance.now() < endMs) {
    const askedMs = performance.now();
    await request("/ping");
    latenciesMs.push(performance.now() - askedMs);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  latenciesMs.sort((a, b) => a - b);
  const at = (part: number) => latenciesMs[Math.floor((latenciesMs.length - 1) * part)].toFixed(1);
  return [
    ["denosq", "first page, before anything is known", `${firstMs.toFixed(0)} ms`],
    ["denosq", `processor time of a poll, of ${POLLS}`, `${cpuMs.toFixed(0)} ms`],
    ["denosq", "a ping meanwhile: median, 99 %, longest", `${at(0.5)}, ${at(0.99)}, ${at(1)} ms`],
  ];
}

/** Of one of several polls, while nothing else is asked. */
async function cpuOfPolls(pid: number): Promise<number> {
  const response = await fetch(`${URL_BASE}/events`);
  let polls = 0;
  let before = NaN;
  for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    if (!text.includes("event: round")) continue;
    const { cpuSeconds } = readProcessUsage(pid) ?? { cpuSeconds: NaN };
    if (polls === 0) before = cpuSeconds;
    if (polls++ === POLLS) return (cpuSeconds - before) * 1000 / POLLS;
  }
  return NaN;
}

/** The median of several, and what a browser would have to hold. */
async function measureRequest(path: string, attempts = ATTEMPTS): Promise<string> {
  const timesMs: number[] = [];
  let text = "";
  for (let i = 0; i < attempts; i++) {
    const startMs = performance.now();
    text = await request(path);
    timesMs.push(performance.now() - startMs);
  }
  timesMs.sort((a, b) => a - b);
  const tags = text.startsWith("<") ? `, ${text.match(/<[a-z]/g)?.length ?? 0} tags` : "";
  return `${timesMs[Math.floor(attempts / 2)].toFixed(1)} ms, ${(text.length / 1024).toFixed(0)} KiB${tags}`;
}

async function request(path: string): Promise<string> {
  const response = await fetch(URL_BASE + path);
  return await response.text();
}

async function withServer(
  [program, ...args]: readonly string[],
  lookupd: string,
  use: (pid: number) => Promise<void>,
): Promise<void> {
  const flags = [`--http-address=127.0.0.1:${PORT}`, `--lookupd-http-address=${lookupd}`];
  const server = new Deno.Command(program, { args: [...args, ...flags], stdout: "null", stderr: "null" })
    .spawn();
  try {
    await answering();
    await use(server.pid);
  } finally {
    server.kill("SIGKILL");
    await server.status;
  }
}

async function answering(): Promise<void> {
  const endMs = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      await request("/ping");
      return;
    } catch (error) {
      if (performance.now() > endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes("\n")) break;
  }
  return text.split("\n")[0];
}

function mib(bytes: number | undefined): string {
  return bytes === undefined ? "?" : `${(bytes / MIB).toFixed(0)} MiB`;
}
