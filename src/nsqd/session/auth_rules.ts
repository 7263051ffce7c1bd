/**
 * What an auth server's answer allows: patterns for topics and channels (internal/auth/authorizations.go). How many there are
 * and how large they are is limited; reading them, and going by them, lets others have their turn; and sessions with the same
 * answer share them.
 *
 * @module
 */

import type { RE2JS } from "re2js";
import type { Clock } from "../../base/clock.ts";
import { writtenOut } from "../../base/pattern_size.ts";
import { inSlices, TimeSlice } from "../../base/time_slice.ts";
import { shownText } from "../../protocol/quote.ts";

/** The longest pattern, and the largest that one may come to when what it repeats is written out, in characters. */
export const PATTERN_SIZE_MAX = 4096;
/** Different patterns in an answer, and how large they may be together. */
export const PATTERNS_MAX = 5000;
export const PATTERNS_SIZE_MAX = 64 * 1024;
/** A longer one is worked on alone: one that is as large as can be takes 10 ms. */
const LARGE_PATTERN_LENGTH = 500;
/** Decisions that are remembered: clients ask for the same again and again. */
const DECISIONS_MAX = 1000;

const PERMISSIONS = ["subscribe", "publish"];

/** Part of an answer; its patterns are numbers of those in {@linkcode Patterns}. */
interface Authorization {
  readonly topic: number;
  readonly channels: readonly number[];
  readonly permissions: readonly string[];
}

/** Tells the time that slices of work take. */
type SliceClock = Pick<Clock, "monotonicMs">;

/** What a client may do. */
export class AuthRules {
  readonly #authorizations: readonly Authorization[];
  readonly #patterns: Patterns;
  readonly #decisions = new Map<string, boolean>();

  private constructor(authorizations: readonly Authorization[], patterns: Patterns) {
    this.#authorizations = authorizations;
    this.#patterns = patterns;
  }

  /**
   * Reads the list of an answer.
   *
   * @param clock Says how long others have waited.
   * @throws {Error} When it is none, or above a limit.
   */
  static async read(authorizations: unknown, clock?: SliceClock): Promise<AuthRules> {
    const patterns = new Patterns(clock);
    const read: Authorization[] = [];
    const take = (value: unknown) => read.push(authorizationOf(value, patterns));
    await inSlices(listOf(authorizations), take, new TimeSlice(clock));
    await patterns.compile();
    return new AuthRules(read, patterns);
  }

  /** How many authorizations there are. */
  get count(): number {
    return this.#authorizations.length;
  }

  /**
   * Whether the client may subscribe to the channel or, without one, publish to the topic; undefined when that has not been
   * decided yet.
   */
  known(topic: string, channel: string): boolean | undefined {
    return this.#decisions.get(`${topic} ${channel}`);
  }

