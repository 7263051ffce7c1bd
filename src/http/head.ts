/**
 * The head of an HTTP/1 request: bytes in, values out. Knows no sockets and no routes.
 *
 * Go's server takes what this takes, and refuses what this refuses, in the same words: people see them. Where a request
 * could mean one thing here and another to a proxy in front, it is refused although Go takes it: docs/compatibility.md.
 *
 * @module
 */

/** A request that is none, or is not answered by any handler. The connection ends after the answer. */
export class RefusedRequest extends Error {
  override readonly name = "RefusedRequest";
  readonly status: number;

  /** The message follows the status where there is one. */
  constructor(status: number, message = "") {
    super(message);
    this.status = status;
  }
}

/** Largest head, in bytes: Go's limit, with the slack that it has. */
export const HEAD_SIZE_MAX = 1024 * 1024 + 4096;
/** Lines of a head, where Go has no limit but their size: a million of them would hold all others up. */
export const FIELDS_MAX = 5000;

/** How long the body is: that many bytes, or told with each of its chunks. */
export type BodyLength = number | "chunked";

/** A head that has been read. */
export interface RequestHead {
  readonly method: string;
  /** What was asked for: path and query, or a whole URL. */
  readonly target: string;
  /** HTTP/1.0, which knows less. */
  readonly isOld: boolean;
  readonly headers: HeaderFields;
  readonly bodyLength: BodyLength;
  /** The connection is to serve further requests. */
  readonly keepAlive: boolean;
  /** The client wants to hear that its body is wanted before it sends it. */
  readonly waits: boolean;
}

/** Header fields, looked up without regard to case. */
export class HeaderFields {
  readonly #names: readonly string[];
  readonly #values: readonly string[];

  /** Names in lower case, and as many values. */
  constructor(names: readonly string[], values: readonly string[]) {
    this.#names = names;
    this.#values = values;
  }

  /** The first value of a name in lower case. */
  get(name: string): string | undefined {
    const i = this.#names.indexOf(name);
    return i < 0 ? undefined : this.#values[i];
  }

  /** All values of a name in lower case, in their order. */
  all(name: string): readonly string[] {
    return this.#values.filter((_, i) => this.#names[i] === name);
  }

