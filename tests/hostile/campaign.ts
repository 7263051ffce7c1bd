/**
 * Plays hostile scenarios, each against a daemon of its own, beside somebody who works with it. What must hold: the daemon
 * goes on and serves whoever works, nothing that it has acknowledged is lost, no connection is left, and it stops in order.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { MountedDisk } from "../crash/full_disk.ts";
import { certificates } from "../support/certificates.ts";
import { ChildDaemon, programCommand } from "../support/child_daemon.ts";
import { eventually } from "../support/eventually.ts";
import { TempFolder } from "../support/interop.ts";
import { Random } from "../support/random.ts";
import { EXHAUSTION_SCENARIOS } from "./exhaustion.ts";
import { HTTP_SCENARIOS } from "./http.ts";
import { LOOKUP_SCENARIOS } from "./lookup.ts";
import { PROTOCOL_SCENARIOS } from "./protocol.ts";
import type { HostileScenario } from "./scenario.ts";
import { BusyWitness, type Testimony } from "./witness.ts";

/** All scenarios; each file of them adds its own. */
export const SCENARIOS: readonly HostileScenario[] = [
  ...PROTOCOL_SCENARIOS,
  ...HTTP_SCENARIOS,
  ...LOOKUP_SCENARIOS,
  ...EXHAUSTION_SCENARIOS,
];

/** What playing a scenario has shown. */
export interface Played extends Testimony {
  /** The most memory that the daemon has taken, in MiB; 0 where the system does not tell. */
  readonly memoryMib: number;
}

/** The daemon's heap may not be larger than this, whatever it is sent. */
const HEAP_MIB = 512;
/** Descriptors of those who work with it, and of what the daemon opens when it is asked for the first time. */
const DESCRIPTORS_SPARE = 20;
/** Between two heartbeats of who works with it, in ms: the most that a client may ask for, and more than an attack takes. */
const HEARTBEAT_MS = 60_000;

/**
 * Plays a scenario so many times against one daemon.
 *
 * @throws {MissingError} For what it needs and this machine does not have.
 */
export async function play(
  scenario: HostileScenario,
  { rounds, seed }: { rounds: number; seed: number },
): Promise<Played> {
  const { program, diskSize, filesMax } = scenario;
  await using folder = await TempFolder.make();
  await using disk = diskSize === undefined ? undefined : await MountedDisk.make({ size: diskSize });
  const [deno, ...args] = programCommand(program);
  const command = [
    deno,
    ...args.toSpliced(1, 0, `--v8-flags=--max-old-space-size=${HEAP_MIB}`),
    "--tcp-address=127.0.0.1:0",
    "--http-address=127.0.0.1:0",
    ...program === "nsqd" ? [`--data-path=${disk?.dataPath ?? folder.path}`] : [],
    ...scenario.onHttps ? await httpsArgs() : [],
    ...scenario.args ?? [],
  ];
  const limited = filesMax === undefined ? command : withFewFiles(command, filesMax);
  await using daemon = new ChildDaemon(disk?.command(limited) ?? limited);
  return await attack(daemon, scenario, { rounds, random: new Random(seed) });
}

/** The command line by which a program may open so many files and connections only. */
export function withFewFiles(words: readonly string[], filesMax: number): string[] {
  return ["sh", "-c", `ulimit -n ${filesMax} && exec "$@"`, "sh", ...words];
}

async function attack(
  daemon: ChildDaemon,
  scenario: HostileScenario,
  { rounds, random }: { readonly rounds: number; readonly random: Random },
): Promise<Played> {
  const { program, mayRefuse = false, heartbeatMs = HEARTBEAT_MS } = scenario;
  const target = {
    pid: daemon.pid,
    tcpAddress: await daemon.logged(/TCP: listening on (\S+)\n/),
    httpAddress: await daemon.logged(/HTTP: listening on (\S+)\n/),
    httpsAddress: scenario.onHttps ? await daemon.logged(/HTTPS: listening on (\S+)\n/) : "",
  };
  let testimony: Testimony;
  {
    await using witness = await BusyWitness.begin({ program, target, mayRefuse, heartbeatMs });
    const before = descriptorsOf(daemon);
    const rounded = async () => {
      for (let round = 0; round < rounds; round++) await scenario.attack(target, random, witness);
    };
    testimony = await witness.watch(rounded());
    await eventually("no connection is left", () => descriptorsOf(daemon) <= before + DESCRIPTORS_SPARE);
  }
  const memoryMib = memoryMibOf(daemon);
  daemon.kill("SIGTERM");
  assertEquals(await daemon.ended(), 0);
  const forged = daemon.log.split("\n").filter((line) =>
    line !== "" && !/^\[nsq(d|lookupd)\] \d{4}\/\d\d\/\d\d /.test(line)
  );
  assertEquals(forged, []);
  assert(!daemon.log.includes("FATAL"), daemon.log.slice(-2000));
  return { ...testimony, memoryMib };
}

async function httpsArgs(): Promise<string[]> {
  const { server } = await certificates();
  return ["--https-address=127.0.0.1:0", `--tls-cert=${server.certPath}`, `--tls-key=${server.keyPath}`];
}

/** Open files and connections; 0 where the system does not tell. */
function descriptorsOf({ pid }: ChildDaemon): number {
  return ifTold(() => [...Deno.readDirSync(`/proc/${pid}/fd`)].length);
}

function memoryMibOf({ pid }: ChildDaemon): number {
  return ifTold(() => {
    const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`)) ?? [];
    return Number(kib ?? 0) / 1024;
  });
}

function ifTold(read: () => number): number {
  try {
    return read();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}
