/**
 * The users of nsqadmin, as an operator lists them in a file (`--user-file`): a name, roles with commas between, and what
 * proves that it is them, which is the hash of one password, hashes of tokens, or both.
 *
 * ```
 * # the team
 * anna  admin          $scrypt$ln=14,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$ZW5vdWdoIGJ5dGVzIGZvciBhIGhhc2ggb2YgaXQuLi4
 * ben   operator,peek  $scrypt$ln=14,r=8,p=1$b3RoZXJzYWx0b3RoZXJzYQ$YW5vdGhlciBoYXNoIG9mIHRoaXJ0eS10d28gYnl0ZXM
 * # what deploys
 * ci    operator       sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
 * ```
 *
 * Passwords are short, so their hashes are costly ones (password.ts: `denosq hash-password` makes them). Tokens are random and
 * long, so SHA-256 will do: `printf %s "$token" | sha256sum`.
 *
 * Nothing of a line leaves this file in an error or a log: it could be a password in the wrong place.
 *
 * @module
 */

import { fromNode } from "../../base/from_node.ts";
import { OptionError } from "../../config/option.ts";
import { readSecretText, saidLines } from "../../config/secret_files.ts";
import { type Role, ROLES } from "../access.ts";
import { parsePasswordHash, type PasswordHash } from "./password.ts";

const nodeCrypto = fromNode("node:crypto");

/** Somebody who may log in. */
export interface User {
  readonly name: string;
  readonly roles: readonly Role[];
  /** Absent for who has tokens only. */
  readonly password: PasswordHash | undefined;
  /** It changes with the password. */
  readonly passwordText: string | undefined;
}

/** Users of a file. */
export const USERS_MAX = 1000;
/** Tokens of a user. */
export const TOKENS_MAX = 20;
/** The largest file, in bytes. */
export const USER_FILE_SIZE_MAX = 256 * 1024;
/** Its lines, with those that say nothing. */
export const LINES_MAX = 5000;
/** A shorter token could be guessed: it is never the right one. */
export const TOKEN_LENGTH_MIN = 16;

/** Of the text of a user's roles, in characters: each of them, twice. */
const ROLES_LENGTH_MAX = 2 * ROLES.join().length;

const NAME = /^[\w.@-]{1,64}$/;
const TOKEN_HASH = /^sha256:[0-9a-f]{64}$/;
const FORM = "a line is a name, a space, roles with commas between, a space, and hashes with spaces between";

/** What a line says. */
interface Entry {
  readonly user: User;
  readonly tokenHashes: readonly string[];
}

/** The users of one file. */
export class UserFile {
  /** What tells the file from another one at the same path; see {@linkcode fileState}. */
  readonly state: string | undefined;
  readonly #users: ReadonlyMap<string, User>;
  readonly #byTokenHash: ReadonlyMap<string, User>;
  readonly #passwords: readonly PasswordHash[];

