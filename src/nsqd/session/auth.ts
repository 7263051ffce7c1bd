/**
 * Authorization: what the configured auth servers say that a client may do (internal/auth/authorizations.go).
 *
 * @module
 */

import type { Clock } from "../../base/clock.ts";
import { hideCredentials } from "../../base/credentials.ts";
import { errorText } from "../../base/error_text.ts";
import { bytesOf, shownText } from "../../protocol/quote.ts";
import { type AuthRules, fieldsOf, type SharedRules } from "./auth_rules.ts";

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

/** The largest answer of an auth server, in bytes, whatever it was compressed to. */
export const ANSWER_SIZE_MAX = 1024 * 1024;
/** The longest name of a client that is taken from an answer, and the longest URL. */
export const IDENTITY_LENGTH_MAX = 1024;

/** What a client may do, and for how long that is known. */
export class AuthState {
  readonly identity: string;
  readonly identityUrl: string;
  readonly rules: AuthRules;
  /** After this, in ms by the monotonic clock, the servers must be asked again. */
  readonly expiresMs: number;

  private constructor(said: Pick<AuthState, "identity" | "identityUrl" | "rules" | "expiresMs">) {
    this.identity = said.identity;
    this.identityUrl = said.identityUrl;
    this.rules = said.rules;
    this.expiresMs = said.expiresMs;
  }

  /**
   * Reads an answer.
   *
   * @throws {Error} When it is not one, or above a limit.
   */
  static async read(answer: unknown, shared: SharedRules, monotonicMs: number): Promise<AuthState> {
    const { ttl = 0, authorizations, identity = "", identity_url: identityUrl = "" } = fieldsOf(
      answer,
      "answer",
    );
    if (typeof identity !== "string" || typeof identityUrl !== "string" || !Number.isSafeInteger(ttl)) {
      throw new Error("answer has a field of the wrong type");
    }
    if (Math.max(identity.length, identityUrl.length) > IDENTITY_LENGTH_MAX) {
      throw new Error(`answer has an identity of more than ${IDENTITY_LENGTH_MAX} characters`);
    }
    const rules = await shared.read(authorizations);
    if (Number(ttl) <= 0) throw new Error(`invalid TTL ${ttl} (must be >0)`);
    return new AuthState({ identity, identityUrl, rules, expiresMs: monotonicMs + Number(ttl) * 1000 });
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
  { shared, clock }: { readonly shared: SharedRules; readonly clock: Pick<Clock, "monotonicMs"> },
): Promise<AuthState> {
  const { addresses } = servers;
  const first = Math.floor(Math.random() * addresses.length);
  const failures: string[] = [];
  for (let i = 0; i < addresses.length; i++) {
    const address = addresses[(first + i) % addresses.length];
    try {
      const answer = await query(servers, address, request);
      return await AuthState.read(answer, shared, clock.monotonicMs());
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
      // Nobody else is to see the secret.
      redirect: "manual",
      signal: AbortSignal.any([servers.signal, AbortSignal.timeout(servers.timeoutMs)]),
      ...body !== undefined && { body },
      ...servers.client && { client: servers.client },
    })
  );
  const text = await textOf(response);
  if (response.status !== 200) {
    throw new Error(`got response ${response.status} ${JSON.stringify(shownText(text))}`);
  }
  return JSON.parse(text);
}

/** The body, up to the limit. */
async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    // Leaving the loop ends the connection.
    if (size > ANSWER_SIZE_MAX) throw new Error(`answer is larger than ${ANSWER_SIZE_MAX} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
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
