/**
 * What TLS costs on the TCP port, and what a plain connection pays for TLS being possible: connections that publish
 * one message at a time, plain to a server without a certificate, plain to one with it, and over TLS.
 *
 * @module
 */

import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { pub, withBody } from "../tests/support/frames.ts";
import { certificates } from "../tests/support/certificates.ts";
import { startNsqd } from "../tests/support/nsqd_process.ts";
import { Flags } from "../tests/support/flags.ts";
import { readProcessUsage } from "./process_usage.ts";

const USAGE = `usage: deno run -A bench/tls.ts [--connections 16] [--duration 4s]   needs openssl`;
const WARMUP_MS = 1000;
/** Ephemeral: what it cannot keep in memory is dropped, so only the connections cost. */
const PUBLISH = pub("load#ephemeral", "x".repeat(200));

interface Load {
  readonly tcpAddress: string;
  readonly pid: number;
  readonly connections: number;
  readonly durationMs: number;
  readonly tls: boolean;
}

if (import.meta.main) {
  const flags = new Flags({ usage: USAGE, names: ["connections", "duration"] });
  const connections = flags.count("connections") ?? 16;
  const durationMs = flags.durationMs("duration") ?? 4000;
  const { server } = await certificates();
  const certificate = [
    `--tls-cert=${server.certPath}`,
    `--tls-key=${server.keyPath}`,
    "--https-address=127.0.0.1:0",
  ];
  const runs = [
    { what: "plain, without a certificate", args: [], tls: false },
    { what: "plain, with a certificate", args: certificate, tls: false },
    { what: "TLS", args: certificate, tls: true },
  ];
  for (const { what, args, tls } of runs) {
    await using nsqd = await startNsqd({ args });
    const { tcpAddress, pid } = nsqd;
    console.log(`${what}: ${await measure({ tcpAddress, pid, connections, durationMs, tls })}`);
  }
}

async function measure(load: Load): Promise<string> {
  let count = 0;
  const sockets = Array.from({ length: load.connections }, () => publishAgainAndAgain(load, () => count++));
  await new Promise((resolve) => setTimeout(resolve, WARMUP_MS));
  const cpuStart = cpuSeconds(load.pid);
  const countStart = count;
  await new Promise((resolve) => setTimeout(resolve, load.durationMs));
  const requests = count - countStart;
  const cpu = (cpuSeconds(load.pid) - cpuStart) / requests * 1e6;
  for (const socket of sockets) socket.destroy();
  const rate = Math.round(requests / load.durationMs * 1000).toLocaleString("en").replaceAll(",", " ");
  return `${rate} requests/s, ${cpu.toFixed(1)} µs of the server's processor time each`;
}

/** Begins a connection that sends the next message with each answer. */
function publishAgainAndAgain({ tcpAddress, tls }: Load, onAnswer: () => void): Socket {
  const [host, port] = tcpAddress.split(":");
  const socket = connect(Number(port), host);
  const publish = (stream: Socket) => {
    stream.on("data", () => {
      onAnswer();
      stream.write(PUBLISH);
    });
    stream.write(PUBLISH);
  };
  socket.setNoDelay(true);
  socket.write("  V2");
  socket.write(withBody("IDENTIFY", JSON.stringify({ feature_negotiation: true, tls_v1: tls })));
  socket.once("data", () => {
    if (!tls) return publish(socket);
    const upgraded = connectTls({ socket, rejectUnauthorized: false });
    upgraded.once("data", () => publish(upgraded));
  });
  return socket;
}

function cpuSeconds(pid: number): number {
  return readProcessUsage(pid)?.cpuSeconds ?? NaN;
}
