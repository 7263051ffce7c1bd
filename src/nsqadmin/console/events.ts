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

import { Answer, HeaderBlock } from "../../http/answer.ts";
import { HttpError } from "../../http/http_error.ts";

/** Pages that are told at a time. */
export const PAGES_MAX = 500;
/** Events that may wait for a browser to read them: one that does not is left, and may come again. */
export const EVENTS_WAITING_MAX = 16;
/** How often something is sent, whatever happens: proxies cut what is silent, in ms. */
export const BEAT_INTERVAL_MS = 15_000;
const FIRST_EVENT = "retry: 2000\n\n";
const BEAT = ":\n\n";

const HEADERS = new HeaderBlock([
  ["Content-Type", "text/event-stream"],
  ["Cache-Control", "no-store"],
  ["X-Content-Type-Options", "nosniff"],
  // For nginx, which would gather what it passes on.
  ["X-Accel-Buffering", "no"],
]);
const ENCODER = new TextEncoder();

/** All pages that are told. */
export class PageEvents {
  readonly #pages = new Set<ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>>();
  #isEnded = false;

  /** Somebody looks, for as long as that. */
  get isListened(): boolean {
    return this.#pages.size > 0;
  }

  /** The answer to a page that wants to be told. @throws {HttpError} 503 */
  add(): Answer {
    if (this.#isEnded || this.#pages.size >= PAGES_MAX) throw new HttpError(503, "TOO_MANY_PAGES");
    let page: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        page = controller;
        this.#pages.add(page);
        page.enqueue(ENCODER.encode(FIRST_EVENT));
      },
      cancel: () => void this.#pages.delete(page),
    }, { highWaterMark: EVENTS_WAITING_MAX });
    return new Answer(200, HEADERS, stream);
  }

  /** Tells of a round. */
  tell(round: number): void {
    this.#send(`event: round\ndata: ${round}\n\n`);
  }

  /** Says that it is still there. */
  beat(): void {
    this.#send(BEAT);
  }

  /** Tells nobody any more. */
  end(): void {
    this.#isEnded = true;
    for (const page of this.#pages) page.close();
    this.#pages.clear();
  }

  #send(text: string): void {
    const bytes = ENCODER.encode(text);
    for (const page of this.#pages) {
      if ((page.desiredSize ?? 0) > 0) page.enqueue(bytes);
      else {
        this.#pages.delete(page);
        page.error(new Deno.errors.TimedOut("The browser does not read"));
      }
    }
  }
}
