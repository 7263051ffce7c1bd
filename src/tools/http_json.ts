/**
 * Asks nsqd and nsqlookupd over HTTP. An answer has a limit, and sends nobody elsewhere.
 *
 * Node's client, because it can tell how long a connection takes from how long an answer takes, which have limits of
 * their own in NSQ's tools.
 *
 * @module
 */

import { concat } from "@std/bytes/concat";
import { clearTimeout, setTimeout } from "node:timers";
import { request as httpRequest } from "node:http";
import { formatDuration } from "../base/duration.ts";

/** How to ask. */
export interface HttpAsking {
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

function answerTo(
  url: string,
  { connectTimeoutMs, requestTimeoutMs, token, signal }: HttpAsking,
): Promise<{ readonly status: number; readonly body: Uint8Array }> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest(url, {
      headers: {
        Accept: "application/vnd.nsq; version=1.0",
        ...token !== "" && { Authorization: `Bearer ${token}` },
      },
      agent: false,
      signal,
    });
    const late = (what: string, ms: number) => () =>
      asked.destroy(new Error(`${url}: no ${what} within ${formatDuration(ms)}`));
    const connecting = setTimeout(late("connection", connectTimeoutMs), connectTimeoutMs);
    const answering = setTimeout(late("answer", requestTimeoutMs), requestTimeoutMs);
    const done = () => {
      clearTimeout(connecting);
      clearTimeout(answering);
    };
    asked.on("socket", (socket) => socket.once("connect", () => clearTimeout(connecting)));
    asked.on("error", (error) => {
      done();
      reject(error.message.startsWith(url) ? error : new Error(`${url}: ${error.message}`, { cause: error }));
    });
    asked.on("response", (response) => {
      clearTimeout(connecting);
      const pieces: Uint8Array[] = [];
      let size = 0;
      response.on("data", (piece: Uint8Array) => {
        size += piece.length;
        if (size > ANSWER_SIZE_MAX) {
          asked.destroy(new Error(`${url}: the answer has more than ${ANSWER_SIZE_MAX} bytes`));
        } else pieces.push(piece);
      });
      response.on("end", () => {
        done();
        resolve({ status: response.statusCode ?? 0, body: concat(pieces) });
      });
      response.on("error", (error: Error) => asked.destroy(error));
    });
    asked.end();
  });
}
