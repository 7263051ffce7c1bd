/**
 * Files that a process which was killed, or lost its power, has left in the folder for unfinished ones. What was finished
 * is in them, so they are mended and moved to the others. A file that somebody writes to is locked, and left alone.
 *
 * @module
 */

import { join } from "node:path";
import { wholeLength } from "./compression.ts";
import type { FileNames } from "./file_name.ts";
import { type FileSettings, moveToOutput } from "./file_stream.ts";
import { OutputFile } from "./output_file.ts";

/** Moves what was left of a topic's files. */
export async function adoptLeftovers(
  names: FileNames,
  settings: FileSettings,
  { skipEmpty }: { readonly skipEmpty: boolean },
): Promise<void> {
  const { workDir, log, scope, completed } = settings;
  for await (const relative of filesBelow(workDir, { folder: "", depth: names.depth })) {
    const found = names.find(relative);
    if (found === undefined) continue;
    const path = join(workDir, relative);
    const file = await OutputFile.open(path, { kind: "existing", locked: true, base: workDir });
    if (file === undefined) continue;
    try {
      log.info(`${scope} ${path} was left by a process that has ended`);
      const size = await mended(file, settings);
      await file.sync();
      if (size === 0 && skipEmpty) await Deno.remove(path);
      else completed(await moveToOutput(path, settings, found));
    } finally {
      file.abandon();
    }
  }
}

/** Cuts or ends what was being written; the result is the size in bytes. */
async function mended(file: OutputFile, { compression, isLines, log, scope }: FileSettings): Promise<number> {
  const { initialSize } = file;
  if (compression === "none") {
    if (isLines) await file.endLine();
    return initialSize;
  }
  const whole = await wholeLength(compression, (offset, size) => file.readAt(offset, size));
  if (whole < initialSize) {
    log.warn(
      `${scope} ${file.path} ends within what was never finished: cut from ${initialSize} to ${whole} bytes`,
    );
    await file.truncate(whole);
  }
  return whole;
}

/** Paths of all files in a folder, and in those in it, so deep. */
async function* filesBelow(
  base: string,
  { folder, depth }: { readonly folder: string; readonly depth: number },
): AsyncIterableIterator<string> {
  let entries: Deno.DirEntry[];
  try {
    entries = await Array.fromAsync(Deno.readDir(join(base, folder)));
  } catch (error) {
    // Nobody has made it yet.
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  for (const { name, isFile, isDirectory } of entries) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (isFile) yield path;
    else if (isDirectory && depth > 0) yield* filesBelow(base, { folder: path, depth: depth - 1 });
  }
}
