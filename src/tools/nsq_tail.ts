/**
 * nsq_tail: shows the messages of topics as they come.
 *
 * @module
 */

import { Consumer, type Message } from "../client/mod.ts";
import type { Output } from "../net/output.ts";
import { follow } from "./connecting.ts";
import { NSQ_TAIL_OPTIONS, type NsqTailOptions } from "./nsq_tail_options.ts";
import { checkAddresses, consumerOptions, usable } from "./options.ts";
import { ShownMessages } from "./shown_messages.ts";
import { type ExitCode, runTool, type Tool, type ToolContext, ToolError, whenAborted } from "./tool.ts";

const NEWLINE = 10;

/** nsq_tail, to be run by `runTool()`. */
export const NSQ_TAIL: Tool<typeof NSQ_TAIL_OPTIONS> = { name: "nsq_tail", table: NSQ_TAIL_OPTIONS, run };

/** Runs nsq_tail as the process's program. */
export function runNsqTail(args: readonly string[]): Promise<number> {
  return runTool(NSQ_TAIL, args);
}

async function run(options: NsqTailOptions, context: ToolContext): Promise<ExitCode> {
  const { nsqdTcpAddress, lookupdHttpAddress, n, retry } = options;
  checkAddresses({ flag: "nsqd-tcp-address", addresses: nsqdTcpAddress }, lookupdHttpAddress);
  if (options.topic.length === 0) throw new ToolError("--topic required");

  const channel = options.channel || ownChannel();
  // No more are asked for than are wanted.
  const maxInFlight = n > 0 ? Math.min(n, options.maxInFlight) : options.maxInFlight;
  const settings = consumerOptions(NSQ_TAIL.name, { ...options, maxInFlight });
  const consumers = options.topic.map((topic) => usable(() => new Consumer(topic, channel, settings)));
  const shown = new ShownMessages(context.world.stdout, formOf(options), (message) => message.finish());

  const followed = consumers.map((consumer, i) => {
    context.log.info(`Adding consumer for topic: ${consumer.topic}`);
    const scope = `${consumer.topic}/${channel}`;
    return follow(consumer, { log: context.log, id: i + 1, scope, retry });
  });
  let failure: Error | undefined;
  try {
    await Promise.race([
      whenAborted(context.stop),
      shown.failed.then((error) => failure = error),
      ...consumers.map((consumer) => tail(consumer, shown, n)),
      ...followed,
    ]);
  } finally {
    // Each waits until what is on its way is shown and finished, and requeues the rest.
    await Promise.all(consumers.map((consumer) => consumer.close()));
  }
  // Whoever reads has seen enough: that is no failure.
  if (failure === undefined || failure instanceof Deno.errors.BrokenPipe) return 0;
  throw new ToolError(`cannot write to standard output - ${failure.message}`, { cause: failure });
}

/** Shows the messages of one topic: so many, or all. */
async function tail(consumer: Consumer, shown: ShownMessages, count: number): Promise<void> {
  // It is not left as a loop, which would requeue the last message before it is out.
  const messages = consumer[Symbol.asyncIterator]();
  for (let left = count > 0 ? count : Infinity; left > 0; left--) {
    const { value, done } = await messages.next();
    if (done) return;
    shown.show(value);
  }
}

function ownChannel(): string {
  return `tail${String(Math.floor(Math.random() * 999_999)).padStart(6, "0")}#ephemeral`;
}

function formOf({ printTopic }: NsqTailOptions): (message: Message, output: Output) => void {
  const encoder = new TextEncoder();
  return (message, output) => {
    if (printTopic) output.append(encoder.encode(`${message.topic} | `));
    output.append(message.body);
    output.bytes[output.reserve(1)] = NEWLINE;
  };
}
