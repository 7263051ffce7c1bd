/**
 * What one message at a time costs, which is how most producers publish: this project's nsqd, NSQ's, other queues, and the
 * runtime alone, by one client program for all (`peers/client`, in Go), in turns (A B C … A B C …), each run with a fresh
 * server. Prints a Markdown table of medians. It judges nothing.
 *
 * What is not installed is left out, and said.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { certificates } from "../tests/support/certificates.ts";
import { Flags } from "../tests/support/flags.ts";
import { MissingError, runProgram, TempFolder } from "../tests/support/interop.ts";
import { type Measured, Results } from "./peers/results.ts";
import { beanstalkd, echo, nats, nsqd, redis, type StartPeer } from "./peers/servers.ts";

const LOADS = ["pub", "synced", "http", "tls", "delivery"] as const;

const USAGE = `usage: deno run -A bench/peers.ts [flags]   needs go, and openssl for tls

--nsq-bin DIR         folder of NSQ's programs; without it NSQ is left out
--load NAME[,NAME]    only these: ${LOADS.join(", ")}
--only NAME[,NAME]    only these servers, as the table calls them
--server 'NAME=COMMAND'  another nsqd beside, such as an earlier one of this project; may be repeated
--rounds N            of all servers (5)
--duration 3s         of each measurement, after 1 s that is not measured`;

/** Messages stay in memory, as with the others. */
const IN_MEMORY = "--mem-queue-size=20000000";
/** NSQ keeps everything on disk, and syncs each message. */
const NSQ_SYNCED = ["--mem-queue-size=0", "--sync-every=1"];
const WARMUP_MS = 1000;

interface Server {
  readonly name: string;
  readonly protocol: string;
  readonly start: StartPeer;
  /** Further flags of the client. */
  readonly flags?: readonly string[];
}

interface Load {
  readonly name: typeof LOADS[number];
  readonly title: string;
  readonly connections: number;
  readonly servers: readonly Server[];
}

/** Another nsqd, and how it is started. */
interface OtherNsqd {
  readonly name: string;
  readonly command: readonly string[];
}

if (import.meta.main) {
  const names = ["nsq-bin", "load", "only", "server", "rounds", "duration"];
  const flags = new Flags({ usage: USAGE, names });
  const nsqBin = flags.text("nsq-bin");
  const others: OtherNsqd[] = flags.texts("server").map((text) => {
    const equals = text.indexOf("=");
    if (equals < 1) flags.refuse(`--server must be NAME=COMMAND, not "${text}"`);
    return { name: text.slice(0, equals), command: text.slice(equals + 1).trim().split(/\s+/) };
  });
  const wantedLoads = flags.text("load")?.split(",") ?? LOADS;
  const wantedServers = flags.text("only")?.split(",");
  const isWanted = ({ name }: Server) => wantedServers?.includes(name) ?? true;
  const durationMs = flags.durationMs("duration") ?? 3000;
  await using folder = await TempFolder.make();
  const client = await buildClient(folder.path);
  const loads = (await allLoads(nsqBin, others, wantedLoads.includes("tls")))
    .filter(({ name }) => wantedLoads.includes(name))
    .map((load) => ({ ...load, servers: load.servers.filter(isWanted) }));
  const results = new Results();
  for (let round = flags.count("rounds") ?? 5; round > 0; round--) {
    for (const load of loads) {
      for (const server of load.servers) {
        console.error(`${round} to go: ${load.title}, ${server.name}`);
        // One failed run must not cost the results of the others.
        try {
          results.add(load.title, server.name, await measure(client, load, server, durationMs));
        } catch (error) {
          console.error(`  ${error instanceof Error ? error.message : error}`);
          results.fail(load.title, server.name, error instanceof MissingError ? "not installed" : "failed");
        }
      }
    }
  }
  console.log(results.table(loads.flatMap(({ title, servers }) => servers.map(({ name }) => [title, name]))));
}

