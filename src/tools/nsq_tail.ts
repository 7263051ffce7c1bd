/**
 * nsq_tail: shows the messages of topics as they come.
 *
 * @module
 */

import { clearTimeout, setTimeout } from "node:timers";
import { formatDuration } from "../base/duration.ts";
import { Consumer, type Message } from "../client/mod.ts";
import { follow } from "./connecting.ts";
import type { Filter } from "./filter.ts";
import { Gunzip } from "./gunzip.ts";
import { withBody } from "./message_form.ts";
import { NSQ_TAIL_OPTIONS, type NsqTailOptions } from "./nsq_tail_options.ts";
import { checkAddresses, consumerOptions, usable } from "./options.ts";
import { runPeek } from "./peek_tail.ts";
import { Progress } from "./progress.ts";
import { ShownMessages } from "./shown_messages.ts";
import { filterOf, formOf, writeFailure } from "./tail_form.ts";
import { type ExitCode, runTool, type Tool, type ToolContext, ToolError, whenAborted } from "./tool.ts";

/** nsq_tail, to be run by `runTool()`. */
export const NSQ_TAIL: Tool<typeof NSQ_TAIL_OPTIONS> = { name: "nsq_tail", table: NSQ_TAIL_OPTIONS, run };

/** Runs nsq_tail as the process's program. */
export function runNsqTail(args: readonly string[]): Promise<number> {
  return runTool(NSQ_TAIL, args);
}

async function run(options: NsqTailOptions, context: ToolContext): Promise<ExitCode> {
  if (options.peek) return await runPeek(options, context);
  const { nsqdTcpAddress, lookupdHttpAddress, n, ack } = options;
  checkAddresses({ flag: "nsqd-tcp-address", addresses: nsqdTcpAddress }, lookupdHttpAddress);
  if (options.topic.length === 0) throw new ToolError("--topic required");
  if (options.since !== 0) throw new ToolError("--since goes with --peek");
  if (ack === "requeue" && n === 0) {
    throw new ToolError("--ack=requeue needs -n: the number of messages to hold until the end");
  }
  const form = formOf(options);
  const filter = filterOf(options);

  const channel = options.channel || ownChannel();
  const settings = consumerOptions(NSQ_TAIL.name, { ...options, maxInFlight: inFlightMax(options) });
  const consumers = options.topic.map((topic) => usable(() => new Consumer(topic, channel, settings)));
  const held: Message[] = [];
  const written = ack === "finish" ? finish : (message: Message) => void held.push(message);
  const tails = new Tails({
    filter,
    count: n,
    idleMs: options.timeout,
    gunzip: options.gunzip ? new Gunzip(context.log) : undefined,
    shown: new ShownMessages(context.world.stdout, form, written),
    leftOut: written,
  });

  // On a terminal the messages themselves show how far it is.
  using _progress = context.world.stdout.isTerminal() ? undefined : new Progress({
    log: context.log,
    logged: false,
    count: () => tails.shown.count,
    text: (count) => `${count} messages shown`,
  });
  const followed = consumers.map((consumer, i) => {
    context.log.info(`Adding consumer for topic: ${consumer.topic}`);
    const scope = `${consumer.topic}/${channel}`;
    return follow(consumer, { log: context.log, id: i + 1, scope, retry: options.retry });
  });
  try {
    await Promise.race([whenAborted(context.stop), tails.run(consumers), ...followed]);
  } finally {
    await tails.shown.flush();
    for (const message of held) message.requeue({ delayMs: 0, backoff: false });
    // Each waits until what is on its way is shown and finished, and requeues the rest.
    await Promise.all(consumers.map((consumer) => consumer.close()));
  }
  const { failure } = tails;
  // Whoever reads has seen enough: that is no failure.
  if (failure === undefined || failure instanceof Deno.errors.BrokenPipe) return 0;
  throw failure;
}

/** The tails of all topics. */
class Tails {
  readonly shown: ShownMessages;
  /** Why they have ended early. */
  failure: Error | undefined;
  readonly #filter: Filter | undefined;
  readonly #count: number;
  readonly #idleMs: number;
  readonly #gunzip: Gunzip | undefined;
  readonly #leftOut: (message: Message) => void;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #whenIdle: (() => void) | undefined;

  constructor(parts: {
    readonly shown: ShownMessages;
    readonly filter: Filter | undefined;
    /** Of messages of a topic. */
    readonly count: number;
    /** They end when nothing has come for so long. */
    readonly idleMs: number;
    readonly gunzip: Gunzip | undefined;
    /** What is done with messages that are not wanted. */
    readonly leftOut: (message: Message) => void;
  }) {
    this.shown = parts.shown;
    this.#filter = parts.filter;
    this.#count = parts.count;
    this.#idleMs = parts.idleMs;
    this.#gunzip = parts.gunzip;
    this.#leftOut = parts.leftOut;
  }

  /** Shows messages until one of the topics has shown all that are wanted, or that is not possible any more. */
  async run(consumers: readonly Consumer[]): Promise<void> {
    const idle = new Promise<void>((resolve) => this.#whenIdle = resolve);
    this.#came();
    await Promise.race([
      idle.then(() => {
        const text = `no message for ${formatDuration(this.#idleMs)}`;
        this.failure ??= new ToolError(text, { code: 124 });
      }),
      this.shown.failed.then((error) => this.failure ??= writeFailure(error)),
      ...consumers.map((consumer) => this.#tail(consumer)),
    ]);
    clearTimeout(this.#idle);
  }

  async #tail(consumer: Consumer): Promise<void> {
    // It is not left as a loop, which would requeue the last message before it is out.
    const messages = consumer[Symbol.asyncIterator]();
    for (let left = this.#count > 0 ? this.#count : Infinity; left > 0;) {
      const { value: message, done } = await messages.next();
      if (done) return;
      if (this.#idle !== undefined) this.#came();
      const fields = this.#gunzip ? withBody(message, await this.#gunzip.body(message)) : message;
      if (this.#filter && !this.#filter(fields)) this.#leftOut(message);
      else {
        this.shown.show(message, fields);
        left--;
      }
    }
  }

  /** A message has come. */
  #came(): void {
    if (this.#idleMs <= 0) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#whenIdle?.(), this.#idleMs);
  }
}

function finish(message: Message): void {
  message.finish();
}

/** No more are asked for than are wanted, unless some of them will be left out. */
function inFlightMax({ n, maxInFlight, ack }: NsqTailOptions): number {
  if (n === 0) return maxInFlight;
  return ack === "requeue" ? Math.max(n, maxInFlight) : Math.min(n, maxInFlight);
}

function ownChannel(): string {
  return `tail${String(Math.floor(Math.random() * 999_999)).padStart(6, "0")}#ephemeral`;
}
