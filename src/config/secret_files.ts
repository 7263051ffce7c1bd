/**
 * Files with secrets in them, which nobody but the program's user, and who shares a group with it on purpose, should read.
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import type { Logger } from "../base/logger.ts";
import { OptionError } from "./option.ts";

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

/** The text of such a file; `what` it is called in the error. @throws {OptionError} If it cannot be read, or is no text. */
export function readSecretText(what: string, read: () => Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(read());
  } catch (cause) {
    const reason = cause instanceof TypeError ? "it is not a text file" : errorText(cause);
    throw new OptionError(`Cannot read ${what}: ${reason}`, { cause });
  }
}

/** What the lines of such a file say, with their numbers; what follows a `#` is a comment. */
export function* saidLines(
  lines: readonly string[],
): Generator<{ readonly line: number; readonly content: string }> {
  for (const [i, raw] of lines.entries()) {
    const content = raw.replace(/(^|\s)#.*$/, "").trim();
    if (content !== "") yield { line: i + 1, content };
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
