/**
 * Plays hostile scenarios, each against a daemon of its own, beside somebody who works with it. What must hold: the daemon
 * goes on and serves whoever works, nothing that it has acknowledged is lost, no connection is left, and it stops in order.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { ChildDaemon, programCommand } from "../support/child_daemon.ts";
import { eventually } from "../support/eventually.ts";
import { Random } from "../support/random.ts";
import { LOOKUP_SCENARIOS } from "./lookup.ts";
import { PROTOCOL_SCENARIOS } from "./protocol.ts";
import type { HostileScenario } from "./scenario.ts";
import { type Testimony, witnessOf } from "./witness.ts";

/** All scenarios; each file of them adds its own. */
export const SCENARIOS: readonly HostileScenario[] = [...PROTOCOL_SCENARIOS, ...LOOKUP_SCENARIOS];

/** The daemon may not take more memory than this for what it is sent. */
const MEMORY_MIB = 512;
/** Descriptors of those who work with it, and of what the daemon opens when it is asked for the first time. */
const DESCRIPTORS_SPARE = 20;
/** Connections that a daemon is about to find out about are gone within this. */
const GONE_TIMEOUT_MS = 15_000;

/** Plays a scenario so many times against one daemon. */
export async function play(
  scenario: HostileScenario,
  { rounds, seed }: { rounds: number; seed: number },
): Promise<Testimony> {
  const folder = await Deno.makeTempDir({ prefix: "denosq_hostile_" });
  try {
    const [deno, ...args] = programCommand(scenario.program);
    const limited = args.with(0, "run").toSpliced(1, 0, `--v8-flags=--max-old-space-size=${MEMORY_MIB}`);
    await using daemon = new ChildDaemon([
      deno,
      ...limited,
      "--tcp-address=127.0.0.1:0",
      "--http-address=127.0.0.1:0",
      ...scenario.program === "nsqd" ? [`--data-path=${folder}`] : [],
      ...scenario.args ?? [],
    ]);
    return await attack(daemon, scenario, { rounds, random: new Random(seed) });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function attack(
  daemon: ChildDaemon,
  scenario: HostileScenario,
  { rounds, random }: { readonly rounds: number; readonly random: Random },
): Promise<Testimony> {
  const target = {
    tcpAddress: await daemon.logged(/TCP: listening on (\S+)/),
    httpAddress: await daemon.logged(/HTTP: listening on (\S+)/),
  };
  let testimony: Testimony;
  {
    using witness = await witnessOf(scenario, target);
    const before = descriptorsOf(daemon);
    const rounded = async () => {
      for (let round = 0; round < rounds; round++) await scenario.attack(target, random);
    };
    testimony = await witness.watch(rounded());
    await eventually("no connection is left", () => descriptorsOf(daemon) <= before + DESCRIPTORS_SPARE, {
      timeoutMs: GONE_TIMEOUT_MS,
    });
  }
  const forged = daemon.log.split("\n").filter((line) =>
    line !== "" && !/^\[nsq(d|lookupd)\] \d{4}\/\d\d\/\d\d /.test(line)
  );
  assertEquals(forged, []);
  assert(!daemon.log.includes("FATAL"), daemon.log.slice(-2000));
  daemon.kill("SIGTERM");
  assertEquals(await daemon.ended(), 0);
  return testimony;
}

/** Open files and connections; 0 where the system does not tell. */
function descriptorsOf({ pid }: ChildDaemon): number {
  try {
    return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}
