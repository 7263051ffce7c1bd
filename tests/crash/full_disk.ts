/**
 * Disks that can really be filled up: a small file system in memory where mounting is allowed (to root, or to anybody
 * in a namespace of their own), or else a limit on the size of every file that the server writes.
 *
 * @module
 */

import { MissingError, runProgram } from "../support/interop.ts";

/** Whatever else is on the disk; removing it makes room again. */
const FILLER = "filler";
const FILLER_BYTES = 1024 * 1024;
/** Steps in which the last of the space is taken. */
const FILLER_STEPS = [64 * 1024, 4096, 512, 1];

/** A disk with little room. */
export interface SmallDisk extends AsyncDisposable {
  /** A folder on it, empty at first. */
  readonly dataPath: string;
  /** What the operating system says when it is full. */
  readonly fullText: string;
  /** The command line by which a program runs where the disk is. */
  command(words: readonly string[]): string[];
  /** Takes the room that is left, also from the running process. */
  fill(pid: number): Promise<void>;
  /** Gives back what `fill` has taken, and what else was there. */
  makeRoom(pid: number): Promise<void>;
  /** True while the topic has messages in files. */
  hasSegments(topic: string): boolean;
}

/** A small file system in memory. */
export class MountedDisk implements SmallDisk {
  readonly dataPath: string;
  readonly fullText = "No space left on device (os error 28)";
  /** Process in whose namespace it is mounted; without one it is everybody's. */
  readonly #holder: Deno.ChildProcess | undefined;

  private constructor(dataPath: string, holder: Deno.ChildProcess | undefined) {
    this.dataPath = dataPath;
    this.#holder = holder;
  }

  /**
   * Mounts one.
   *
   * @throws {MissingError} Where that is not allowed.
   */
  static async make(options: { readonly size: string }): Promise<MountedDisk> {
    const folder = await Deno.makeTempDir({ prefix: "denosq_disk_" });
    const mount = ["mount", "-t", "tmpfs", "-o", `size=${options.size}`, "tmpfs", folder];
    try {
      const mounted = await succeeds(mount);
      const holder = mounted ? undefined : await MountedDisk.#hold(mount);
      if (mounted || holder) {
        const disk = new MountedDisk(folder, holder);
        await Deno.writeFile(`${disk.#folder}/${FILLER}`, new Uint8Array(FILLER_BYTES));
        return disk;
      }
    } catch (error) {
      await Deno.remove(folder);
      throw error;
    }
    await Deno.remove(folder);
    throw new MissingError("the right to mount a file system");
  }

  command(words: readonly string[]): string[] {
    if (!this.#holder) return [...words];
    const target = String(this.#holder.pid);
    return ["nsenter", "--user", "--mount", "--preserve-credentials", "--target", target, "--", ...words];
  }

  fill(): Promise<void> {
    using file = Deno.openSync(`${this.#folder}/${FILLER}`, { create: true, append: true });
    for (const size of FILLER_STEPS) {
      while (writes(file, new Uint8Array(size))) { /* goes on until it is full */ }
    }
    return Promise.resolve();
  }

  async makeRoom(): Promise<void> {
    await Deno.remove(`${this.#folder}/${FILLER}`);
  }

  hasSegments(topic: string): boolean {
    return hasSegments(this.#folder, topic);
  }

  /** Lets it be read only, or written to again. No file on it may be open for writing. */
  async setReadOnly(readOnly: boolean): Promise<void> {
    const mount = ["mount", "-o", `remount,${readOnly ? "ro" : "rw"}`, this.dataPath];
    const [program, ...args] = this.command(mount);
    await runProgram(program, { args });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#holder) {
      this.#holder.kill("SIGKILL");
      await this.#holder.status;
    } else {
      await runProgram("umount", { args: [this.dataPath] });
    }
    await Deno.remove(this.dataPath);
  }

  /** The folder, as this process sees it. */
  get #folder(): string {
    return this.#holder ? `/proc/${this.#holder.pid}/root${this.dataPath}` : this.dataPath;
  }

  static async #hold(mount: readonly string[]): Promise<Deno.ChildProcess | undefined> {
    const script = `${mount.join(" ")} && echo mounted && exec sleep 600`;
    let holder: Deno.ChildProcess;
    try {
      holder = new Deno.Command("unshare", {
        args: ["--map-root-user", "--mount", "sh", "-c", script],
        stdin: "null",
        stdout: "piped",
        stderr: "null",
      }).spawn();
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
    const reader = holder.stdout.getReader();
    const { done } = await reader.read();
    await reader.cancel();
    if (!done) return holder;
    await holder.status;
    return undefined;
  }
}

/** The usual disk, but files grow no more when it is "full". */
export class LimitedFiles implements SmallDisk {
  readonly dataPath: string;
  readonly fullText = "File too large (os error 27)";
  #full = false;

  private constructor(dataPath: string) {
    this.dataPath = dataPath;
  }

  /**
   * Makes a folder.
   *
   * @throws {MissingError} Where the limits of a process cannot be set from outside.
   */
  static async make(): Promise<LimitedFiles> {
    if (!await succeeds(["prlimit", "--version"])) throw new MissingError("prlimit");
    return new LimitedFiles(await Deno.makeTempDir({ prefix: "denosq_disk_" }));
  }

  command(words: readonly string[]): string[] {
    // Who is not prepared for the signal is ended by it.
    const script = `trap '' XFSZ; ${this.#full ? "ulimit -S -f 0; " : ""}exec "$@"`;
    return ["sh", "-c", script, "sh", ...words];
  }

  async fill(pid: number): Promise<void> {
    this.#full = true;
    await runProgram("prlimit", { args: ["--pid", String(pid), "--fsize=0:"] });
  }

  async makeRoom(pid: number): Promise<void> {
    this.#full = false;
    await runProgram("prlimit", { args: ["--pid", String(pid), "--fsize=unlimited:"] });
  }

  hasSegments(topic: string): boolean {
    return hasSegments(this.dataPath, topic);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.dataPath, { recursive: true });
  }
}

function hasSegments(dataPath: string, topic: string): boolean {
  return [...Deno.readDirSync(`${dataPath}/${topic}.topic`)].some(({ name }) => name.endsWith(".seg"));
}

function writes(file: Deno.FsFile, bytes: Uint8Array): boolean {
  try {
    return file.writeSync(bytes) === bytes.length;
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("No space left on device")) return false;
    throw error;
  }
}

async function succeeds([program, ...args]: readonly string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(program, { args, stdout: "null", stderr: "null" }).output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
