/**
 * The token that nsqds with `--http-auth-token-file` are shown. It is in a file, for command lines can be read by others.
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import { OptionError } from "../config/option.ts";

/** A token as nsqd takes it: what can stand in a header, and cannot be guessed. */
const TOKEN = /^[!-~]{16,1024}$/;

/** The token in the file at the path, alone in a line, beside comments; an empty path is none. @throws {OptionError} */
export function readTokenFile(path: string): string | undefined {
  if (path === "") return undefined;
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (cause) {
    throw new OptionError(`Cannot read token file "${path}": ${errorText(cause)}`, { cause });
  }
  const lines = text.split("\n").map((line) => line.trim()).filter((line) =>
    line !== "" && !line.startsWith("#")
  );
  if (lines.length === 1 && TOKEN.test(lines[0])) return lines[0];
  throw new OptionError(
    `Token file "${path}" must have one line with a token of 16 to 1024 characters, and nothing else but comments`,
  );
}
