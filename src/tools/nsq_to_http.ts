/**
 * nsq_to_http: sends the messages of a topic as requests of HTTP. A message is finished when its request has succeeded.
 *
 * @module
 */

import { NSQ_VERSION } from "../base/version.ts";
import { errorText } from "../base/error_text.ts";
import { Consumer, type Message } from "../client/mod.ts";
import { follow } from "./connecting.ts";
import { deadLetterOf, DeadLetters } from "./dead_letters.ts";
import { HostPool } from "./host_pool.ts";
import { CONTENT_TYPE, NSQ_TO_HTTP_OPTIONS, type NsqToHttpOptions } from "./nsq_to_http_options.ts";
import { checkAddresses, consumerOptions, usable } from "./options.ts";
import { Progress } from "./progress.ts";
import { isSampled } from "./sample.ts";
import { Timings } from "./timings.ts";
import { Batches } from "./to_http/batches.ts";
import { batchBody, getAddress, parseHeaders, retryAfterMs } from "./to_http/forms.ts";
import { type HttpAnswer, HttpSender, type RequestBody } from "./to_http/http_sender.ts";
import { type ExitCode, runTool, type Tool, type ToolContext, ToolError, whenAborted } from "./tool.ts";

/** However long an answer asks to wait, it is not more than this. */
const RETRY_AFTER_MAX_MS = 900_000;

/** nsq_to_http, to be run by `runTool()`. */
export const NSQ_TO_HTTP: Tool<typeof NSQ_TO_HTTP_OPTIONS> = {
  name: "nsq_to_http",
  table: NSQ_TO_HTTP_OPTIONS,
  run,
};

/** Runs nsq_to_http as the process's program. */
export function runNsqToHttp(args: readonly string[]): Promise<number> {
  return runTool(NSQ_TO_HTTP, args);
}

async function run(options: NsqToHttpOptions, context: ToolContext): Promise<ExitCode> {
  const headers = headersOf(options);
  check(options);
  const { topic, channel, n, batch, batchWait, sample, retry } = options;
  const deadLetter = deadLetterOf(options, options.dropOn.text !== "");
  const settings = consumerOptions(NSQ_TO_HTTP.name, options, deadLetter);
  const consumer = usable(() => new Consumer(topic, channel, settings));
  const deadLetters = deadLetter === undefined
    ? undefined
    : usable(() => new DeadLetters(deadLetter, settings));
  using sender = senderOf(options, headers);
  const posting = new Posting(options, { sender, deadLetters, context });
  const batches = new Batches<Message>({
    count: batch,
    waitMs: batchWait,
    concurrency: n,
    sizeOf: ({ body }) => body.length,
    send: (messages) => posting.send(messages),
  });
  const followed = follow(consumer, { log: context.log, id: 1, scope: `${topic}/${channel}`, retry });
  // While a request takes long, nsqd is told that its messages are not lost.
  const running = consumer.run((message) => isSampled(sample) ? batches.add(message) : undefined, {
    autoTouch: true,
  });
  using _progress = new Progress({
    log: context.log,
    logged: false,
    count: () => consumer.stats.finished,
    text: (count) => `${count} messages dealt with`,
  });
  try {
    await Promise.race([whenAborted(context.stop), followed]);
  } finally {
    batches.hurry();
    await consumer.close();
    await running;
    await deadLetters?.close();
  }
  return 0;
}

/** Sends messages, and decides what becomes of them. */
class Posting {
  readonly #options: NsqToHttpOptions;
  readonly #addresses: readonly string[];
  readonly #isGet: boolean;
  readonly #sender: HttpSender;
  readonly #deadLetters: DeadLetters | undefined;
  readonly #context: ToolContext;
  readonly #pool: HostPool;
  readonly #timings: Timings;

  constructor(options: NsqToHttpOptions, parts: {
    readonly sender: HttpSender;
    readonly deadLetters: DeadLetters | undefined;
    readonly context: ToolContext;
  }) {
    const { get, post, mode, statusEvery } = options;
    this.#options = options;
    this.#isGet = get.length > 0;
    this.#addresses = this.#isGet ? get : post;
    this.#sender = parts.sender;
    this.#deadLetters = parts.deadLetters;
    this.#context = parts.context;
    this.#pool = new HostPool(this.#addresses, mode === "all" ? "round-robin" : mode);
    this.#timings = new Timings(parts.context.log, statusEvery, this.#addresses);
  }

  /** Sends messages in one request, or in one to each address. Rejects when they are to be sent again. */
  async send(messages: readonly Message[]): Promise<void> {
    // What nsqd has given to somebody else is not sent twice from here.
    const live = messages.filter(({ expired, settled }) => !expired && !settled);
    if (live.length === 0) return;
    const { mode } = this.#options;
    const addresses = mode === "all" ? this.#addresses : [this.#pool.pick(performance.now())];
    for (const address of addresses) {
      const answer = await this.#request(address, live);
      if (this.#isSuccess(answer)) continue;
      return await this.#refused(address, answer, live);
    }
  }

  async #request(address: string, messages: readonly Message[]): Promise<HttpAnswer> {
    const startMs = performance.now();
    const [url, body] = this.#form(address, messages);
    const headers = this.#options.metaHeaders ? metaHeaders(messages[0]) : {};
    const mark = (failed: boolean) => {
      const nowMs = performance.now();
      this.#pool.mark(address, { failed, tookMs: nowMs - startMs, nowMs });
    };
    try {
      const answer = await this.#sender.send(url, body, headers);
      mark(!this.#isSuccess(answer));
      if (this.#isSuccess(answer)) {
        for (const _ of messages) this.#timings.add(address, performance.now() - startMs);
      }
      return answer;
    } catch (error) {
      mark(true);
      throw error;
    }
  }

  #form(address: string, messages: readonly Message[]): [string, RequestBody] {
    if (this.#isGet) return [getAddress(address, messages[0].body), undefined];
    const { batch, batchForm } = this.#options;
    return [address, batch === 1 ? messages[0].body : batchBody(batchForm, messages.map(({ body }) => body))];
  }

  #isSuccess({ status }: HttpAnswer): boolean {
    return this.#isGet ? status === 200 : status >= 200 && status < 300;
  }