  /** How often a name is there. */
  count(name: string): number {
    let count = 0;
    for (const each of this.#names) if (each === name) count++;
    return count;
  }
}

const LF = 10;
const CR = 13;
const TAB = 9;
const SPACE = 32;
const DELETE = 127;
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** Where a head ends that is in `bytes` between two places; -1 if it does not. `from` is where to begin to look. */
export function headEnd(bytes: Uint8Array, from: number, end: number): number {
  // By hand, because indexOf would search what lies behind the bytes that have come, and costs more than a line's length.
  for (let i = from; i < end; i++) {
    if (bytes[i] !== LF) continue;
    const next = i + 1;
    if (next < end && bytes[next] === LF) return next + 1;
    if (next + 1 < end && bytes[next] === CR && bytes[next + 1] === LF) return next + 2;
  }
  return -1;
}

/** Reads a whole head, its empty line included. @throws {RefusedRequest} */
export function parseHead(bytes: Uint8Array): RequestHead {
  if (isMalformed(bytes)) throw new RefusedRequest(400);
  const text = DECODER.decode(bytes);
  const lineEnd = text.indexOf("\n");
  const { method, target, isOld } = parseRequestLine(trimmedEnd(text, 0, lineEnd));
  const { headers, isNamed } = parseFields(text, lineEnd + 1);
  checkHost(headers, method, isOld);
  if (!isNamed) throw new RefusedRequest(400);
  const bodyLength = bodyLengthOf(headers, isOld);
  return {
    method,
    target,
    isOld,
    headers,
    bodyLength,
    keepAlive: keepsAlive(headers, isOld),
    waits: waitsOf(headers, isOld, bodyLength),
  };
}

/** True for the value of a Host header: `host`, `host:port`, also with an IPv6 address in brackets, or nothing. */
export function isHost(value: string): boolean {
  return HOST.test(value);
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const HOST = /^(?:\[[0-9A-Fa-f:.]+(?:%25[\w.~-]+)?\]|[\w!$&'()*+,;=.~%-]*)(?::\d*)?$/;
const BAD_ESCAPE = /%(?![0-9A-Fa-f]{2})/;
const CLOSE = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i;
const KEEP_ALIVE = /(?:^|,)[ \t]*keep-alive[ \t]*(?:,|$)/i;
const VERSION = /^HTTP\/(\d)\.(\d)$/;

/** True if there is a control character that is neither a tab nor a line's end, or a CR in the middle of a line. */
export function isMalformed(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte >= SPACE && byte !== DELETE) continue;
    if (byte === LF || byte === TAB || byte === CR && bytes[i + 1] === LF) continue;
    return true;
  }
  return false;
}

function parseRequestLine(line: string): { method: string; target: string; isOld: boolean } {
  const methodEnd = line.indexOf(" ");
  const targetEnd = line.lastIndexOf(" ");
  if (methodEnd < 0 || targetEnd === methodEnd) throw new RefusedRequest(400);
  const method = line.slice(0, methodEnd);
  const target = line.slice(methodEnd + 1, targetEnd);
  const version = line.slice(targetEnd + 1);
  if (!isToken(method) || !isTarget(target, method)) throw new RefusedRequest(400);
  // The plain cases first: every client sends one of them.
  if (version === "HTTP/1.1") return { method, target, isOld: false };
  const [, major, minor] = VERSION.exec(version) ?? [];
  if (major === undefined) throw new RefusedRequest(400);
  if (major !== "1") throw new RefusedRequest(505, "unsupported protocol version");
  return { method, target, isOld: minor === "0" };
}

/** A path, a URL, `*`, or what CONNECT connects to: never with a space. */
function isTarget(target: string, method: string): boolean {
  if (target === "" || target.includes(" ") || hasBadEscape(target)) return false;
  return target.startsWith("/") || target === "*" || method === "CONNECT" ||
    /^[A-Za-z][\w+.-]*:/.test(target);
}

/** True if a `%` in the path is not followed by two digits; in the query, that is the handler's business. */
function hasBadEscape(target: string): boolean {
  const bad = target.includes("%") ? target.search(BAD_ESCAPE) : -1;
  if (bad < 0) return false;
  const query = target.indexOf("?");
  return query < 0 || bad < query;
}

/** Methods and names that have been found to be tokens: clients use few. */
const TOKENS = new Map<string, string>();
const TOKENS_KEPT_MAX = 256;
const TOKEN_KEPT_LENGTH_MAX = 40;

/** The token in lower case, or `undefined` if it is none. */
function lowerToken(text: string): string | undefined {
  const known = TOKENS.get(text);
  if (known !== undefined) return known;
  if (!TOKEN.test(text)) return undefined;
  const lower = text.toLowerCase();
  if (TOKENS.size < TOKENS_KEPT_MAX && text.length <= TOKEN_KEPT_LENGTH_MAX) TOKENS.set(text, lower);
  return lower;
}

function isToken(text: string): boolean {
  return lowerToken(text) !== undefined;
}

/** Reads lines from there to the empty one; not all may have names that are any. @throws {RefusedRequest} */
export function parseFields(text: string, from: number): { headers: HeaderFields; isNamed: boolean } {
  const names: string[] = [];
  const values: string[] = [];
  let isNamed = true;
  let lines = 0;
  for (let start = from;;) {
    const lineEnd = text.indexOf("\n", start);
    const line = trimmedEnd(text, start, lineEnd);
    start = lineEnd + 1;
    if (line === "") break;
    if (++lines > FIELDS_MAX) throw new RefusedRequest(431);
    if (line[0] === " " || line[0] === "\t") {
      // A line that goes on with the one before: old, and taken by Go.
      if (names.length === 0) throw new RefusedRequest(400);
      values[values.length - 1] += ` ${trimmedStart(line, 0)}`;
      continue;
    }
    const colon = line.indexOf(":");
    if (colon < 0) throw new RefusedRequest(400);
    const name = lowerToken(line.slice(0, colon));
    if (name === undefined) isNamed = false;
    names.push(name ?? "");
    values.push(trimmedStart(line, colon + 1));
  }
  return { headers: new HeaderFields(names, values), isNamed };
}

/** A line without its end, and without the spaces there. */
function trimmedEnd(text: string, from: number, lineEnd: number): string {
  let end = lineEnd;
  while (end > from) {
    const code = text.charCodeAt(end - 1);
    if (code !== CR && code !== SPACE && code !== TAB) break;
    end--;
  }
  return text.slice(from, end);
}

/** The rest of a line, without the spaces in front. */
function trimmedStart(line: string, from: number): string {
  let start = from;
  while (line[start] === " " || line[start] === "\t") start++;
  return line.slice(start);
}

/** The last Host that was right: most clients of a server send the same. */
let knownHost = "";

function checkHost(headers: HeaderFields, method: string, isOld: boolean): void {
  const host = headers.get("host");
  if (host === undefined) {
    if (isOld || method === "CONNECT") return;
    throw new RefusedRequest(400, "missing required Host header");
  }
  if (headers.count("host") > 1) throw new RefusedRequest(400);
  if (host === knownHost) return;
  if (!isHost(host)) throw new RefusedRequest(400, "malformed Host header");
  knownHost = host;
}

/** Differs from Go in that a length is told once, and in one way: whoever stands in front must read it the same. */
function bodyLengthOf(headers: HeaderFields, isOld: boolean): BodyLength {
  const encoding = headers.get("transfer-encoding");
  const length = headers.get("content-length");
  if (encoding !== undefined) {
    if (isOld || length !== undefined) throw new RefusedRequest(400);
    if (headers.count("transfer-encoding") > 1 || encoding.toLowerCase() !== "chunked") {
      throw new RefusedRequest(501, "Unsupported transfer encoding");
    }
    return "chunked";
  }
  if (length === undefined) return 0;
  const isClear = /^\d{1,19}$/.test(length) && headers.count("content-length") === 1;
  if (!isClear) throw new RefusedRequest(400);
  return Number(length);
}

function keepsAlive(headers: HeaderFields, isOld: boolean): boolean {
  const connection = headers.get("connection");
  if (connection === undefined) return !isOld;
  return !CLOSE.test(connection) && (!isOld || KEEP_ALIVE.test(connection));
}

function waitsOf(headers: HeaderFields, isOld: boolean, bodyLength: BodyLength): boolean {
  const expectation = headers.get("expect");
  if (expectation === undefined) return false;
  if (expectation.toLowerCase() !== "100-continue") throw new RefusedRequest(417);
  return !isOld && bodyLength !== 0;
}
