/**
 * What a Serf agent sends over its RPC protocol, read field by field: members, events, and the heads of answers.
 * Fields that newer agents may add are ignored; one that is missing or of another type than it must be is an error.
 *
 * @module
 */

import type { MsgpackValue } from "../base/msgpack_stream.ts";

/** An agent refuses a request, sends what the protocol does not allow, or is lost; the message says which, and why. */
export class SerfError extends Error {
  override readonly name = "SerfError";
}

/** A member of the cluster, as the agent knows it. */
export interface SerfMember {
  readonly name: string;
  /** IP address, without brackets. */
  readonly address: string;
  readonly port: number;
  readonly tags: ReadonlyMap<string, string>;
  /** `alive`, `leaving`, `left` or `failed`. */
  readonly status: string;
}

/** What has happened to members. */
export type SerfMemberEventType =
  | "member-join"
  | "member-leave"
  | "member-failed"
  | "member-update"
  | "member-reap";

/** Members came, went or changed. The agent gathers such events for a second or so. */
export interface SerfMemberEvent {
  readonly type: SerfMemberEventType;
  readonly members: readonly SerfMember[];
}

/** A member has sent an event of its own. */
export interface SerfUserEvent {
  readonly type: "user";
  readonly name: string;
  readonly payload: Uint8Array;
}

/** A member asks a question, which may be answered for a while. */
export interface SerfQueryEvent {
  readonly type: "query";
  /** What the answer must name; it means nothing on another connection. */
  readonly id: number | bigint;
  readonly name: string;
  readonly payload: Uint8Array;
}

/** What a stream brings. */
export type SerfEvent = SerfMemberEvent | SerfUserEvent | SerfQueryEvent;

/** The head of an answer, or of an event of a stream. */
export interface SerfHeader {
  /** Number of the request that it belongs to. */
  readonly seq: number;
  /** Why the agent refuses, or "". */
  readonly error: string;
}

const PORT_MAX = 65_535;
/** Requests are numbered from 0, and so are the nodes that a join reaches. */
const SEQ_MAX = 2 ** 32 - 1;

const MEMBER_EVENTS: readonly string[] = [
  "member-join",
  "member-leave",
  "member-failed",
  "member-update",
  "member-reap",
] satisfies SerfMemberEventType[];

/** Reads the head of an answer. @throws {SerfError} */
export function readHeader(value: MsgpackValue): SerfHeader {
  const fields = fieldsOf(value, "an answer");
  return { seq: integerIn(fields, "Seq", SEQ_MAX), error: textIn(fields, "Error") };
}

/** Reads the answer to `members`. @throws {SerfError} */
export function readMembers(value: MsgpackValue): SerfMember[] {
  return membersIn(fieldsOf(value, "a list of members"));
}

/** Reads the answer to `join`: how many nodes were reached. @throws {SerfError} */
export function readJoined(value: MsgpackValue): number {
  return integerIn(fieldsOf(value, "the result of a join"), "Num", SEQ_MAX);
}

/** Reads the answer to `stats`: groups of names and texts. @throws {SerfError} */
export function readStats(value: MsgpackValue): Map<string, ReadonlyMap<string, string>> {
  const groups = Object.entries(fieldsOf(value, "statistics"));
  return new Map(groups.map(([name, group]) => [name, textsOf(group)]));
}

/** Reads an event; `undefined` for one of a kind that is not known here. @throws {SerfError} */
export function readEvent(value: MsgpackValue): SerfEvent | undefined {
  const fields = fieldsOf(value, "an event");
  const type = textIn(fields, "Event");
  if (isMemberEvent(type)) return { type, members: membersIn(fields) };
  if (type === "user") return { type, name: textIn(fields, "Name"), payload: bytesIn(fields, "Payload") };
  if (type !== "query") return undefined;
  const id = fields.ID;
  if (typeof id !== "number" && typeof id !== "bigint") throw missing("ID");
  return { type, id, name: textIn(fields, "Name"), payload: bytesIn(fields, "Payload") };
}

/** IP address as Go prints it: IPv4 in dots, also where it is the end of an IPv6 one. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) return "";
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff &&
    bytes[11] === 0xff;
  if (mapped) return bytes.subarray(12).join(".");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(2 * i).toString(16));
  // The address in its shortest form, with :: in place of the longest run of zeros.
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

type Fields = Readonly<Record<string, MsgpackValue | undefined>>;

function fieldsOf(value: MsgpackValue | undefined, what: string): Record<string, MsgpackValue> {
  const isMap = typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Uint8Array);
  if (!isMap) throw new SerfError(`Serf sent something else in place of ${what}`);
  return value as Record<string, MsgpackValue>;
}

function membersIn(fields: Fields): SerfMember[] {
  const members = fields.Members;
  // An empty list may be nil in Go.
  if (members === null) return [];
  if (!Array.isArray(members)) throw missing("Members");
  return members.map(readMember);
}

function readMember(value: MsgpackValue): SerfMember {
  const fields = fieldsOf(value, "a member");
  return {
    name: textIn(fields, "Name"),
    address: addressText(bytesIn(fields, "Addr")),
    port: integerIn(fields, "Port", PORT_MAX),
    tags: textsOf(fields.Tags),
    status: textIn(fields, "Status"),
  };
}

/** Texts by name. Agents send no others there; what is no text is left out. */
function textsOf(value: MsgpackValue | undefined): Map<string, string> {
  if (value === null) return new Map();
  const texts = new Map<string, string>();
  for (const [name, text] of Object.entries(fieldsOf(value, "texts by name"))) {
    if (typeof text === "string") texts.set(name, text);
  }
  return texts;
}

function textIn(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === "string") return value;
  throw missing(name);
}

/** A whole number from 0 to `max`, however many bytes it was sent in. */
function integerIn(fields: Fields, name: string, max: number): number {
  const value = fields[name];
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= max) return number;
  throw missing(name);
}

/** A byte string; agents before MessagePack had them send a text, and Go sends nil for an empty one. */
function bytesIn(fields: Fields, name: string): Uint8Array {
  const value = fields[name];
  if (value === null) return new Uint8Array(0);
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return new TextEncoder().encode(value);
  throw missing(name);
}

function missing(name: string): SerfError {
  return new SerfError(`Serf sent a record without ${name}, or with another kind of it`);
}

function isMemberEvent(type: string): type is SerfMemberEventType {
  return MEMBER_EVENTS.includes(type);
}
