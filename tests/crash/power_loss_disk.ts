/**
 * The disk of a campaign's run, with what is known of its condition: what a node may say of it when it starts, and how
 * exactly it can count.
 *
 * @module
 */
import type { Random } from "../support/random.ts";
import type { SimulatedDisk } from "../support/simulated_disk.ts";
import { type CallCounts, SimulatedFileSystem } from "../support/simulated_file_system.ts";
import { folderOf, newDisk, type NodeOptions } from "./power_loss_node.ts";
import { findAll, type Findings, must } from "./power_loss_recovery.ts";

/** How a node ends. */
export type Ending = "kill" | "power loss";

/** What may be logged of a disk that has suffered. */
export const DAMAGE = /is damaged at byte|has lost its end|failed to read segment \d+ - Not a segment file/;
/** What may be logged after a loss of power, of what was not synced yet. */
const CUT =
  /is damaged at byte 0, \d+ bytes are kept aside - (its end is missing|nothing is left of it)|has lost its end/;

/** What a loss of power, or nothing, has left. */
export interface Remains {
  readonly disk: SimulatedDisk;
  /** Of some bytes later ones are there already. */
  readonly gaps: boolean;
}

/** A disk, and its condition. */
export class RunDisk {
  /** There are bytes that were written in part, or survived in part, with others behind them. */
  mayBeDamaged = false;
  /**
   * Segments were rewritten without what was finished: after a crash, a state of before has that still, and it is counted
   * until the segments are read.
   */
  #mayHaveHoles = false;
  /** How the last node ended that used it: in order, or not; undefined is not known. */
  wasStopped: boolean | undefined = false;
  #disk: SimulatedDisk;
  readonly #counts: CallCounts;

  constructor(options: { byFolder: boolean; counts: CallCounts }) {
    this.#disk = newDisk(options);
    this.#counts = options.counts;
  }

  /** What the next node sees of it. */
  open(random: Random): SimulatedFileSystem {
    return new SimulatedFileSystem(this.#disk, { random, counts: this.#counts });
  }

  /** A node can count exactly what is there without reading all of it. */
  get isExact(): boolean {
    return !this.mayBeDamaged && !this.#mayHaveHoles;
  }

  /** The topic's segments and state. */
  filesOf(topic: string): string[] {
    // Of one that was deleted before may be left what could not be removed: the next start tries again.
    const folder = `${folderOf(topic)}/`;
    return this.#disk.paths().filter((path) => path.startsWith(folder) && /\.seg$|\/state$/.test(path));
  }

  /** What is left after such an ending. */
  remains(ending: Ending, random: Random): Remains {
    if (ending === "kill") return { disk: this.#disk, gaps: false };
    const gaps = random.oneIn(2);
    return { disk: this.#disk.survivor(random, { gaps }), gaps };
  }

  /** This is left of it. */
  become({ disk, gaps }: Remains): void {
    this.#disk = disk;
    this.mayBeDamaged ||= gaps;
  }

  /** What a node has done to it. */
  note(files: SimulatedFileSystem): void {
    this.mayBeDamaged ||= files.tore;
    const rewritten = [...files.newNames].filter((name) => name.endsWith(".seg")).length;
    this.#mayHaveHoles ||= rewritten > 0;
    this.#count("segment rewritten", rewritten);
    files.newNames.clear();
  }

  /** What a node finds on what is left after such an ending. */
  async find(
    remains: Remains,
    options: Pick<NodeOptions, "limits" | "syncEvery"> & { ending: Ending; random: Random; nowMs: number },
  ): Promise<Findings> {
    const isSound = !this.mayBeDamaged && !remains.gaps;
    const isExact = isSound && (this.wasStopped === true || !this.#mayHaveHoles);
    const findings = await findAll(remains.disk, { ...options, isExact });
    this.#checkErrors(findings, { isSound, ending: options.ending });
    this.#checkStop(findings, { isSound });
    for (const line of findings.warnings) {
      if (line.includes("interrupted write")) this.#count("torn tail cut off");
      else if (line.includes("missing")) this.#count("segment missing");
      else this.#count(line);
    }
    return findings;
  }

  /** Nothing is told that was not done to the disk. */
  #checkErrors(
    { errors, lostCount }: Findings,
    { isSound, ending }: { isSound: boolean; ending: Ending },
  ): void {
    for (const line of errors) {
      const isCut = ending === "power loss" && CUT.test(line);
      must(isCut || !isSound && DAMAGE.test(line), () => `logged at the start: ${line}`);
      this.#count(isCut ? "segment cut off" : "damage kept aside");
    }
    must(
      errors.length > 0 || lostCount === 0 || !isSound,
      () => `${lostCount} messages are lost, and no line`,
    );
  }

  /** That the last node ended in order is known, and then nothing is missing. */
  #checkStop({ wasStopped, errors, warnings, lostCount }: Findings, { isSound }: { isSound: boolean }): void {
    must(
      this.wasStopped === undefined || wasStopped === this.wasStopped,
      () => `it says of the last node ${wasStopped ? "" : "not "}that it ended in order`,
    );
    if (!wasStopped || !isSound) return;
    this.#count("found as it was left");
    const told = [...errors, ...warnings];
    must(
      told.length === 0 && lostCount === 0,
      () => `after an end in order: ${told}, ${lostCount} messages lost`,
    );
  }

  #count(what: string, times = 1): void {
    if (times > 0) this.#counts.set(what, (this.#counts.get(what) ?? 0) + times);
  }
}
