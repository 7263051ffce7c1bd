/**
 * Reads a configuration file. Which keys there are, and what they may hold, is none of its business.
 *
 * @module
 */
import { errorText } from "../base/error_text.ts";
import { parse } from "@std/toml";
import { OptionError } from "./option.ts";
import { repeatedKey } from "./toml_keys.ts";

/**
 * The top-level keys of a TOML file with their values. A byte order mark, as editors on Windows write it, is passed over.
 *
 * @throws {OptionError} If the file cannot be read, is no TOML, or has a key twice.
 */
export function readConfigFile(path: string): Readonly<Record<string, unknown>> {
  try {
    const text = Deno.readTextFileSync(path).replace(/^\uFEFF/, "");
    const values = parse(text);
    const repeated = repeatedKey(text);
    if (repeated === undefined) return values;
    const { key, lines: [first, second] } = repeated;
    throw new SyntaxError(`key "${key}" in line ${second} is that of line ${first} again`);
  } catch (cause) {
    throw new OptionError(`Cannot load configuration file "${path}": ${errorText(cause)}`, { cause });
  }
}
