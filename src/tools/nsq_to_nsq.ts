/**
 * nsq_to_nsq: publishes the messages of topics to other nsqds. A message is finished when one of them has it.
 *
 * @module
 */

import { Consumer, type ConsumerOptions, type Message } from "../client/mod.ts";
import { isValidChannelName, isValidTopicName } from "../protocol/names.ts";
import { follow } from "./connecting.ts";
import { deadLetterOf, DeadLetters } from "./dead_letters.ts";
import { Destinations } from "./destinations.ts";
import { jsonJudge } from "./json_rules.ts";
import { NSQ_TO_NSQ_OPTIONS, type NsqToNsqOptions } from "./nsq_to_nsq_options.ts";
import { checkAddresses, consumerOptions, parsed, producerOptions, usable } from "./options.ts";
import { Progress } from "./progress.ts";
import { isSampled } from "./sample.ts";
import { Timings } from "./timings.ts";
import { type ExitCode, runTool, type Tool, type ToolContext, ToolError, whenAborted } from "./tool.ts";
import { discoverTopics, parseTopicPattern } from "./topic_discovery.ts";
import { parseRename } from "./topic_rename.ts";

/** How long an nsqlookupd may take to tell which topics there are. */
const LOOKUPD_TIMEOUTS = { connectTimeoutMs: 2000, requestTimeoutMs: 5000 };

/** nsq_to_nsq, to be run by `runTool()`. */
export const NSQ_TO_NSQ: Tool<typeof NSQ_TO_NSQ_OPTIONS> = {
  name: "nsq_to_nsq",
  table: NSQ_TO_NSQ_OPTIONS,
  run,
};

/** Runs nsq_to_nsq as the process's program. */
export function runNsqToNsq(args: readonly string[]): Promise<number> {
  return runTool(NSQ_TO_NSQ, args);
}

async function run(options: NsqToNsqOptions, context: ToolContext): Promise<ExitCode> {
  check(options);
  const matches = parsed("topic-pattern", options.topicPattern, parseTopicPattern);
  const forwarding = new Forwarding(options, context);
  const stop = new AbortController();
  context.stop.addEventListener("abort", () => stop.abort());
  using _progress = new Progress({
    log: context.log,
    logged: false,
    count: () => forwarding.finished,
    text: (count) => `${count} messages dealt with`,
  });
  try {
    for (const topic of new Set(options.topic)) forwarding.begin(topic);
    const discovery = options.topicPattern === "" ? Promise.resolve() : discoverTopics({
      lookupd: options.lookupdHttpAddress,
      refreshMs: options.topicRefresh,
      ...LOOKUPD_TIMEOUTS,
      found: (topic) => {
        if (matches(topic)) forwarding.beginFound(topic);
      },
      failed: (text) => context.log.error(`could not retrieve topic list: ${text}`),
    }, stop.signal);
    await Promise.race([whenAborted(context.stop), forwarding.failed]);
    stop.abort();
    await discovery;
  } finally {
    stop.abort();
    await forwarding.close();
  }
  if (forwarding.failure !== undefined) throw forwarding.failure;
  return 0;
}

/** Everything that takes messages of topics and publishes them. */
class Forwarding {
  /** Why it has ended early. */
  failure: Error | undefined;
  readonly #options: NsqToNsqOptions;
  readonly #context: ToolContext;
  readonly #consumerOptions: ConsumerOptions;
  readonly #judge: ReturnType<typeof jsonJudge>;
  readonly #rename: (topic: string) => string;
  readonly #deadLetters: DeadLetters | undefined;
  readonly #destinations: Destinations;
  readonly #consumers = new Map<string, Consumer>();
  readonly #stop = new AbortController();
  readonly #failed = Promise.withResolvers<void>();
  #followed = 0;

