/**
 * Publishing over HTTP, for where nothing else comes through: a link that takes the commands of protocol V2 and makes
 * requests of them (`/pub`, `/mpub?binary=true`), so that a producer's batches, failover and answers are the same. There is
 * nothing to subscribe to.
 *
 * @module
 */

import { CommandReader } from "../protocol/command_reader.ts";
import { encodeFrame, FRAME_TYPE, HEARTBEAT_FRAME, OK_FRAME } from "../protocol/frames.ts";
import type { NodeAddress } from "./address.ts";
import type { DialOptions, Link, LinkOwner, Transport } from "./link.ts";

/** The most of an answer that is shown, in characters. */
const SHOWN_MAX = 200;

/** Publishes by requests. */
export const HTTP_TRANSPORT: Transport = {
  async connect(address: NodeAddress, options: DialOptions): Promise<Link> {
    if (address.kind !== "http") throw new TypeError(`Not the address of HTTP: ${address.text}`);
    const { authSecret } = options;
    const secret = typeof authSecret === "function" ? await authSecret() : authSecret;
    const link = new HttpLink(address.url, secret);
    await link.ping(options.signal);
    return link;
  },
};

class HttpLink implements Link {
  owner: LinkOwner | undefined;
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #reader = new CommandReader();
  readonly #end = new AbortController();
  #magicTaken = false;
  /** Commands are carried out one after the other, as on a connection. */
  #work: Promise<void> = Promise.resolve();
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #ended = false;

  constructor(url: string, secret: string | undefined) {
    this.#url = url.replace(/\/$/, "");
    this.#headers = secret === undefined ? {} : { Authorization: `Bearer ${secret}` };
  }

  /** Asks whether the node is there. @throws {Error} If it is not. */
  async ping(signal: AbortSignal): Promise<void> {
    const response = await fetch(`${this.#url}/ping`, { headers: this.#headers, signal, redirect: "manual" });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`/ping: got response ${response.status} ${shown(text)}`);
  }

  write(bytes: Uint8Array, done: (error?: Error | null) => void): void {
    for (let at = 0; at < bytes.length;) {
      const space = this.#reader.space();
      const part = bytes.subarray(at, at + space.length);
      space.set(part);
      this.#reader.received(part.length);
      at += part.length;
    }
    this.#work = this.#work.then(() => this.#carryOut()).then(
      () => done(),
      (error) => {
        this.#finish(error);
        done(error);
      },
    );
  }

  end(): void {
    this.#work = this.#work.finally(() => this.#finish());
  }

  destroy(): void {
    this.#finish();
  }

  async #carryOut(): Promise<void> {
    const reader = this.#reader;
    if (!this.#magicTaken) {
      if (reader.takeMagic() === undefined) return;
      this.#magicTaken = true;
    }
    while (!this.#ended && reader.nextLine()) {
      const words = [0, 1, 2].map((index) => reader.param(index));
      const isSized = /^(IDENTIFY|AUTH|PUB|DPUB|MPUB)$/.test(words[0]);
      if (isSized && !(reader.takeSize("E_BAD_BODY", "size") && reader.takeBody("E_BAD_BODY", "body"))) {
        reader.retry();
        return;
      }
      const body = isSized ? reader.bytes.slice(reader.bodyStart, reader.bodyEnd) : new Uint8Array(0);
      const answer = await this.#answer(words, body);
      if (answer === undefined) continue;
      const isError = answer.startsWith("E_");
      this.#tell(
        answer === "OK" ? OK_FRAME : encodeFrame(isError ? FRAME_TYPE.error : FRAME_TYPE.response, answer),
      );
      if (isError) this.#finish();
    }
  }

  /** What nsqd would answer; undefined for what it does not. */
  async #answer(
    [name, topic, deferMs]: readonly string[],
    body: Uint8Array<ArrayBuffer>,
  ): Promise<string | undefined> {
    switch (name) {
      case "IDENTIFY":
        return this.#identify(body);
      case "PUB":
        return await this.#post(`/pub?topic=${encodeURIComponent(topic)}`, body, "E_PUB_FAILED");
      case "DPUB":
        return await this.#post(
          `/pub?topic=${encodeURIComponent(topic)}&defer=${deferMs}`,
          body,
          "E_DPUB_FAILED",
        );
      case "MPUB":
        return await this.#post(
          `/mpub?topic=${encodeURIComponent(topic)}&binary=true`,
          body,
          "E_MPUB_FAILED",
        );
      case "NOP":
        return undefined;
      default:
        return `E_INVALID cannot ${name} over HTTP`;
    }
  }

  #identify(body: Uint8Array): string {
    const { heartbeat_interval: everyMs } = JSON.parse(new TextDecoder().decode(body));
    if (everyMs > 0) {
      this.#heartbeat = setInterval(() => {
        this.ping(this.#end.signal).then(() => this.#tell(HEARTBEAT_FRAME), (error) => this.#finish(error));
      }, everyMs);
    }
    return "{}";
  }

  async #post(target: string, body: Uint8Array<ArrayBuffer>, failure: string): Promise<string> {
    const response = await fetch(this.#url + target, {
      method: "POST",
      headers: this.#headers,
      body,
      signal: this.#end.signal,
      redirect: "manual",
    });
    const text = await response.text();
    if (response.status === 200) return "OK";
    return `${codeOf(response.status, text, failure)} got response ${response.status} ${shown(text)}`;
  }

  #tell(frame: Readonly<Uint8Array>): void {
    if (!this.#ended) this.owner?.received(frame);
  }

  #finish(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#heartbeat);
    this.#end.abort();
    this.owner?.ended(error);
  }
}

/** The code of protocol V2 for an answer of HTTP. */
function codeOf(status: number, text: string, failure: string): string {
  if (status === 401 || status === 403) return "E_UNAUTHORIZED";
  if (status >= 500 || status === 429) return failure;
  return /TOPIC/.test(text) ? "E_BAD_TOPIC" : "E_BAD_MESSAGE";
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, SHOWN_MAX));
}
