/**
 * The tokens of the HTTP API and what each may be used for, as an operator lists them in a file:
 *
 * ```
 * # web shop
 * 4f1c2d9a7be84655 publish
 * 0b7e6a51c3d94f28 publish,read
 * ```
 *
 * Nothing of a token leaves this file: not in an error, not in a log; in memory there are only hashes.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { errorText } from "../../base/error_text.ts";
import { OptionError } from "../../config/option.ts";

const ROLES = ["publish", "read", "admin"] as const;

/** What a token may be used for: `admin` is everything. */
export type HttpRole = typeof ROLES[number];

/** Shorter tokens could be guessed. */
const TOKEN_LENGTH_MIN = 16;

interface Entry {
  readonly hash: Uint8Array;
  readonly roles: ReadonlySet<HttpRole>;
  readonly line: number;
}

/** The tokens of one file. */
export class HttpTokens {
  readonly #entries: readonly Entry[];

  private constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  /**
   * Reads a file.
   *
   * @throws {OptionError} If it cannot be read, lists no token, or a line is wrong; the message names the line.
   */
  static read(path: string): HttpTokens {
    return new HttpTokens(parse(readText(path), path));
  }

  /** What the token may be used for; `undefined` for an unknown one. The time it takes tells nothing of the token. */
  rolesOf(token: string): ReadonlySet<HttpRole> | undefined {
    const hash = hashOf(token);
    let roles: ReadonlySet<HttpRole> | undefined;
    for (const entry of this.#entries) {
      if (timingSafeEqual(entry.hash, hash)) roles = entry.roles;
    }
    return roles;
  }
}

function readText(path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Deno.readFileSync(path));
  } catch (cause) {
    const reason = cause instanceof TypeError ? "it is not a text file" : errorText(cause);
    throw new OptionError(`Cannot read HTTP auth token file "${path}": ${reason}`, { cause });
  }
}

function parse(text: string, path: string): Entry[] {
  const entries: Entry[] = [];
  for (const [i, raw] of text.split("\n").entries()) {
    const line = i + 1;
    const content = raw.replace(/(^|\s)#.*$/, "").trim();
    if (content === "") continue;
    const entry = parseLine(content, line);
    const problem = typeof entry === "string" ? entry : repetition(entry, entries);
    if (problem !== undefined) {
      throw new OptionError(`HTTP auth token file "${path}", line ${line}: ${problem}`);
    }
    if (typeof entry !== "string") entries.push(entry);
  }
  if (entries.length === 0) throw new OptionError(`HTTP auth token file "${path}" lists no token`);
  return entries;
}

/** The entry, or what is wrong. That says nothing of what the line holds: it could be a token in the wrong place. */
function parseLine(content: string, line: number): Entry | string {
  const [token, list, ...rest] = content.split(/\s+/);
  if (list === undefined || rest.length > 0) {
    return "a line is a token, a space, and roles with commas between";
  }
  if (!/^[\x21-\x7e]+$/.test(token)) return "the token has characters that a request cannot carry";
  if (token.length < TOKEN_LENGTH_MIN) return `the token has fewer than ${TOKEN_LENGTH_MIN} characters`;
  const roles = new Set<HttpRole>();
  for (const [i, name] of list.split(",").entries()) {
    const role = ROLES.find((role) => role === name);
    if (role === undefined) return `role ${i + 1} is none of ${ROLES.join(", ")}`;
    roles.add(role);
  }
  return { hash: hashOf(token), roles, line };
}

function repetition(entry: Entry, earlier: readonly Entry[]): string | undefined {
  const same = earlier.find(({ hash }) => timingSafeEqual(hash, entry.hash));
  return same && `the token is that of line ${same.line} again`;
}

/** Hashes are of one length, and comparing them tells nothing of how much of a token was right. */
function hashOf(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}