  /** @throws {ToolError} */
  constructor(options: NsqToNsqOptions, context: ToolContext) {
    const { requireJsonField, requireJsonValue, whitelistJsonField, batch, statusEvery } = options;
    const { destinationNsqdTcpAddress: nsqd, destinationLookupdHttpAddress: lookupd } = options;
    this.#options = options;
    this.#context = context;
    this.#judge = parsed(
      "require-json-field or --whitelist-json-field",
      requireJsonField,
      () =>
        jsonJudge({
          requireField: requireJsonField,
          requireValue: requireJsonValue,
          fields: whitelistJsonField,
        }),
    );
    this.#rename = parsed("rename", options.rename, parseRename);
    const deadLetter = deadLetterOf(options, this.#judge !== undefined);
    this.#consumerOptions = consumerOptions(NSQ_TO_NSQ.name, options, deadLetter);
    this.#deadLetters = deadLetter === undefined
      ? undefined
      : usable(() => new DeadLetters(deadLetter, this.#consumerOptions));
    const timings = new Timings(context.log, statusEvery, nsqd);
    this.#destinations = new Destinations({
      nsqd,
      lookupd,
      mode: options.mode,
      producer: {
        ...producerOptions(NSQ_TO_NSQ.name, options),
        batch: batch === 1 ? false : { messages: batch },
      },
      took: (destination, ms) => timings.add(destination, ms),
      failed: (text) => context.log.error(text),
    });
    for (const producer of this.#destinations.producers.values()) this.#follow(producer, undefined);
    this.#destinations.connect(this.#stop.signal);
  }

  /** Settles when nsqd refuses the tool. */
  get failed(): Promise<void> {
    return this.#failed.promise;
  }

  /** How many messages are finished. */
  get finished(): number {
    return [...this.#consumers.values()].reduce((sum, { stats }) => sum + stats.finished, 0);
  }

  /** Begins to pass on a topic. @throws {ToolError} */
  begin(topic: string): void {
    const { channel, destinationTopic } = this.#options;
    const to = destinationTopic === "" ? this.#rename(topic) : destinationTopic;
    if (!isValidTopicName(to)) {
      throw new ToolError(
        `--rename makes ${JSON.stringify(to)} of ${topic}, which is not the name of a topic`,
      );
    }
    const consumer = usable(() => new Consumer(topic, channel, this.#consumerOptions));
    this.#consumers.set(topic, consumer);
    this.#follow(consumer, `${topic}/${channel}`);
    // While a destination is slow, nsqd is told that its messages are not lost.
    void consumer.run((message) => this.#pass(message, to), { autoTouch: true });
  }

  /** Begins to pass on a topic that was found; one that cannot be passed on keeps none of the others from it. */
  beginFound(topic: string): void {
    try {
      this.begin(topic);
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      this.#context.log.error(`topic ${topic} is not passed on - ${error.message}`);
    }
  }

  /** Publishes what is held, requeues what is not, and closes the connections. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(Array.from(this.#consumers.values(), (consumer) => consumer.close()));
    await this.#destinations.close();
    await this.#deadLetters?.close();
  }

  async #pass(message: Message, topic: string): Promise<void> {
    if (!isSampled(this.#options.sample)) return;
    const verdict = this.#judge?.(message.body) ?? { kind: "passed", body: message.body };
    if (verdict.kind === "passed") return await this.#destinations.publish(topic, verdict.body);
    if (verdict.kind === "left out") return;
    this.#context.log.error(`ERROR: ${verdict.reason}: ${message.text()}`);
    await this.#deadLetters?.add(message);
  }

  #follow(client: Parameters<typeof follow>[0], scope: string | undefined): void {
    const retry = scope === undefined || this.#options.retry;
    const options = {
      log: this.#context.log,
      id: ++this.#followed,
      retry,
      ...scope !== undefined && { scope },
    };
    follow(client, options).catch((error) => {
      this.failure ??= error;
      this.#failed.resolve();
    });
  }
}

/** Checks in NSQ's order what must hold. @throws {ToolError} */
function check(options: NsqToNsqOptions): void {
  const { topic, topicPattern, channel, destinationTopic, sample } = options;
  const { destinationNsqdTcpAddress: nsqd, destinationLookupdHttpAddress: lookupd } = options;
  if ((topic.length === 0 && topicPattern === "") || channel === "") {
    throw new ToolError("--topic and --channel are required");
  }
  if (topic.length > 0 && topicPattern !== "") throw new ToolError("use --topic or --topic-pattern not both");
  if (!topic.every(isValidTopicName)) throw new ToolError("--topic is invalid");
  if (destinationTopic !== "" && !isValidTopicName(destinationTopic)) {
    throw new ToolError("--destination-topic is invalid");
  }
  if (!isValidChannelName(channel)) throw new ToolError("--channel is invalid");
  checkAddresses(
    { flag: "nsqd-tcp-address", addresses: options.nsqdTcpAddress },
    options.lookupdHttpAddress,
  );
  if (nsqd.length === 0 && lookupd.length === 0) {
    throw new ToolError("--destination-nsqd-tcp-address or --destination-lookupd-http-address required");
  }
  if (nsqd.length > 0 && lookupd.length > 0) {
    throw new ToolError("use --destination-nsqd-tcp-address or --destination-lookupd-http-address not both");
  }
  if (topicPattern !== "" && options.lookupdHttpAddress.length === 0) {
    throw new ToolError("--topic-pattern needs --lookupd-http-address");
  }
  if (options.topicRefresh <= 0) throw new ToolError("--topic-refresh should be positive");
  if (destinationTopic !== "" && options.rename !== "") {
    throw new ToolError("use --destination-topic or --rename not both");
  }
  if (!(sample >= 0 && sample <= 1)) throw new ToolError("--sample must be between 0.0 and 1.0");
  if (options.batch < 1) throw new ToolError("--batch should be positive");
  if (options.maxInFlight < 1) throw new ToolError("--max-in-flight should be positive");
}