async function allLoads(
  nsqBin: string | undefined,
  others: readonly OtherNsqd[],
  tls: boolean,
): Promise<Load[]> {
  /** Every nsqd there is, with the flags of each. */
  const nsqds = (
    protocol: string,
    ours: readonly string[],
    theirs: readonly string[],
    http = false,
  ): Server[] => [
    { name: "denosq", protocol, start: nsqd({ args: ours, http }) },
    ...others.map(({ name, command }) => ({ name, protocol, start: nsqd({ command, args: ours, http }) })),
    ...nsqBin
      ? [{ name: "NSQ", protocol, start: nsqd({ command: [`${nsqBin}/nsqd`], args: theirs, http }) }]
      : [],
  ];
  const pub: Server[] = [
    ...nsqds("nsq", [IN_MEMORY], [IN_MEMORY]),
    { name: "an empty echo on Deno", protocol: "echo", start: echo() },
    { name: "Redis stream", protocol: "redis", start: redis("--appendonly", "no") },
    { name: "beanstalkd", protocol: "beanstalk", start: beanstalkd() },
    { name: "NATS JetStream", protocol: "nats", start: nats() },
  ];
  const synced: Server[] = [
    ...nsqds("nsq", ["--durability=fsync"], NSQ_SYNCED),
    {
      name: "Redis stream",
      protocol: "redis",
      start: redis("--appendonly", "yes", "--appendfsync", "always"),
    },
    { name: "beanstalkd", protocol: "beanstalk", start: beanstalkd({ isSynced: true }) },
    {
      name: "NATS JetStream",
      protocol: "nats",
      start: nats({ isSynced: true }),
      flags: ["-nats-storage=file"],
    },
  ];
  const http: Server[] = [
    ...nsqds("http", [IN_MEMORY], [IN_MEMORY], true),
    { name: "`Deno.serve`, reads the body", protocol: "http", start: echo("--http") },
  ];
  const delivery = nsqds("delivery", [IN_MEMORY], [IN_MEMORY]);
  return [
    ...[2, 16, 64].map((connections): Load => ({
      name: "pub",
      title: `PUB, waits for OK, ${connections} connections`,
      connections,
      servers: pub,
    })),
    ...[2, 64].map((connections): Load => ({
      name: "synced",
      title: `the same, synced before OK, ${connections} connections`,
      connections,
      servers: synced,
    })),
    { name: "http", title: "HTTP `POST /pub`, 16 connections", connections: 16, servers: http },
    ...tls ? [await overTls(nsqds)] : [],
    { name: "delivery", title: "publish to delivery, unbuffered, 5000/s", connections: 1, servers: delivery },
  ];
}

async function overTls(
  nsqds: (protocol: string, ours: readonly string[], theirs: readonly string[]) => Server[],
): Promise<Load> {
  const { server } = await certificates();
  const args = [IN_MEMORY, `--tls-cert=${server.certPath}`, `--tls-key=${server.keyPath}`];
  const servers = nsqds("nsq", args, args).map((server) => ({ ...server, flags: ["-tls"] }));
  return { name: "tls", title: "PUB over TLS, 16 connections", connections: 16, servers };
}

async function buildClient(folder: string): Promise<string> {
  const program = `${folder}/client`;
  await runProgram("go", {
    args: ["build", "-buildvcs=false", "-o", program, "."],
    cwd: fileURLToPath(new URL("./peers/client/", import.meta.url)),
    env: { GOTOOLCHAIN: "local", CGO_ENABLED: "0" },
    timeoutMs: 120_000,
  });
  return program;
}

async function measure(client: string, load: Load, server: Server, durationMs: number): Promise<Measured> {
  await using peer = await server.start();
  const args = [
    `-protocol=${server.protocol}`,
    `-address=${peer.address}`,
    `-pid=${peer.pid}`,
    `-connections=${load.connections}`,
    `-warmup=${WARMUP_MS}ms`,
    `-duration=${durationMs}ms`,
    ...server.flags ?? [],
  ];
  const { stdout } = await runProgram(client, { args, timeoutMs: WARMUP_MS + durationMs + 30_000 });
  return JSON.parse(stdout);
}
