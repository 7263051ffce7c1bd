/**
 * Reads a configuration file. Which keys there are, and what they may hold, is none of its business.
 *
 * @module
 */
import { errorText } from "../base/error_text.ts";
import { parse } from "@std/toml";
import { OptionError } from "./option.ts";

/**
 * The top-level keys of a TOML file with their values.
 *
 * @throws {OptionError} If the file cannot be read or is no TOML.
 */
export function readConfigFile(path: string): Readonly<Record<string, unknown>> {
  try {
    return parse(Deno.readTextFileSync(path));
  } catch (cause) {
    throw new OptionError(`Cannot load configuration file "${path}": ${errorText(cause)}`, { cause });
  }
}
