/**
 * What a publish over HTTP costs nsqd: connections that are kept and publish one message at a time, in plain and over
 * TLS, served by the project's own engine, and in plain by `Deno.serve` as on Deno Deploy, in turns. The figures are docs/performance.md's.
 *
 * @module
 */

import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { certificates } from "../tests/support/certificates.ts";
import { Flags } from "../tests/support/flags.ts";
import { type NsqdProcess, startNsqd, type StartNsqdOptions } from "../tests/support/nsqd_process.ts";
import { readProcessUsage } from "./process_usage.ts";
import { markdownTable } from "./markdown_table.ts";

const USAGE = `usage: deno run -A bench/http.ts [flags]   needs openssl

  --server 'COMMAND'   another nsqd to measure beside, in plain
  --connections N      that publish (16)
  --size BYTES         of a body (200)
  --rounds N           of all servers; the best of each counts (3)
  --duration 3s        of each measurement, after 1 s that is not measured`;

const WARMUP_MS = 1000;
/** All clients send it, so that all requests are the same. */
const TOKEN = "token-of-benchmarks";

interface Load {
  readonly connections: number;
  readonly sizeBytes: number;
  readonly durationMs: number;
}

interface Server extends StartNsqdOptions {
  readonly name: string;
  readonly isTls: boolean;
}

interface Result {
  readonly perSecond: number;
  readonly cpuUs: number;
}

if (import.meta.main) {
  const flags = new Flags({ usage: USAGE, names: ["server", "connections", "size", "rounds", "duration"] });
  const load = {
    connections: flags.count("connections") ?? 16,
    sizeBytes: flags.count("size") ?? 200,
    durationMs: flags.durationMs("duration") ?? 3000,
  };
  const { server } = await certificates();
  const tls = [`--tls-cert=${server.certPath}`, `--tls-key=${server.keyPath}`, "--https-address=127.0.0.1:0"];
  // Where this is set, HTTP is the platform's business, and closed to who has no token.
  const platform = { DENO_DEPLOY: "1", DENOSQ_HTTP_TOKENS: `${TOKEN} publish` };
  const command = flags.text("server")?.trim().split(/\s+/);
  const servers: Server[] = [
    { name: "HTTP", isTls: false },
    { name: "HTTP, `Deno.serve`", isTls: false, env: platform },
    { name: "HTTPS", isTls: true, args: tls },
    ...command ? [{ name: command[0], isTls: false, command }] : [],
  ];
  const best = new Map<string, Result>();
  for (let round = flags.count("rounds") ?? 3; round > 0; round--) {
    for (const each of servers) {
      const result = await measure(each, load);
      const known = best.get(each.name);
      if (known === undefined || result.cpuUs < known.cpuUs) best.set(each.name, result);
    }
  }
  const rows = [...best].map((
    [name, { perSecond, cpuUs }],
  ) => [name, perSecond.toFixed(0), cpuUs.toFixed(1)]);
  console.log(markdownTable(["served by", "publishes/s", "µs of the server's processor time each"], rows));
}

async function measure({ name: _name, isTls, ...options }: Server, load: Load): Promise<Result> {
  await using nsqd = await startNsqd(options);
  const port = portOf(nsqd, isTls);
  let count = 0;
  const clients = Array.from({ length: load.connections }, () => {
    return publishAgainAndAgain(port, isTls, load.sizeBytes, () => count++);
  });
  await pass(WARMUP_MS);
  const [cpuStart, countStart, start] = [cpuSeconds(nsqd.pid), count, performance.now()];
  await pass(load.durationMs);
  const [cpu, published, timeS] = [
    cpuSeconds(nsqd.pid) - cpuStart,
    count - countStart,
    (performance.now() - start) / 1000,
  ];
  for (const client of clients) client.destroy();
  return { perSecond: published / timeS, cpuUs: cpu / published * 1e6 };
}

function portOf({ httpAddress, log }: NsqdProcess, isTls: boolean): number {
  const address = isTls ? /HTTPS: listening on (\S+)\n/.exec(log)?.[1] ?? "" : httpAddress;
  return Number(address.slice(address.lastIndexOf(":") + 1));
}

/** A connection that sends the next message with each answer. */
function publishAgainAndAgain(port: number, isTls: boolean, sizeBytes: number, onAnswer: () => void) {
  // Ephemeral: what it cannot keep in memory is dropped, so only the requests cost.
  const request = "POST /pub?topic=load%23ephemeral HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n" +
    `Authorization: Bearer ${TOKEN}\r\nContent-Length: ${sizeBytes}\r\n\r\n${"x".repeat(sizeBytes)}`;
  const socket = isTls
    ? connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => socket.write(request))
    : connect(port, "127.0.0.1", () => socket.write(request));
  socket.setNoDelay(true);
  let answer = "";
  socket.setEncoding("latin1").on("data", (text) => {
    answer += text;
    if (!answer.startsWith("HTTP/1.1 200 ".slice(0, answer.length))) {
      throw new Error(`The server refuses: ${answer}`);
    }
    if (!answer.endsWith("\r\n\r\nOK")) return;
    answer = "";
    onAnswer();
    socket.write(request);
  });
  return socket;
}

function cpuSeconds(pid: number): number {
  return readProcessUsage(pid)?.cpuSeconds ?? NaN;
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
