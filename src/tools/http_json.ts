/**
 * Asks nsqd and nsqlookupd over HTTP. An answer has a limit, and sends nobody elsewhere.
 *
 * @module
 */

import { errorText } from "../base/error_text.ts";
import type { Header } from "../http/answer.ts";
import { HttpClient } from "../http/http_client.ts";

/** How to ask. */
export interface HttpAsking {
  /** 0 is no limit, here and below. */
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Bearer token, where one is demanded. */
  readonly token: string;
  readonly signal: AbortSignal;
}

/** An answer other than 200. */
export class HttpStatusError extends Error {
  override readonly name = "HttpStatusError";
  readonly status: number;
  /** The code in nsqd's answer, such as TOPIC_NOT_FOUND; empty if there is none. */
  readonly code: string;

  constructor(url: string, status: number, body: Uint8Array) {
    const text = new TextDecoder().decode(body.subarray(0, SHOWN_MAX));
    super(`${url}: got response ${status} ${JSON.stringify(text)}`);
    this.status = status;
    this.code = /"message":\s*"([A-Z_]+)"/.exec(text)?.[1] ?? "";
  }
}

/** The largest answer that is read, in bytes: statistics of some 100,000 channels. */
export const ANSWER_SIZE_MAX = 256 * 1024 * 1024;
const SHOWN_MAX = 200;

/**
 * The bytes of an answer.
 *
 * @throws {HttpStatusError} If it is not 200.
 * @throws {Error} If there is none.
 */
export async function getBytes(url: string, asking: HttpAsking): Promise<Uint8Array> {
  const { status, body } = await answerTo(url, asking);
  if (status !== 200) throw new HttpStatusError(url, status, body);
  return body;
}

/** The JSON in an answer. @throws {Error} If there is none. */
export async function getJson(url: string, asking: HttpAsking): Promise<unknown> {
  const body = await getBytes(url, asking);
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch (cause) {
    throw new Error(`${url}: the answer is no JSON`, { cause });
  }
}

async function answerTo(
  url: string,
  { connectTimeoutMs, requestTimeoutMs, token, signal }: HttpAsking,
): Promise<{ readonly status: number; readonly body: Uint8Array }> {
  const client = new HttpClient({
    ...{ connectTimeoutMs, requestTimeoutMs, signal },
    ...{ answerSizeMax: ANSWER_SIZE_MAX, answersSizeMax: ANSWER_SIZE_MAX },
  });
  const headers: Header[] = [["Accept", "application/vnd.nsq; version=1.0"]];
  if (token !== "") headers.push(["Authorization", `Bearer ${token}`]);
  try {
    return await client.send({ method: "GET", url: new URL(url), headers }, ({ status, bytes }) => {
      return { status, body: bytes.slice() };
    });
  } catch (cause) {
    throw new Error(`${url}: ${errorText(cause)}`, { cause });
  }
}
