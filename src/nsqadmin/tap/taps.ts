/**
 * All taps that are open: what they see is sent to a page as Server-Sent Events, or gathered for a while.
 *
 * @module
 */

import { every } from "../../base/every.ts";
import { Answer } from "../../http/answer.ts";
import { HttpError } from "../../http/http_error.ts";
import {
  EVENT_STREAM_BEAT,
  EVENT_STREAM_BEAT_INTERVAL_MS,
  EVENT_STREAM_HEADERS,
  FIRST_EVENT,
} from "../../http/server_sent_events.ts";
import type { TapOptions, TapOrder, TappedMessage, TapViewer, TapWords } from "./tap.ts";

/** That are open at a time. */
export const TAPS_MAX = 10;
/** Messages of a node that are on their way. */
export const READY_MAX = 50;
/** Messages in a second that one shows. */
export const TAP_RATE_MAX = 50;
/** How long one is open, in ms. */
export const TAP_TIME_MAX_MS = 10 * 60_000;
/** Messages that are gathered. */
export const GATHERED_MAX = 50;
/** For how long, in s. */
export const GATHERING_MAX_S = 10;
/** Events that may wait for a browser to read them; no more messages are taken meanwhile. */
const EVENTS_WAITING_MAX = 16;
const ENCODER = new TextEncoder();

/** What {@linkcode Taps} is given. */
export interface TapsOptions extends Pick<TapOptions, "cluster" | "clock"> {
  /** How nodes are connected to, as it is now. */
  readonly connection: () => TapOptions["connection"];
  /** Runs something that never rejects. */
  readonly spawn: (run: () => Promise<void>) => void;
}

/** What was gathered. */
export interface Gathered {
  readonly messages: readonly TappedMessage[];
  /** What was not as it should be. */
  readonly problems: readonly string[];
}

/** See above. */
export class Taps {
  readonly #options: TapsOptions;
  /** Each is ended by its controller. */
  readonly #open = new Map<AbortController, Promise<void>>();
  #isEnded = false;

  constructor(options: TapsOptions) {
    this.#options = options;
  }

  /** What comes within so many seconds, up to so many messages. @throws {HttpError} 503 */
  async gather(
    order: TapOrder,
    { seconds, messages: most, words }: {
      readonly seconds: number;
      readonly messages: number;
      readonly words: TapWords;
    },
  ): Promise<Gathered> {
    const messages: TappedMessage[] = [];
    const problems = new Set<string>();
    using tap = this.#begin();
    const { end } = tap;
    const timer = setTimeout(() => end.abort(), seconds * 1000);
    const reason = await this.#run(order, {
      words,
      message: (message) => {
        messages.push(message);
        if (messages.length >= most) end.abort();
      },
      problem: (text) => void problems.add(text),
      mayGoOn: () => messages.length < most,
    }, end.signal);
    clearTimeout(timer);
    if (reason !== undefined) problems.add(reason);
    return { messages, problems: [...problems] };
  }

  /** Tells a page of each message, as `textOf` writes it, for as long as it may be told. @throws {HttpError} 503 */
  stream(
    order: TapOrder,
    { words, textOf, mayGoOn }: {
      readonly words: TapWords;
      readonly textOf: (message: TappedMessage) => string;
      readonly mayGoOn: () => boolean;
    },
  ): Answer {
    const tap = this.#begin();
    const { end } = tap;
    let isLeft = false;
    let hasRoom = Promise.withResolvers<void>();
    end.signal.addEventListener("abort", () => hasRoom.resolve());
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (page) => {
        const send = (text: string) => {
          if (!end.signal.aborted) page.enqueue(ENCODER.encode(text));
        };
        send(FIRST_EVENT);
        this.#options.spawn(async () => {
          using _tap = tap;
          const beating = every(EVENT_STREAM_BEAT_INTERVAL_MS, end.signal, () => send(EVENT_STREAM_BEAT));
          const timer = setTimeout(() => end.abort(TIME_IS_OVER), TAP_TIME_MAX_MS);
          const reason = await this.#run(order, {
            words,
            message: async (message) => {
              send(event("message", textOf(message)));
              if ((page.desiredSize ?? 0) > 0) return;
              hasRoom = Promise.withResolvers();
              await hasRoom.promise;
            },
            problem: (text) => {
              // Of these there is no end where a node is away.
              if ((page.desiredSize ?? 0) > 0) send(event("problem", text));
            },
            mayGoOn,
          }, end.signal);
          clearTimeout(timer);
          end.abort();
          await beating;
          // Also who was to be left may have gone by himself meanwhile.
          if (isLeft) return;
          const said = end.signal.reason === TIME_IS_OVER ? words.timeIsOver : reason;
          if (said !== undefined) page.enqueue(ENCODER.encode(event("over", said)));
          page.close();
        });
      },
      pull: () => hasRoom.resolve(),
      cancel: () => {
        isLeft = true;
        end.abort();
      },
    }, { highWaterMark: EVENTS_WAITING_MAX });
    return new Answer(200, EVENT_STREAM_HEADERS, stream);
  }

  /** Ends all of them, for good. */
  end(): void {
    this.#isEnded = true;
    for (const end of this.#open.keys()) end.abort();
  }

  /** Settles when all that are ended are over. */
  async ended(): Promise<void> {
    await Promise.all(this.#open.values());
  }

  #begin(): Disposable & { readonly end: AbortController } {
    if (this.#isEnded || this.#open.size >= TAPS_MAX) throw new HttpError(503, "TOO_MANY_TAPS");
    const end = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#open.set(end, promise);
    return {
      end,
      [Symbol.dispose]: () => {
        this.#open.delete(end);
        end.abort();
        resolve();
      },
    };
  }

  async #run(order: TapOrder, viewer: TapViewer, signal: AbortSignal): Promise<string | undefined> {
    const { cluster, clock, connection } = this.#options;
    // A start does without it.
    const { runTap } = await import("./tap.ts");
    const options = { cluster, clock, order, connection: connection(), rateMax: TAP_RATE_MAX };
    return await runTap(options, viewer, signal);
  }
}

const TIME_IS_OVER = Symbol("time is over");

function event(name: string, text: string): string {
  return `event: ${name}\n${text.split("\n").map((line) => `data: ${line}\n`).join("")}\n`;
}
