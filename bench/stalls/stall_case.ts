/**
 * What a case of bench/stalls.ts is: a situation that a server is brought into, and what was found there.
 *
 * @module
 */

import type { LatencySummary } from "../histogram.ts";
import { describeMs } from "../load_report.ts";
import type { Phase } from "../phase.ts";
import type { Server, Stage, StageFlags } from "./stage.ts";

/** One line of the result. */
export interface Finding {
  readonly measure: string;
  readonly value: string;
  /** What is to be reached; empty when nobody has said. */
  readonly goal: string;
}

/** What a case is played with. */
export interface Play {
  readonly server: Server;
  /** Numbers of messages, topics and channels, and long times, are multiplied by this. */
  readonly scale: number;
  /** Sizes of the large MPUBs, in MiB. */
  readonly mpubMib: readonly number[];
  /** Starts the server; it is to be disposed of. */
  open(flags?: StageFlags): Promise<Stage>;
}

/** A case. */
export interface StallCase {
  readonly name: string;
  /** For a heading. */
  readonly title: string;
  /** What it takes of the disk at full scale, in bytes. */
  readonly diskBytes: number;
  /** It is played with this project's code only, as it lies here. */
  readonly sourceOnly?: boolean;
  play(play: Play): Promise<Finding[]>;
}

/** A number that belongs to a case, scaled, and at least 1. */
export function scaled(play: Play, count: number): number {
  return Math.max(1, Math.round(count * play.scale));
}

/** A time that belongs to a case, scaled, but not shorter than that. */
export function scaledMs(play: Play, ms: number, leastMs: number): number {
  return Math.max(leastMs, ms * Math.min(1, play.scale));
}

/** The longest PUB of another connection in these phases, with what says how it was with others. */
export function describeLongestPub(...phases: readonly Phase[]): string {
  const most = (pick: (phase: Phase) => LatencySummary | undefined, key: "p99Ms" | "maxMs") =>
    describeMs(Math.max(...phases.map((phase) => pick(phase)?.[key] ?? 0)));
  const pub = (phase: Phase) => phase.probes[0]?.answers;
  const ping = (phase: Phase) => phase.probes[1]?.answers;
  const late = (phase: Phase) => phase.probes[0]?.lateness;
  return `${most(pub, "maxMs")} (p99 ${most(pub, "p99Ms")}, ping ${most(ping, "maxMs")}, prober late ${
    most(late, "maxMs")
  })`;
}

/** The greatest RSS of these phases. */
export function peakRssBytes(...phases: readonly Phase[]): number {
  return Math.max(...phases.map((phase) => phase.peakRssBytes));
}