  /**
   * Decides it. NSQ compat: to publish, a channel pattern must match the empty name.
   */
  async decide(topic: string, channel: string): Promise<boolean> {
    const permission = channel === "" ? "publish" : "subscribe";
    const [topics, channels] = [this.#patterns.matcher(topic), this.#patterns.matcher(channel)];
    let allowed = false;
    for (const authorization of this.#authorizations) {
      if (!authorization.permissions.includes(permission) || !await topics(authorization.topic)) continue;
      for (const pattern of authorization.channels) allowed ||= await channels(pattern);
      if (allowed) break;
    }
    // The oldest goes.
    for (const [oldest] of this.#decisions) {
      if (this.#decisions.size < DECISIONS_MAX) break;
      this.#decisions.delete(oldest);
    }
    this.#decisions.set(`${topic} ${channel}`, allowed);
    return allowed;
  }
}

/** The patterns of an answer, each of them once. */
class Patterns {
  readonly #numbers = new Map<string, number>();
  readonly #compiled: RE2JS[] = [];
  readonly #clock: SliceClock | undefined;

  constructor(clock: SliceClock | undefined) {
    this.#clock = clock;
  }

  /** The number of a pattern. */
  add(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    if (this.#numbers.size === PATTERNS_MAX) throw new Error(`answer has more than ${PATTERNS_MAX} patterns`);
    if (text.length > PATTERN_SIZE_MAX || writtenOut(text) > PATTERN_SIZE_MAX) {
      throw new Error(`pattern is too large: ${JSON.stringify(shownText(text))}`);
    }
    this.#numbers.set(text, this.#numbers.size);
    return this.#numbers.size - 1;
  }

  async compile(): Promise<void> {
    const { RE2JS } = await import("re2js");
    let size = 0;
    const slice = new TimeSlice(this.#clock);
    for (const text of this.#numbers.keys()) {
      const pattern = compile(RE2JS, text);
      size += pattern.programSize();
      if (size > PATTERNS_SIZE_MAX) throw new Error("answer's patterns are too large together");
      this.#compiled.push(pattern);
      if (slice.isOver || text.length > LARGE_PATTERN_LENGTH) await slice.next();
    }
  }

  /** Whether patterns match a name, each of which is tried once. */
  matcher(name: string): (pattern: number) => Promise<boolean> {
    const slice = new TimeSlice(this.#clock);
    const tried = new Map<number, boolean>();
    return async (pattern) => {
      let matches = tried.get(pattern);
      if (matches === undefined) {
        // Not `test()`, which builds tables of up to 8 MiB for each pattern, and keeps them.
        matches = this.#compiled[pattern].matcher(name).find();
        tried.set(pattern, matches);
        if (slice.isOver) await slice.next();
      }
      return matches;
    };
  }
}

/** Gives those who have the same answer the same rules. */
export class SharedRules {
  readonly #clock: SliceClock | undefined;
  readonly #rules = new Map<string, WeakRef<AuthRules>>();
  readonly #gone = new FinalizationRegistry<string>((key) => {
    // There may be new ones under the same key.
    if (this.#rules.get(key)?.deref() === undefined) this.#rules.delete(key);
  });

  /** The clock says how long others have waited; the system's, if none is given. */
  constructor(clock?: SliceClock) {
    this.#clock = clock;
  }

  /**
   * The rules in the list of an answer.
   *
   * @throws {Error} When it is none, or above a limit.
   */
  async read(authorizations: unknown): Promise<AuthRules> {
    const text = new TextEncoder().encode(JSON.stringify(authorizations) ?? "");
    const key = new Uint8Array(await crypto.subtle.digest("SHA-256", text)).toHex();
    const known = this.#rules.get(key)?.deref();
    if (known) return known;
    const rules = await AuthRules.read(authorizations, this.#clock);
    this.#rules.set(key, new WeakRef(rules));
    this.#gone.register(rules, key);
    return rules;
  }
}

function authorizationOf(value: unknown, patterns: Patterns): Authorization {
  const fields = fieldsOf(value, "an authorization");
  const { topic = "" } = fields;
  if (typeof topic !== "string") throw new Error("an authorization's topic is no string");
  const permissions = listOf(fields.permissions).map(textOf);
  const unknown = permissions.find((permission) => !PERMISSIONS.includes(permission));
  if (unknown !== undefined) throw new Error(`unknown permission ${shownText(unknown)}`);
  return {
    topic: patterns.add(topic),
    channels: listOf(fields.channels).map(textOf).map((text) => patterns.add(text)),
    permissions: PERMISSIONS.filter((permission) => permissions.includes(permission)),
  };
}

/** Patterns are Go's regular expressions, which a package reads as Go does, in linear time. */
function compile(language: typeof RE2JS, text: string): RE2JS {
  try {
    return language.compile(text);
  } catch (cause) {
    throw new Error(`unable to compile ${JSON.stringify(shownText(text))}`, { cause });
  }
}

/** The fields of an object, whose names are in any case in Go; one that is null is not there. */
export function fieldsOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`${what} is no JSON object`);
  }
  const fields = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(fields.map(([name, field]) => [name.toLowerCase(), field]));
}

function listOf(value: unknown): unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new Error("answer has a list of the wrong type");
  return value;
}

function textOf(value: unknown): string {
  if (typeof value !== "string") throw new Error("answer has a list of something else than strings");
  return value;
}
