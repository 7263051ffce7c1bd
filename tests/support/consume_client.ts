/**
 * Consuming over HTTP as tests do it: requests to an nsqd, and what they come to.
 *
 * @module
 */

/** The channel that tests consume. */
export const QUERY = "topic=t&channel=c";

/** An answer. */
export interface ConsumeAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

/** A message as JSON. */
export interface JsonMessage {
  readonly id: string;
  readonly lease: string;
  readonly attempts: number;
  readonly timestamp: string;
  readonly expires_in_ms: number;
  readonly body: string;
  readonly encoding?: string;
}

/** Asks one nsqd. */
export class ConsumeClient {
  readonly url: string;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;

  /** `url` is that of the HTTP API. */
  constructor(url: string, options: { readonly token?: string | undefined } = {}) {
    this.url = url;
    this.headers = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
  }

  /** Sends a GET. */
  get(target: string): Promise<Response> {
    return fetch(`${this.url}${target}`, { headers: this.headers });
  }

  /** Sends a POST. */
  async post(
    target: string,
    body: BodyInit = "",
    given: Record<string, string> = {},
  ): Promise<ConsumeAnswer> {
    const headers = { ...this.headers, ...given };
    const response = await fetch(`${this.url}${target}`, { method: "POST", body, headers });
    return { status: response.status, text: await response.text(), headers: response.headers };
  }

  /** Sends a POST; the status and the body of the answer. */
  async answer(target: string, body: BodyInit = "", headers: Record<string, string> = {}): Promise<string> {
    const { status, text } = await this.post(target, body, headers);
    return `${status} ${text}`;
  }

  /** Makes the channel, and publishes to its topic. */
  async publish(...bodies: readonly BodyInit[]): Promise<void> {
    await this.post("/topic/create?topic=t");
    await this.post(`/channel/create?${QUERY}`);
    for (const body of bodies) await this.post("/pub?topic=t", body);
  }

  /** Receives; `wish` is what is asked for, such as `&max=1`. */
  async receive(wish = ""): Promise<JsonMessage[]> {
    const { status, text } = await this.post(`/receive?${QUERY}${wish}`);
    if (status !== 200) throw new Error(`receive: ${status} ${text}`);
    return JSON.parse(text).messages;
  }

  /** A stream of events. */
  async subscribe(wish = ""): Promise<EventReader> {
    const left = new AbortController();
    const { headers } = this;
    const response = await fetch(`${this.url}/subscribe?${QUERY}${wish}`, { headers, signal: left.signal });
    return new EventReader(response, left);
  }
}

/** Reads a stream of events, one by one. */
export class EventReader implements Disposable {
  readonly response: Response;
  readonly #left: AbortController;
  readonly #reader: ReadableStreamDefaultReader<string> | undefined;
  #text = "";

  constructor(response: Response, left: AbortController) {
    this.response = response;
    this.#left = left;
    this.#reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** The next event, without the line at its end; `undefined` at the end of the stream. */
  async next(): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const event = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        return event;
      }
      const part = await this.#reader?.read();
      if (part?.value === undefined) return undefined;
      this.#text += part.value;
    }
  }

  /** The next event, which is a message. */
  async message(): Promise<JsonMessage> {
    const event = await this.next();
    const [, id, data] = /^id: (.*)\ndata: (.*)$/.exec(event ?? "") ?? [];
    if (data === undefined) throw new Error(`No message: ${event}`);
    const message = JSON.parse(data);
    if (message.lease !== id) throw new Error(`The id is not the lease: ${event}`);
    return message;
  }

  /** Leaves. */
  [Symbol.dispose](): void {
    this.#left.abort();
    // Whoever reads knows that it has left.
    this.#reader?.closed.catch((error: unknown) => error);
  }
}
