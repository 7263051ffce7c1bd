/**
 * The disk that the data path is on.
 *
 * @module
 */

/** How much room there is. */
export interface DiskRoom {
  /** That can still be written. */
  readonly freeBytes: number;
  /** Of the file system. */
  readonly sizeBytes: number;
}

/** The room at a path; undefined where there is none (""), or as far as the runtime does not let it be seen. */
export async function diskRoom(path: string): Promise<DiskRoom | undefined> {
  if (path === "") return undefined;
  const files = await import("node:fs/promises");
  // Earlier runtimes have no such function (Deno 2.5).
  if (!("statfs" in files)) return undefined;
  try {
    const { bsize, blocks, bavail } = await files.statfs(path);
    return { freeBytes: bsize * bavail, sizeBytes: bsize * blocks };
  } catch (error) {
    // Under Deno's permissions it takes one of its own; and a disk that is gone shows in the health.
    if (error instanceof Deno.errors.NotCapable || error instanceof Error && "code" in error) {
      return undefined;
    }
    throw error;
  }
}