  async #refused(
    address: string,
    { status, retryAfter }: HttpAnswer,
    messages: readonly Message[],
  ): Promise<void> {
    const { log } = this.#context;
    if (this.#options.dropOn.has(status)) {
      for (const message of messages) {
        log.error(
          `ERROR: ${address} got status code ${status} for msg ${message.id}, which is not sent again`,
        );
        await this.#deadLetters?.add(message);
      }
      return;
    }
    const delayMs = retryAfterMs(retryAfter, Date.now());
    if (delayMs === undefined) throw new Error(`got status code ${status}`);
    log.error(
      `ERROR: ${address} got status code ${status}, and asks to wait for ${Math.ceil(delayMs / 1000)} s`,
    );
    for (const message of messages) message.requeue({ delayMs: Math.min(delayMs, RETRY_AFTER_MAX_MS) });
  }
}

function metaHeaders({ topic, channel, id, attempts, timestampNs }: Message): Record<string, string> {
  return {
    "X-NSQ-Topic": topic,
    "X-NSQ-Channel": channel,
    "X-NSQ-Id": id,
    "X-NSQ-Attempts": String(attempts),
    "X-NSQ-Timestamp": String(timestampNs),
    "Idempotency-Key": `${topic}-${id}-${timestampNs}`,
  };
}

function headersOf({ header }: NsqToHttpOptions): Readonly<Record<string, string>> {
  try {
    return parseHeaders(header);
  } catch (error) {
    if (error instanceof SyntaxError) throw new ToolError(error.message, { cause: error });
    throw error;
  }
}

function senderOf(options: NsqToHttpOptions, headers: Readonly<Record<string, string>>): HttpSender {
  const { method, contentType, gzip, n, hmacKeyFile, clientCert, clientKey, rootCa } = options;
  const pem = (flag: string, path: string) => new TextDecoder().decode(fileAt(flag, path));
  return new HttpSender({
    method: method === "" ? "POST" : method.toUpperCase(),
    headers,
    contentType,
    gzip,
    hmacKey: hmacKeyFile === "" ? undefined : withoutLineEnd(fileAt("hmac-key-file", hmacKeyFile)),
    tls: {
      ...clientCert !== "" && { cert: pem("client-cert", clientCert), key: pem("client-key", clientKey) },
      ...rootCa !== "" && { ca: pem("root-ca", rootCa) },
    },
    connections: n,
    connectTimeoutMs: options.httpClientConnectTimeout,
    requestTimeoutMs: options.httpClientRequestTimeout,
    userAgent: `nsq_to_http v${NSQ_VERSION}`,
  });
}

function fileAt(flag: string, path: string): Uint8Array {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    throw new ToolError(`--${flag} cannot be read - ${errorText(error)}`, { cause: error });
  }
}

/** Editors end a file with a line end, which is no part of a key. */
function withoutLineEnd(key: Uint8Array): Uint8Array {
  return key.at(-1) === 10 ? key.subarray(0, -1) : key;
}

/** Checks in NSQ's order what must hold. @throws {ToolError} */
function check(options: NsqToHttpOptions): void {
  const { topic, channel, get, post, contentType, sample, batch, method } = options;
  if (topic === "" || channel === "") throw new ToolError("--topic and --channel are required");
  if (contentType !== CONTENT_TYPE) {
    if (post.length === 0) throw new ToolError("--content-type only used with --post");
    if (contentType === "") throw new ToolError("--content-type requires a value when used");
  }
  checkAddresses({ flag: "nsqd-tcp-address", addresses: options.nsqdTcpAddress }, options.lookupdHttpAddress);
  if (get.length === 0 && post.length === 0) throw new ToolError("--get or --post required");
  if (get.length > 0 && post.length > 0) throw new ToolError("use --get or --post not both");
  for (const address of get) {
    if (address.split("%s").length !== 2) {
      throw new ToolError("invalid GET address - must be a printf string");
    }
  }
  for (const address of [...get, ...post]) {
    if (!/^https?:\/\//.test(address) || !URL.canParse(address)) {
      throw new ToolError(`not the URL of an HTTP server: ${JSON.stringify(address)}`);
    }
  }
  if (!(sample >= 0 && sample <= 1)) throw new ToolError("ERROR: --sample must be between 0.0 and 1.0");
  if (options.n < 1) throw new ToolError("-n should be positive");
  if (options.maxInFlight < 1) throw new ToolError("--max-in-flight should be positive");
  for (const flag of ["httpClientConnectTimeout", "httpClientRequestTimeout"] as const) {
    if (options[flag] <= 0) throw new ToolError(`--${NSQ_TO_HTTP_OPTIONS[flag].flag} should be positive`);
  }
  if (batch < 1) throw new ToolError("--batch should be positive");
  if (batch > 1 && get.length > 0) throw new ToolError("--batch needs --post");
  if (batch > 1 && options.metaHeaders) {
    throw new ToolError("--meta-headers is of one message: not with --batch");
  }
  if (method !== "" && post.length === 0) throw new ToolError("--method needs --post");
  if (method !== "" && !/^[A-Za-z]+$/.test(method)) throw new ToolError("--method is no method of HTTP");
  if ((options.clientCert === "") !== (options.clientKey === "")) {
    throw new ToolError("--client-cert and --client-key go together");
  }
}
