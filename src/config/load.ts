/**
 * From a command line to an options object: flags win over the configuration file, the file over defaults.
 * Says what to print when the program is not to run, and never prints or exits itself.
 *
 * @module
 */
import { versionLine } from "../base/version.ts";
import { parseCommandLine } from "./command_line.ts";
import { readConfigFile } from "./config_file.ts";
import { helpText } from "./help.ts";
import { bool } from "./kind.ts";
import { defaultOf, keyOf, type Option, OptionError, type OptionsOf, type OptionTable } from "./option.ts";

/** The program is not to run: print `text`, to standard error if `code` is not 0, and exit. */
export interface Exit {
  readonly kind: "exit";
  readonly code: 0 | 1;
  readonly text: string;
}

/** The program is to run with these options. */
export interface Loaded<Options> {
  readonly kind: "run";
  readonly options: Options;
  /** Lines for the log: what was given and has no effect. */
  readonly warnings: readonly string[];
  /** Arguments behind the last flag. */
  readonly rest: readonly string[];
}

/**
 * The options of a program's command line and configuration file. Rules between options are the program's to
 * check.
 *
 * @throws {OptionError} If a flag is unknown, a value is bad, or the file cannot be loaded.
 */
export function loadOptions<Table extends OptionTable>(
  program: string,
  table: Table,
  args: readonly string[],
): Loaded<OptionsOf<Table>> | Exit {
  const { wantsHelp, values, rest } = parseCommandLine(table, args);
  if (wantsHelp) return { kind: "exit", code: 0, text: helpText(program, table) };

  // Every flag is checked, also where --version makes it irrelevant, as in NSQ.
  const fromFlags = mapTable(table, (spec) => flagValue(spec, values));
  if (fromFlags.get("version") === true) return { kind: "exit", code: 0, text: versionLine(program) };

  const warnings = rest.length === 0 ? [] : [`Arguments are ignored from ${JSON.stringify(rest[0])} on`];
  const path = fromFlags.get("config");
  const file = typeof path === "string" && path !== "" ? { path, values: readConfigFile(path) } : undefined;
  if (file !== undefined) warnings.push(...fileWarnings(table, file));

  const options = mapTable(table, (spec, name) => {
    return fromFlags.get(name) ?? (file && fileValue(spec, file)) ?? defaultOf(spec);
  });
  return { kind: "run", options: Object.fromEntries(options) as OptionsOf<Table>, warnings, rest };
}

/** Runs `load`, and turns an option that cannot be used into the one line that the program exits with. */
export function exitOnOptionError<T>(program: string, load: () => T): T | Exit {
  try {
    return load();
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    return { kind: "exit", code: 1, text: `${program}: ${error.message.replaceAll(/\s*[\r\n]+\s*/g, " ")}` };
  }
}

interface ConfigFile {
  readonly path: string;
  readonly values: Readonly<Record<string, unknown>>;
}

function mapTable(
  table: OptionTable,
  valueOf: (spec: Option<unknown>, name: string) => unknown,
): Map<string, unknown> {
  return new Map(Object.entries(table).map(([name, spec]) => [name, valueOf(spec, name)]));
}

function flagValue({ flag, kind }: Option<unknown>, values: ReadonlyMap<string, readonly string[]>): unknown {
  const texts = values.get(flag);
  if (texts === undefined) return undefined;
  return check(`Bad value ${texts.map(quote).join(", ")} of flag --${flag}`, () => kind.fromFlag(texts));
}

function fileValue(spec: Option<unknown>, file: ConfigFile): unknown {
  const key = keyOf(spec);
  if (key === undefined || !Object.hasOwn(file.values, key)) return undefined;
  const value = file.values[key];
  return check(
    `Bad value ${quote(value)} of key "${key}" in "${file.path}"`,
    () => spec.kind.fromFile(value),
  );
}

function fileWarnings(table: OptionTable, file: ConfigFile): string[] {
  const kinds = new Map(Object.values(table).map((spec) => [keyOf(spec), spec.kind]));
  const warnings: string[] = [];
  for (const [key, value] of Object.entries(file.values)) {
    // NSQ compat: an unknown key does not keep the program from starting. NSQ does not even say so.
    if (!kinds.has(key)) warnings.push(`Unknown key "${key}" in "${file.path}" is ignored`);
    else if (kinds.get(key) === bool && typeof value === "number") {
      warnings.push(`Key "${key}" in "${file.path}" is true for 0 and false for other numbers, as in NSQ`);
    }
  }
  return warnings;
}

function check<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof SyntaxError) throw new OptionError(`${what}: ${cause.message}`, { cause });
    throw cause;
  }
}

function quote(value: unknown): string {
  return JSON.stringify(value);
}
