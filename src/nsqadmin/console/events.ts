/**
 * `GET /events`: tells open pages of each round of the poller, as Server-Sent Events (HTML, "Server-sent events"), so that
 * they load what has changed.
 *
 * ```
 *  retry: 2000
 *
 *  event: round
 *  data: 17
 * ```
 *
 * @module
 */

import { Answer } from "../../http/answer.ts";
import { HttpError } from "../../http/http_error.ts";
import { EVENT_STREAM_BEAT, EVENT_STREAM_HEADERS, FIRST_EVENT } from "../../http/server_sent_events.ts";

/** Pages that are told at a time. */
export const PAGES_MAX = 500;
/** Events that may wait for a browser to read them: one that does not is left, and may come again. */
export const EVENTS_WAITING_MAX = 16;
const ENCODER = new TextEncoder();

/** All pages that are told. */
export class PageEvents {
  /** With what says whether it may be told. */
  readonly #pages = new Map<ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>, () => boolean>();
  #isEnded = false;

  /** How many look. */
  get listening(): number {
    return this.#pages.size;
  }

  /** Somebody looks, for as long as that. */
  get isListened(): boolean {
    return this.listening > 0;
  }

  /** The answer to a page that wants to be told, for as long as it may. @throws {HttpError} 503 */
  add(mayGoOn: () => boolean = () => true): Answer {
    if (this.#isEnded || this.#pages.size >= PAGES_MAX) throw new HttpError(503, "TOO_MANY_PAGES");
    let page: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        page = controller;
        this.#pages.set(page, mayGoOn);
        page.enqueue(ENCODER.encode(FIRST_EVENT));
      },
      cancel: () => void this.#pages.delete(page),
    }, { highWaterMark: EVENTS_WAITING_MAX });
    return new Answer(200, EVENT_STREAM_HEADERS, stream);
  }

  /** Tells of a round. */
  tell(round: number): void {
    this.#send(`event: round\ndata: ${round}\n\n`);
  }

  /** Says that it is still there. */
  beat(): void {
    this.#send(EVENT_STREAM_BEAT);
  }

  /** Leaves those that may not be told any more. */
  review(): void {
    for (const [page, mayGoOn] of this.#pages) if (!mayGoOn()) this.#leave(page);
  }

  /** Tells nobody any more. */
  end(): void {
    this.#isEnded = true;
    for (const page of this.#pages.keys()) this.#leave(page);
  }

  #leave(page: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): void {
    this.#pages.delete(page);
    page.close();
  }

  #send(text: string): void {
    const bytes = ENCODER.encode(text);
    this.review();
    for (const page of this.#pages.keys()) {
      if ((page.desiredSize ?? 0) > 0) page.enqueue(bytes);
      else {
        this.#pages.delete(page);
        page.error(new Deno.errors.TimedOut("The browser does not read"));
      }
    }
  }
}
