/**
 * Files with secrets in them, which nobody but the program's user, and who shares a group with it on purpose, should read.
 *
 * @module
 */

import type { Logger } from "../base/logger.ts";

/** What everybody else may do with a file: read it, and write it. */
const OTHERS = 0o006;

/** Warns of each of the files that every user of the machine can read or write; an empty path is none. */
export function warnOfOpenSecrets(paths: readonly string[], logger: Logger): void {
  for (const path of paths) {
    // Whoever reads the file says why it cannot be read.
    const mode = path === "" ? undefined : modeOf(path);
    if (mode === undefined || (mode & OTHERS) === 0) continue;
    logger.warn(`${JSON.stringify(path)} is open to every user of this machine: chmod o= ${path}`);
  }
}

/** Undefined where files have none, and for a file that is not there. */
function modeOf(path: string): number | undefined {
  try {
    return Deno.statSync(path).mode ?? undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
