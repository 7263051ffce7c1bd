/**
 * The tokens of the HTTP API and what each may be used for, as an operator lists them in a file, or in a variable of the
 * environment, where `;` is as good as the end of a line:
 *
 * ```
 * # web shop
 * 4f1c2d9a7be84655 shop publish
 * 0b7e6a51c3d94f28 dashboard publish,read
 * 5d1f0a9be84655c3 mailer publish:receipts,consume:orders/mail,consume:news*
 * 93c1f0de5a7b4c16 read
 * ```
 *
 * To publish, to consume and to peek may be limited to a topic, or to a channel of one; `*` at the end stands for any end.
 *
 * The name is whom the audit log says it was; several tokens may have one, as while an old one is replaced. A token without
 * one is called after its line.
 *
 * Nothing of a token leaves this file: not in an error, not in a log; in memory there are only hashes.
 *
 * @module
 */
import { fromNode } from "../../base/from_node.ts";
import { OptionError } from "../../config/option.ts";
import { readSecretText, saidLines } from "../../config/secret_files.ts";

const nodeCrypto = fromNode("node:crypto");

const ROLES = ["publish", "consume", "peek", "read", "admin"] as const;
/** Roles that can be limited to topics. */
const LIMITED_ROLES: readonly string[] = ["publish", "consume", "peek"];

/** What a token may be used for: `admin` is everything. */
export type HttpRole = typeof ROLES[number];

/** Shorter tokens could be guessed. */
const TOKEN_LENGTH_MIN = 16;
const NAME = /^[\w.@-]{1,64}$/;
const LIMIT = /^[.\w-]*(#ephemeral)?\*?(\/[.\w-]*(#ephemeral)?\*?)?$/;
const FORM = "a line is a token, a space, and roles with commas between";

/** A role, and to which topic and channel it is limited. */
interface Grant {
  readonly role: HttpRole;
  /** The limit; `undefined` is none. */
  readonly topic: string | undefined;
  readonly channel: string | undefined;
}

/** Who has brought a token. */
export class TokenHolder {
  readonly name: string;
  readonly roles: ReadonlySet<HttpRole>;
  readonly #grants: readonly Grant[];

  constructor(name: string, grants: readonly Grant[]) {
    this.name = name;
    this.roles = new Set(grants.map(({ role }) => role));
    this.#grants = grants;
  }

  /** True when it matters what a request is about. */
  get isLimited(): boolean {
    return this.#grants.some(({ topic }) => topic !== undefined);
  }

  /** Whether it has the role there; a topic or channel that is not told is in no limit's way. */
  may(role: HttpRole, topic?: string, channel?: string): boolean {
    return this.roles.has("admin") ||
      this.#grants.some((grant) =>
        grant.role === role && isWithin(topic, grant.topic) && isWithin(channel, grant.channel)
      );
  }
}

interface Entry {
  readonly holder: TokenHolder;
  readonly hash: Uint8Array;
  readonly line: number;
}

/** The tokens of one list. */
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
    const text = readSecretText(`HTTP auth token file "${path}"`, () => Deno.readFileSync(path));
    return new HttpTokens(parse(text.split(/\r?\n/), `file "${path}"`));
  }

  /**
   * Reads what a variable has.
   *
   * @throws {OptionError} If that lists no token, or a line is wrong; the message names the line.
   */
  static listed(text: string, variable: string): HttpTokens {
    return new HttpTokens(parse(text.split(/[\n;]/), `variable ${variable}`));
  }

  /** Whose the token is; `undefined` for an unknown one. The time it takes tells nothing of the token. */
  holderOf(token: string): TokenHolder | undefined {
    const hash = hashOf(token);
    let holder: TokenHolder | undefined;
    for (const entry of this.#entries) {
      if (nodeCrypto().timingSafeEqual(entry.hash, hash)) holder = entry.holder;
    }
    return holder;
  }
}

function parse(lines: readonly string[], where: string): Entry[] {
  const entries: Entry[] = [];
  for (const { line, content } of saidLines(lines)) {
    const entry = parseLine(content, line);
    const problem = typeof entry === "string" ? entry : repetition(entry, entries);
    if (problem !== undefined) {
      throw new OptionError(`HTTP auth token ${where}, line ${line}: ${problem}`);
    }
    if (typeof entry !== "string") entries.push(entry);
  }
  if (entries.length === 0) throw new OptionError(`HTTP auth token ${where} lists no token`);
  return entries;
}

/** The entry, or what is wrong. That says nothing of what the line holds: it could be a token in the wrong place. */
function parseLine(content: string, line: number): Entry | string {
  const fields = content.split(/\s+/);
  const [token, name, list] = fields.length === 2 ? [fields[0], `line ${line}`, fields[1]] : fields;
  // Two roles with a space between are not one with a name.
  const isRole = ROLES.some((role) => name?.replace(/[,:].*$/, "") === role);
  if (list === undefined || fields.length > 3 || isRole) return FORM;
  if (fields.length === 3 && !NAME.test(name)) {
    return "the name has more than 64 characters, or others than letters, digits, and . _ @ -";
  }
  if (!/^[\x21-\x7e]+$/.test(token)) return "the token has characters that a request cannot carry";
  if (token.length < TOKEN_LENGTH_MIN) return `the token has fewer than ${TOKEN_LENGTH_MIN} characters`;
  const grants: Grant[] = [];
  for (const [i, text] of list.split(",").entries()) {
    const grant = parseGrant(text);
    if (typeof grant === "string") return `role ${i + 1} ${grant}`;
    grants.push(grant);
  }
  return { hash: hashOf(token), holder: new TokenHolder(name, grants), line };
}

/** A role with its limit, or what is wrong with it. */
function parseGrant(text: string): Grant | string {
  const [name, limit, ...more] = text.split(":");
  const role = ROLES.find((role) => role === name);
  if (role === undefined) return `is none of ${ROLES.join(", ")}`;
  if (limit === undefined) return { role, topic: undefined, channel: undefined };
  if (!LIMITED_ROLES.includes(role)) return "cannot be limited to a topic";
  const [topic, channel] = limit.split("/");
  const isOfChannel = role === "publish" && channel !== undefined;
  if (more.length > 0 || topic === "" || channel === "" || isOfChannel || !LIMIT.test(limit)) {
    return "is limited to what is no topic, or no channel";
  }
  return { role, topic, channel };
}

function isWithin(name: string | undefined, limit: string | undefined): boolean {
  if (name === undefined || limit === undefined) return true;
  return limit.endsWith("*") ? name.startsWith(limit.slice(0, -1)) : name === limit;
}

function repetition(entry: Entry, earlier: readonly Entry[]): string | undefined {
  const same = earlier.find(({ hash }) => nodeCrypto().timingSafeEqual(hash, entry.hash));
  return same && `the token is that of line ${same.line} again`;
}

/** Hashes are of one length, and comparing them tells nothing of how much of a token was right. */
function hashOf(token: string): Uint8Array {
  return nodeCrypto().createHash("sha256").update(token).digest();
}
