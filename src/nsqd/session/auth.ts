/**
 * Authorization: what the configured auth servers say that a client may do (internal/auth/authorizations.go).
 *
 * @module
 */

import { RE2JS } from "re2js";
import type { Clock } from "../../base/clock.ts";
import { hideCredentials } from "../../base/credentials.ts";
import { errorText } from "../../base/error_text.ts";
import { bytesOf, byteString } from "../../protocol/quote.ts";

/** Who asks: what an auth server is told of a client. */
export interface AuthRequest {
  /** The client's address, or "" over a unix socket. */
  readonly remoteIp: string;
  readonly tls: boolean;
  /** Of the client's certificate, or "". */
  readonly commonName: string;
  /** A byte string: each character stands for a byte. */
  readonly secret: string;
}

/** How to ask. */
export interface AuthServers {
  /** `host:port`, or whole URLs. */
  readonly addresses: readonly string[];
  readonly method: "get" | "post";
  readonly timeoutMs: number;
  /** Makes connections trust the configured authority. */
  readonly client: Deno.HttpClient | undefined;
  /** Ends the asking. */
  readonly signal: AbortSignal;
}

/** Part of an auth server's answer, with its patterns compiled. */
interface Authorization {
  readonly topic: RE2JS;
  readonly channels: readonly RE2JS[];
  readonly permissions: readonly string[];
}

const PERMISSIONS = ["subscribe", "publish"];

/** What a client may do, and for how long that is known. */
export class AuthState {
  readonly identity: string;
  readonly identityUrl: string;
  readonly authorizations: readonly Authorization[];
  /** After this, in ms by the monotonic clock, the servers must be asked again. */
  readonly expiresMs: number;

  /**
   * Reads an answer.
   *
   * @throws {Error} When it is not one.
   */
  constructor(answer: unknown, monotonicMs: number) {
    const { ttl = 0, authorizations, identity = "", identity_url = "" } = fieldsOf(answer, "answer");
    if (typeof identity !== "string" || typeof identity_url !== "string" || !Number.isSafeInteger(ttl)) {
      throw new Error("answer has a field of the wrong type");
    }
    this.authorizations = listOf(authorizations).map(authorizationOf);
    if (Number(ttl) <= 0) throw new Error(`invalid TTL ${ttl} (must be >0)`);
    this.identity = identity;
    this.identityUrl = identity_url;
    this.expiresMs = monotonicMs + Number(ttl) * 1000;
  }

  /**
   * True when the client may subscribe to the channel or, without one, publish to the topic.
   * NSQ compat: to publish, a channel pattern must match the empty name.
   */
  isAllowed(topic: string, channel: string): boolean {
    const permission = channel === "" ? "publish" : "subscribe";
    return this.authorizations.some((authorization) =>
      authorization.permissions.includes(permission) && authorization.topic.test(topic) &&
      authorization.channels.some((pattern) => pattern.test(channel))
    );
  }
}

/**
 * Asks the servers in turn, beginning with any, until one answers.
 *
 * @throws {Error} What was wrong with each, when none did.
 */
export async function queryAuthServers(
  servers: AuthServers,
  request: AuthRequest,
  clock: Pick<Clock, "monotonicMs">,
): Promise<AuthState> {
  const { addresses } = servers;
  const first = Math.floor(Math.random() * addresses.length);
  const failures: string[] = [];
  for (let i = 0; i < addresses.length; i++) {
    const address = addresses[(first + i) % addresses.length];
    try {
      return new AuthState(await query(servers, address, request), clock.monotonicMs());
    } catch (error) {
      failures.push(hideCredentials(`failed to auth against ${address} - ${errorText(error)}`));
    }
  }
  throw new Error(failures.join("; "));
}

async function query(servers: AuthServers, address: string, request: AuthRequest): Promise<unknown> {
  const url = new URL(address.includes("://") ? address : `http://${address}/auth`);
  const fields: readonly (readonly [name: string, value: Uint8Array])[] = [
    ["common_name", new TextEncoder().encode(request.commonName)],
    ["remote_ip", bytesOf(request.remoteIp)],
    ["secret", bytesOf(request.secret)],
    ["tls", bytesOf(String(request.tls))],
  ];
  const headers: Record<string, string> = { Accept: "application/vnd.nsq; version=1.0" };
  let body: string | undefined;
  if (servers.method === "post") {
    headers["Content-Type"] = "application/json";
    // As Go writes a form: each field is a list.
    body = JSON.stringify(Object.fromEntries(fields.map(([name, value]) => [name, [decode(value)]])));
  } else {
    const form = fields.map(([name, value]) => `${name}=${percentEncoded(value)}`).join("&");
    url.search += (url.search === "" ? "" : "&") + form;
  }
  const response = await attempt(() =>
    fetch(url, {
      method: servers.method.toUpperCase(),
      headers,
      signal: AbortSignal.any([servers.signal, AbortSignal.timeout(servers.timeoutMs)]),
      ...body !== undefined && { body },
      ...servers.client && { client: servers.client },
    })
  );
  const text = await response.text();
  if (response.status !== 200) throw new Error(`got response ${response.status} ${JSON.stringify(text)}`);
  return JSON.parse(text);
}

/** Makes the request; why it fails is said without the URL, which holds the secret. */
async function attempt(request: () => Promise<Response>): Promise<Response> {
  try {
    return await request();
  } catch (error) {
    const reason = error instanceof TypeError && error.cause instanceof Error ? error.cause : error;
    throw new Error(errorText(reason).replace(/ for url \(.*?\)(?=:|$)/, ""));
  }
}

/** Each byte, part of UTF-8 or not, as Go's url.QueryEscape writes it. */
const ESCAPED = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  if (/[\w.~-]/.test(character)) return character;
  return character === " " ? "+" : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
});

function percentEncoded(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += ESCAPED[byte];
  return text;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

function authorizationOf(value: unknown): Authorization {
  const fields = fieldsOf(value, "an authorization");
  const { topic = "" } = fields;
  if (typeof topic !== "string") throw new Error("an authorization's topic is no string");
  const permissions = listOf(fields.permissions).map(textOf);
  const unknown = permissions.find((permission) => !PERMISSIONS.includes(permission));
  if (unknown !== undefined) throw new Error(`unknown permission ${unknown}`);
  return {
    topic: pattern(topic),
    channels: listOf(fields.channels).map(textOf).map(pattern),
    permissions,
  };
}

/** Patterns are Go's regular expressions, which a package reads as Go does, in linear time. */
function pattern(text: string): RE2JS {
  try {
    return RE2JS.compile(text);
  } catch (cause) {
    throw new Error(`unable to compile ${JSON.stringify(text)}`, { cause });
  }
}

/** The fields of an object, whose names are in any case in Go; one that is null is not there. */
function fieldsOf(value: unknown, what: string): Record<string, unknown> {
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
