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
export const DAMAGE = /is damaged at byte|failed to read segment \d+ - Not a segment file/;

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
  /** Segments were rewritten: until they are read, messages that they lack are counted as well. */
  #mayHaveHoles = false;
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
    const folder = folderOf(topic);
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

  /** What a node finds on what is left. */
  async find(
    remains: Remains,
    options: Pick<NodeOptions, "limits" | "syncEvery"> & { random: Random; nowMs: number },
  ): Promise<Findings> {
    const isExact = this.isExact && !remains.gaps;
    const findings = await findAll(remains.disk, { ...options, isExact });
    for (const line of findings.errors) {
      const isExpected = (this.mayBeDamaged || remains.gaps) && DAMAGE.test(line);
      must(isExpected, () => `logged at the start: ${line}`);
    }
    if (findings.errors.length > 0) this.#count("damage kept aside");
    for (const line of findings.warnings) {
      if (line.includes("interrupted write")) this.#count("torn tail cut off");
      else if (line.includes("missing")) this.#count("segment missing");
      else this.#count(line);
    }
    return findings;
  }

  #count(what: string, times = 1): void {
    if (times > 0) this.#counts.set(what, (this.#counts.get(what) ?? 0) + times);
  }
}
