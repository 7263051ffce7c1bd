/**
 * Reads a command line by the rules of Go's flag package, which NSQ's programs have: one dash or two,
 * `--flag=value` or `--flag value`, flags for true without a value, and everything ends at the first argument
 * that is no flag.
 *
 * `parseArgs` of the standard library gathers the values and finds unknown flags. It cannot express the rest of
 * Go's syntax, so that is undone first, by hand, into the plain `--flag=value` form:
 * - `-msg-timeout` would be eleven flags of one letter each;
 * - in `--node-id -1` it would not take `-1` for the value;
 * - a boolean flag would take any text for true, so `--snappy=maybe` would pass;
 * - a value missing at the end would be an empty text.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { OptionError, type OptionTable } from "./option.ts";

/** Flags longer than this are none. */
const LENGTH_MAX = 64;

/** What a command line says; `values` holds the texts given for each flag, in their order. */
export interface CommandLine {
  readonly wantsHelp: boolean;
  readonly values: ReadonlyMap<string, readonly string[]>;
  /** Arguments behind the last flag; NSQ's daemons ignore them. */
  readonly rest: readonly string[];
}

/**
 * The flags and values of a command line, not yet checked against the kinds of the options.
 *
 * @throws {OptionError} If a flag is unknown, has no value, or is malformed.
 */
export function parseCommandLine(table: OptionTable, args: readonly string[]): CommandLine {
  const bareTexts = new Map(Object.values(table).map(({ flag, kind }) => [flag, kind.bareText]));
  const { plain, wantsHelp, rest } = toPlainForm(bareTexts, args);

  const flags = [...bareTexts.keys()];
  const parsed = parseArgs(plain, {
    string: flags,
    collect: flags,
    unknown: (arg) => {
      throw new OptionError(`Unknown flag: ${arg}${suggestion(arg.replace(/^-+/, ""), flags)}`);
    },
  });
  const values = new Map<string, string[]>();
  for (const flag of flags) {
    const texts = parsed[flag] as string[];
    if (texts.length > 0) values.set(flag, texts);
  }
  return { wantsHelp, values, rest };
}

/** The flags as `--flag=value`, up to the first argument that is none, or that is unknown or asks for help. */
function toPlainForm(
  bareTexts: ReadonlyMap<string, string | undefined>,
  args: readonly string[],
): { plain: string[]; wantsHelp: boolean; rest: readonly string[] } {
  const plain: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (arg === "--") return { plain, wantsHelp: false, rest: args.slice(i + 1) };
    if (!arg.startsWith("-") || arg === "-") return { plain, wantsHelp: false, rest: args.slice(i) };

    const parts = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(arg);
    if (parts === null) throw new OptionError(`Malformed flag: ${arg}`);
    const [, flag, text] = parts;
    if (!bareTexts.has(flag)) {
      const wantsHelp = flag === "help" || flag === "h";
      return { plain: wantsHelp ? plain : [...plain, `--${flag}`], wantsHelp, rest: [] };
    }
    const value = text ?? bareTexts.get(flag) ?? args[++i];
    if (value === undefined) throw new OptionError(`Flag --${flag} needs a value`);
    plain.push(`--${flag}=${value}`);
  }
  return { plain, wantsHelp: false, rest: [] };
}

/** Which flag was meant, most likely; nothing where none is near. */
function suggestion(flag: string, flags: readonly string[]): string {
  const near = flags.map((name) => ({ name, steps: stepsBetween(flag, name) }))
    .filter(({ steps }) => steps < flag.length && steps <= Math.ceil(flag.length / 3))
    .sort((a, b) => a.steps - b.steps)[0]?.name ??
    flags.find((name) => flag.length > 3 && name.includes(flag));
  return near === undefined ? "" : `; did you mean --${near}?`;
}

/** The number of characters to insert, remove or replace to make one text of the other; long ones are far from any flag. */
function stepsBetween(a: string, b: string): number {
  if (a.length > LENGTH_MAX) return Infinity;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}
