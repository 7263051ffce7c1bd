/**
 * The shape of a program's table of options. The table is the only list of them: flags, TOML keys, `--help`,
 * the docs page, the type of the options object and `GET /config/:opt` are all made from it.
 *
 * @module
 */
import { bool, type Kind, string } from "./kind.ts";

/** One option; its name in the options object is its name in the table. */
export interface Option<T> {
  /** Name on the command line, without dashes. */
  readonly flag: string;
  /** Name in the configuration file: by default the flag's with underscores; `null` for flags without one. */
  readonly key?: string | null;
  readonly kind: Kind<T>;
  /** The default, or how to find it out when that asks the operating system. */
  readonly default: T | (() => T);
  /** What the docs say in place of a default that depends on the machine. */
  readonly defaultNote?: string;
  /** One or two sentences for `--help` and the docs. */
  readonly description: string;
}

/** A program's options by their names in the options object. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** The options object that a table describes. */
export type OptionsOf<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Option<infer T> ? T : never;
};

/** Checks an option's parts against each other and keeps the type of its value. */
export function option<T>(spec: Option<T>): Option<T> {
  return spec;
}

/** The flags that every program with a configuration file has. */
export const COMMON_OPTIONS = {
  version: option({
    flag: "version",
    key: null,
    kind: bool,
    default: false,
    description: "Print the version and exit.",
  }),
  config: option({
    flag: "config",
    key: null,
    kind: string,
    default: "",
    description: "Path of a TOML configuration file; flags win over it.",
  }),
};

/** An option's TOML key, or `undefined` if it is a flag only. */
export function keyOf(spec: Option<unknown>): string | undefined {
  if (spec.key === null) return undefined;
  return spec.key ?? spec.flag.replaceAll("-", "_");
}

/** An option that cannot be used as it was given; the message is one line that names it. */
export class OptionError extends Error {
  override readonly name = "OptionError";
}

/**
 * An option's default value.
 *
 * @throws {OptionError} If the program may not ask the operating system for it.
 */
export function defaultOf<T>(spec: Option<T>): T {
  if (typeof spec.default !== "function") return spec.default;
  try {
    return (spec.default as () => T)();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotCapable)) throw cause;
    throw new OptionError(`Cannot find out the default of --${spec.flag}: ${cause.message}`, { cause });
  }
}

/** The options object with every option at its default. */
export function defaultOptions<Table extends OptionTable>(table: Table): OptionsOf<Table> {
  const values = Object.entries(table).map(([name, spec]) => [name, defaultOf(spec)]);
  return Object.fromEntries(values) as OptionsOf<Table>;
}

/** The value that `GET /config/<key>` shows, or `undefined` if no option has that key. */
export function configValue<Table extends OptionTable>(
  table: Table,
  options: OptionsOf<Table>,
  key: string,
): unknown {
  for (const [name, spec] of Object.entries(table)) {
    if (keyOf(spec) === key) return spec.kind.toJson(options[name]);
  }
  return undefined;
}