  private constructor(entries: readonly Entry[], state: string | undefined) {
    this.state = state;
    this.#users = new Map(entries.map(({ user }) => [user.name, user]));
    this.#byTokenHash = new Map(
      entries.flatMap(({ user, tokenHashes }) => tokenHashes.map((hash) => [hash, user] as const)),
    );
    this.#passwords = entries.flatMap(({ user: { password } }) => password ?? []);
  }

  /** Reads a file; an empty path is none. @throws {OptionError} If it cannot be used; the message names the line. */
  static read(path: string): UserFile | undefined {
    if (path === "") return undefined;
    const { text, state } = readText(path);
    return UserFile.parse(text, path, state);
  }

  /** Reads what a file holds. @throws {OptionError} As above. */
  static parse(text: string, path: string, state?: string): UserFile {
    const refuse = (line: number, problem: string) =>
      new OptionError(`User file "${path}", line ${line}: ${problem}`);
    const entries: Entry[] = [];
    const lineOfName = new Map<string, number>();
    const lineOfToken = new Map<string, number>();
    const lines = text.replace(/\n$/, "").split(/\r?\n/, LINES_MAX + 1);
    if (lines.length > LINES_MAX) throw refuse(LINES_MAX + 1, `there are more than ${LINES_MAX} lines`);
    for (const { line, content } of saidLines(lines)) {
      const entry = parseLine(content);
      if (typeof entry === "string") throw refuse(line, entry);
      const sameName = lineOfName.get(entry.user.name);
      if (sameName !== undefined) throw refuse(line, `the user is that of line ${sameName} again`);
      lineOfName.set(entry.user.name, line);
      for (const hash of entry.tokenHashes) {
        const sameToken = lineOfToken.get(hash);
        if (sameToken !== undefined) throw refuse(line, `a token is that of line ${sameToken} again`);
        lineOfToken.set(hash, line);
      }
      if (entries.length === USERS_MAX) throw refuse(line, `there are more than ${USERS_MAX} users`);
      entries.push(entry);
    }
    if (entries.length === 0) throw new OptionError(`User file "${path}" lists no user`);
    return new UserFile(entries, state);
  }

  /** The user of that name. */
  get(name: string): User | undefined {
    return this.#users.get(name);
  }

  /** Whose token it is. To look it up tells nothing of tokens: of their hashes nobody can choose any part. */
  holderOf(token: string): User | undefined {
    if (token.length < TOKEN_LENGTH_MIN) return undefined;
    return this.#byTokenHash.get(`sha256:${nodeCrypto().createHash("sha256").update(token).digest("hex")}`);
  }

  /** The hash of some user's password, the same for the same number. */
  somePassword(number: number): PasswordHash | undefined {
    return this.#passwords[number % this.#passwords.length];
  }
}

/** What a file is known by: another one, or another content, has another state. Undefined where there is none to be read. */
export async function fileState(path: string): Promise<string | undefined> {
  try {
    return stateText(await Deno.stat(path));
  } catch (error) {
    // Whoever reads it says what is wrong.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
      return undefined;
    }
    throw error;
  }
}

function stateText({ mtime, size, ino }: Deno.FileInfo): string {
  return `${mtime?.getTime()} ${size} ${ino}`;
}

function readText(path: string): { readonly text: string; readonly state: string } {
  let state = "";
  const text = readSecretText(`user file "${path}"`, () => {
    const info = Deno.statSync(path);
    if (info.size > USER_FILE_SIZE_MAX) throw new RangeError(`it has more than ${USER_FILE_SIZE_MAX} bytes`);
    state = stateText(info);
    return Deno.readFileSync(path);
  });
  return { text, state };
}

/** What the line says, or what is wrong with it, in which is nothing of it. */
function parseLine(content: string): Entry | string {
  // One more than there may be.
  const [name, list, ...secrets] = content.split(/\s+/, 2 + 1 + TOKENS_MAX + 1);
  if (list === undefined || secrets.length === 0) return FORM;
  if (!NAME.test(name)) {
    return "the name has more than 64 characters, or others than letters, digits, and . _ @ -";
  }
  if (list.length > ROLES_LENGTH_MAX) return "there are more roles than there can be";
  const roles: Role[] = [];
  for (const [i, text] of list.split(",").entries()) {
    const role = ROLES.find((role) => role === text);
    if (role === undefined) return `role ${i + 1} is none of ${ROLES.join(", ")}`;
    if (!roles.includes(role)) roles.push(role);
  }
  let password: PasswordHash | undefined;
  let passwordText: string | undefined;
  const tokenHashes: string[] = [];
  for (const [i, secret] of secrets.entries()) {
    if (TOKEN_HASH.test(secret)) {
      if (tokenHashes.includes(secret)) return `hash ${i + 1} stands there twice`;
      tokenHashes.push(secret);
      continue;
    }
    const hash = parsePasswordHash(secret);
    if (hash === undefined) {
      return `hash ${
        i + 1
      } is none of a password, as denosq hash-password makes it, and none of a token, sha256: and 64 digits`;
    }
    if (password !== undefined) return "there are two passwords";
    password = hash;
    passwordText = secret;
  }
  if (tokenHashes.length > TOKENS_MAX) return `there are more than ${TOKENS_MAX} tokens`;
  return { user: { name, roles, password, passwordText }, tokenHashes };
}
