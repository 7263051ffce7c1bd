/**
 * The worst days of a queue, played against a server: what others wait for, and what memory, processor time and reads it
 * takes, while a large MPUB comes, a backlog is full of messages that have failed, a million reminders are due at once, the
 * stuck channel is deleted. Everything is measured from outside, and others by threads of their own. It judges nothing:
 * the last table has what was found beside what is to be reached.
 *
 * @module
 */

import { statfsSync } from "node:fs";
import { errorText } from "../src/base/error_text.ts";
import { nsqdCommand } from "../tests/support/nsqd_process.ts";
import { Flags } from "../tests/support/flags.ts";
import { markdownTable } from "./markdown_table.ts";
import { BACKLOG_CASES } from "./stalls/backlog.ts";
import { CLOCK_CASE } from "./stalls/clock.ts";
import { DEFERRED_CASES } from "./stalls/deferred.ts";
import { CHANNEL_CASES } from "./stalls/many_channels.ts";
import { TOPIC_CASES } from "./stalls/many_topics.ts";
import { MPUB_CASE } from "./stalls/mpub.ts";
import { PHASE_HEAD, phaseRow, type Server, Stage } from "./stalls/stage.ts";
import type { Finding, Play, StallCase } from "./stalls/stall_case.ts";

const CASES: readonly StallCase[] = [
  MPUB_CASE,
  ...BACKLOG_CASES,
  ...DEFERRED_CASES,
  ...CHANNEL_CASES,
  ...TOPIC_CASES,
  CLOCK_CASE,
];

const USAGE = `usage: deno run -A bench/stalls.ts [flags]

--server 'COMMAND'      the nsqd to start, ports, data path and what a case needs are added (default: this project's)
--nsq-bin DIR           folder of NSQ's programs: also play what makes sense against its nsqd
--only CASE[,CASE]      ${CASES.map(({ name }) => name).join(", ")}
--scale FACTOR          of messages, topics, channels and long times, such as 0.1 (1)
--mpub MIB[,MIB]        sizes of the large MPUBs (5,20)
--interval 5ms          between two PUBs of the prober; it asks for /ping every fourth time`;

/** Of the room that a case takes, so much must be there: nothing else is to meet a full disk. */
const ROOM_FACTOR = 1.5;
const GB = 1e9;

/** The stages of the case that is being played. */
const openStages = new Set<Stage>();

interface Plan {
  readonly scale: number;
  readonly mpubMib: readonly number[];
  readonly intervalMs: number;
}

if (import.meta.main) {
  const flags = new Flags({
    usage: USAGE,
    names: ["server", "nsq-bin", "only", "scale", "mpub", "interval"],
  });
  const plan: Plan = {
    scale: flags.factor("scale") ?? 1,
    mpubMib: readSizes(flags),
    intervalMs: flags.durationMs("interval") ?? 5,
  };
  const cases = readCases(flags);
  const servers = await readServers(flags);
  Deno.addSignalListener("SIGINT", giveUp);
  const rows: string[][] = [];
  for (const stall of cases) {
    const found: Finding[][] = [];
    for (const server of servers) found.push(await playCase(stall, server, plan));
    rows.push(...rowsOf(found));
  }
  const columns = servers.length === 1 ? ["measured"] : servers.map(({ name }) => name);
  console.log(markdownTable(["case", ...columns, "goal"], rows, { textColumns: 2 + columns.length }));
  Deno.removeSignalListener("SIGINT", giveUp);
}

/** Leaves nothing behind: neither a server nor gigabytes on the disk. */
async function giveUp(): Promise<never> {
  // Those that have ended are gone, and may be again.
  await Promise.all([...openStages].map((stage) => stage[Symbol.asyncDispose]()));
  Deno.exit(130);
}

function readSizes(flags: Flags): number[] {
  const sizes = (flags.text("mpub") ?? "5,20").split(",").map(Number);
  if (sizes.every((mib) => Number.isInteger(mib) && mib > 0)) return sizes;
  return flags.refuse(`--mpub must be sizes in MiB, not "${flags.text("mpub")}"`);
}

function readCases(flags: Flags): readonly StallCase[] {
  const only = flags.text("only")?.split(",");
  if (!only) return CASES;
  return only.map((name) =>
    CASES.find((stall) => stall.name === name) ?? flags.refuse(`there is no case "${name}"`)
  );
}

async function readServers(flags: Flags): Promise<Server[]> {
  const nsqBin = flags.text("nsq-bin");
  const given = flags.text("server")?.trim().split(/\s+/);
  const command = given ?? nsqdCommand();
  // The environment may name another one (nsqdCommand).
  const isSource = given === undefined && !Deno.env.get("DENOSQ_TEST_COMMAND");
  const servers: Server[] = [{ name: "measured", command, isOurs: await isOurs(command), isSource }];
  if (nsqBin) servers.push({ name: "NSQ", command: [`${nsqBin}/nsqd`], isOurs: false, isSource: false });
  return servers;
}

async function isOurs([program, ...args]: readonly string[]): Promise<boolean> {
  const { stdout } = await new Deno.Command(program, { args: [...args, "--version"] }).output();
  return new TextDecoder().decode(stdout).includes("denosq");
}

/** Plays a case; one that fails must not cost the others' results. */
async function playCase(stall: StallCase, server: Server, plan: Plan): Promise<Finding[]> {
  if (stall.sourceOnly && !server.isSource) return [];
  const lacking = lackOfRoom(stall, plan.scale);
  if (lacking) return [{ measure: stall.title, value: `not played: ${lacking}`, goal: "" }];
  console.error(`${stall.title}, ${server.name}`);
  openStages.clear();
  const play: Play = {
    ...plan,
    server,
    async open(flags = {}) {
      const stage = await Stage.open(server, flags, plan.intervalMs);
      openStages.add(stage);
      return stage;
    },
  };
  try {
    return await stall.play(play);
  } catch (error) {
    // What failed first hides behind what its end has failed with.
    const cause = error instanceof SuppressedError ? error.suppressed : error;
    console.error("  failed:", cause);
    return [{ measure: stall.title, value: `failed: ${errorText(cause).split("\n")[0]}`, goal: "" }];
  } finally {
    const rows = [...openStages].flatMap(({ phases }) => phases).map(phaseRow);
    if (rows.length > 0) {
      console.log(`${stall.title}, ${server.name}:\n\n${markdownTable(PHASE_HEAD, rows)}\n`);
    }
  }
}

/** What is missing on the disk, if something is. */
function lackOfRoom({ diskBytes }: StallCase, scale: number): string | undefined {
  const folder = Deno.env.get("TMPDIR") ?? "/tmp";
  const { bavail, bsize } = statfsSync(folder);
  const neededBytes = ROOM_FACTOR * scale * diskBytes;
  if (bavail * bsize >= neededBytes) return undefined;
  const gb = (bytes: number) => `${(bytes / GB).toFixed(1)} GB`;
  return `it needs ${gb(neededBytes)} in ${folder}, where ${gb(bavail * bsize)} are free`;
}

/** The findings of each server, side by side. */
function rowsOf(found: readonly (readonly Finding[])[]): string[][] {
  const measures = [...new Set(found.flat().map(({ measure }) => measure))];
  return measures.map((measure) => {
    const same = found.map((findings) => findings.find((finding) => finding.measure === measure));
    const goal = same.find((finding) => finding?.goal)?.goal ?? "";
    return [measure, ...same.map((finding) => finding?.value ?? "–"), goal];
  });
}
