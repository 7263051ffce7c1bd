/**
 * Reads the command lines of the benchmark and campaign programs: `--name value` and `--name=value`, with Go's form of
 * durations (`500ms`, `10s`, `2m`). An unknown flag or a malformed value ends the program with the usage text.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/** The flags given to a program, each with a default. */
export class Flags {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #usage: string;

  /** `names` are the flags that take a value, `switches` those that don't. */
  constructor(options: { usage: string; names: readonly string[]; switches?: readonly string[] }) {
    this.#usage = options.usage;
    const switches = ["help", ...options.switches ?? []];
    this.#values = parseArgs(Deno.args, {
      string: options.names,
      boolean: switches,
      collect: ["server"],
      unknown: (flag) => this.refuse(`unknown argument ${flag}`),
    });
    if (this.isSet("help")) {
      console.log(this.#usage);
      Deno.exit(0);
    }
  }

  /** Whether a switch was given. */
  isSet(name: string): boolean {
    return this.#values[name] === true;
  }

  /** The value of a flag, the last one if it was given several times. */
  text(name: string): string | undefined {
    return this.texts(name).at(-1);
  }

  /** All values of a flag that may be repeated. */
  texts(name: string): string[] {
    const value = this.#values[name];
    const list: unknown[] = Array.isArray(value) ? value : [value];
    return list.filter((item) => typeof item === "string");
  }

  /** A whole number that is not negative. */
  count(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (!/^\d+$/.test(text)) this.refuse(`--${name} must be a number, not "${text}"`);
    return Number(text);
  }

  /** A number above 0, which may have a fraction. */
  factor(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^\d*\.?\d+$/.test(text) ? Number(text) : 0;
    return value > 0 ? value : this.refuse(`--${name} must be a number above 0, not "${text}"`);
  }

  /** A whole number, -1 where NSQ takes that for "off". */
  countOrOff(name: string): number | undefined {
    return this.text(name) === "-1" ? -1 : this.count(name);
  }

  /** A duration such as `500ms` or `10s`, in milliseconds. */
  durationMs(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const parts = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text);
    if (!parts) return this.refuse(`--${name} must be a duration such as 10s, not "${text}"`);
    return Number(parts[1]) * UNIT_MS[parts[2]];
  }

  /** One of several words. */
  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    return choices.find((word) => word === text) ??
      this.refuse(`--${name} must be one of ${choices.join(", ")}, not "${text}"`);
  }

  /** Ends the program because of what it was told. */
  refuse(problem: string): never {
    console.error(`${problem}\n\n${this.#usage}`);
    Deno.exit(2);
  }
}
