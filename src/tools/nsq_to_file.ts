/**
 * nsq_to_file: writes the messages of topics to files. Whatever it has finished is in a file that was synced.
 *
 * @module
 */

import { hostname } from "node:os";
import { resolve } from "node:path";
import { Logger } from "../base/logger.ts";
import { errorText } from "../base/error_text.ts";
import { Consumer, type ConsumerOptions } from "../client/mod.ts";
import { follow } from "./connecting.ts";
import { deadLetterOf } from "./dead_letters.ts";
import { bodyForm, jsonForm, type MessageForm, parseFormat } from "./message_form.ts";
import { NSQ_TO_FILE_OPTIONS, type NsqToFileOptions } from "./nsq_to_file_options.ts";
import { checkAddresses, consumerOptions, parsed, usable } from "./options.ts";
import { Progress } from "./progress.ts";
import { CompletedFiles } from "./to_file/completed_files.ts";
import { type Compression, SUFFIXES } from "./to_file/compression.ts";
import { FileNames } from "./to_file/file_name.ts";
import type { FileSettings } from "./to_file/file_stream.ts";
import { adoptLeftovers } from "./to_file/leftovers.ts";
import { TopicWriter } from "./to_file/topic_writer.ts";
import { type ExitCode, runTool, type Tool, type ToolContext, ToolError, whenAborted } from "./tool.ts";
import { discoverTopics, parseTopicPattern } from "./topic_discovery.ts";

const LINE_END = Uint8Array.of(10);
/** The highest level of zstd that does without much memory. */
const ZSTD_LEVEL_MAX = 19;

/** nsq_to_file, to be run by `runTool()`. */
export const NSQ_TO_FILE: Tool<typeof NSQ_TO_FILE_OPTIONS> = {
  name: "nsq_to_file",
  table: NSQ_TO_FILE_OPTIONS,
  run,
};

/** Runs nsq_to_file as the process's program. */
export function runNsqToFile(args: readonly string[]): Promise<number> {
  return runTool(NSQ_TO_FILE, args);
}

async function run(options: NsqToFileOptions, context: ToolContext): Promise<ExitCode> {
  const { topic: topics, topicPattern, lookupdHttpAddress: lookupd } = options;
  check(options, context);
  const matches = parsed("topic-pattern", topicPattern, parseTopicPattern);
  const logger = new Logger({
    prefix: options.logPrefix,
    level: options.logLevel,
    write: (line) => context.log.plain(line),
  });
  const files = new TopicFiles(options, context, logger);
  const stop = new AbortController();
  context.stop.addEventListener("abort", () => stop.abort());
  context.onSignal("SIGHUP", () => files.closeFiles());

  const begin = (topic: string) => {
    if (matches(topic)) files.begin(topic);
    else logger.warn(`skipping topic ${topic} (doesn't match pattern ${topicPattern})`);
  };
  using _progress = new Progress({
    log: context.log,
    logged: false,
    count: () => files.finished,
    text: (count) => `${count} messages written`,
  });
  try {
    for (const topic of new Set(topics)) begin(topic);
    const discovery = topics.length > 0 ? Promise.resolve() : discoverTopics({
      lookupd,
      refreshMs: options.topicRefresh,
      connectTimeoutMs: options.httpClientConnectTimeout,
      requestTimeoutMs: options.httpClientRequestTimeout,
      found: (topic) => {
        try {
          begin(topic);
        } catch (error) {
          // One that cannot be written keeps none of the others from it.
          if (!(error instanceof ToolError)) throw error;
          logger.error(`couldn't create logger for new topic ${topic}: ${error.message}`);
        }
      },
      failed: (text) => logger.error(`could not retrieve topic list: ${text}`),
    }, stop.signal);
    await Promise.race([whenAborted(context.stop), files.failed]);
    stop.abort();
    await discovery;
  } finally {
    stop.abort();
    await files.close();
  }
  const { failure } = files;
  if (failure !== undefined) throw failure;
  return 0;
}

/** The files of all topics. */
class TopicFiles {
  /** Why they have ended early. */
  failure: Error | undefined;
  readonly #options: NsqToFileOptions;
  readonly #context: ToolContext;
  readonly #log: Logger;
  readonly #consumerOptions: ConsumerOptions;
  readonly #form: MessageForm;
  readonly #completed: CompletedFiles;
  readonly #topics = new Map<string, OneTopic>();
  readonly #failed = Promise.withResolvers<void>();

  constructor(options: NsqToFileOptions, context: ToolContext, log: Logger) {
    this.#options = options;
    this.#context = context;
    this.#log = log;
    this.#consumerOptions = consumerOptions(NSQ_TO_FILE.name, options, deadLetterOf(options));
    this.#form = formOf(options);
    this.#completed = new CompletedFiles(options.onComplete, log);
    // What is wrong with the format of names is so for every topic.
    this.#names("topic");
  }

  /** Settles when one of them cannot go on. */
  get failed(): Promise<void> {
    return this.#failed.promise;
  }

  /** How many messages are in files that were synced. */
  get finished(): number {
    return [...this.#topics.values()].reduce((sum, { consumer }) => sum + consumer.stats.finished, 0);
  }

  /** Begins to write a topic. @throws {ToolError} */
  begin(topic: string): void {
    const { channel, syncInterval, skipEmptyFiles, maxInFlight, retry } = this.#options;
    const consumer = usable(() => new Consumer(topic, channel, this.#consumerOptions));
    const scope = `[${topic}/${channel}]`;
    const names = this.#names(topic);
    const settings = this.#settings(scope);
    const writer = new TopicWriter({
      names,
      settings,
      form: this.#form,
      syncCount: Math.max(1, maxInFlight),
      syncIntervalMs: syncInterval,
      skipEmpty: skipEmptyFiles,
      isStarved: () => consumer.starved,
      log: this.#log,
    });
    const id = this.#topics.size + 1;
    const followed = follow(consumer, { log: this.#context.log, id, scope: `${topic}/${channel}`, retry });
    const work = async () => {
      if (settings.workDir !== settings.outputDir) {
        await adoptLeftovers(names, settings, { skipEmpty: skipEmptyFiles });
      }
      // It is not left as a loop, which would requeue the message that it was at.
      const messages = consumer[Symbol.asyncIterator]();
      for (let next = await messages.next(); !next.done; next = await messages.next()) writer.add(next.value);
    };
    const worked = Promise.race([work(), followed, writer.failed.then((error) => Promise.reject(error))]);
    worked.catch((error) => this.#fail(scope, error));
    this.#topics.set(topic, { consumer, writer });
  }

  /** Syncs and closes all files. */
  closeFiles(): void {
    for (const { writer } of this.#topics.values()) writer.closeFiles();
  }

  /** Finishes what is held, requeues what has not been taken, and closes everything. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#topics.values(), async ({ consumer, writer }) => {
      writer.hurry();
      await consumer.close();
      await writer.close();
    }));
    await this.#completed.idle();
  }

  #names(topic: string): FileNames {
    const { filenameFormat, datetimeFormat, hostIdentifier, rotateSize, rotateInterval } = this.#options;
    const compression = compressionOf(this.#options);
    const { workDir, outputDir } = this.#folders;
    try {
      return new FileNames({
        format: filenameFormat,
        datetimeFormat,
        topic,
        hostIdentifier,
        hostname: hostname(),
        pid: Deno.pid,
        hasRev: compression !== "none" || rotateSize > 0 || rotateInterval > 0 || workDir !== outputDir ||
          !isLines(this.#options),
        suffix: SUFFIXES[compression],
      });
    } catch (error) {
      if (error instanceof SyntaxError) throw new ToolError(error.message, { cause: error });
      throw error;
    }
  }

  #settings(scope: string): FileSettings {
    const { gzipLevel, zstdLevel, rotateSize, rotateInterval } = this.#options;
    const compression = compressionOf(this.#options);
    return {
      ...this.#folders,
      compression,
      level: compression === "zstd" ? zstdLevel : gzipLevel,
      rotateSize,
      rotateIntervalMs: rotateInterval,
      isLines: isLines(this.#options),
      appends: compression === "none" && rotateInterval <= 0 && isLines(this.#options),
      scope,
      log: this.#log,
      completed: (path) => this.#completed.add(path),
    };
  }

  get #folders(): { readonly workDir: string; readonly outputDir: string } {
    const { workDir, outputDir } = this.#options;
    // However they are written: a file is not to be moved to where it is.
    const isSame = workDir === "" || resolve(workDir) === resolve(outputDir);
    return { workDir: isSame ? outputDir : workDir, outputDir };
  }

  #fail(scope: string, error: Error): void {
    this.failure ??= error instanceof ToolError
      ? error
      : new ToolError(`${scope} cannot be written to disk: ${errorText(error)}`, { cause: error });
    this.#failed.resolve();
  }
}

interface OneTopic {
  readonly consumer: Consumer;
  readonly writer: TopicWriter;
}

/** Checks in NSQ's order what must hold. @throws {ToolError} */
function check(options: NsqToFileOptions, { rest }: ToolContext): void {
  const { topic, topicPattern, nsqdTcpAddress, lookupdHttpAddress } = options;
  const positive = [
    ["http-client-connect-timeout", options.httpClientConnectTimeout],
    ["http-client-request-timeout", options.httpClientRequestTimeout],
    ["sync-interval", options.syncInterval],
    ["topic-refresh", options.topicRefresh],
  ] as const;
  if (rest.length > 0) throw new ToolError(`unknown arguments: ${rest.join(" ")}`);
  if (options.channel === "") throw new ToolError("--channel is required");
  for (const [flag, value] of positive) {
    if (value <= 0) throw new ToolError(`--${flag} should be positive`);
  }
  checkAddresses({ flag: "nsqd-tcp-address", addresses: nsqdTcpAddress }, lookupdHttpAddress);
  checkLevel("gzip", options.gzipLevel, 9);
  checkLevel("zstd", options.zstdLevel, ZSTD_LEVEL_MAX);
  if (topic.length === 0 && topicPattern === "") throw new ToolError("--topic or --topic-pattern required");
  if (topic.length === 0 && lookupdHttpAddress.length === 0) {
    throw new ToolError("--lookupd-http-address must be specified when no --topic specified");
  }
  if (options.maxInFlight < 1) throw new ToolError("--max-in-flight should be positive");
  if (options.json && options.format !== "") throw new ToolError("use --json or --format not both");
  if (options.gzip && options.compress === "zstd") {
    throw new ToolError("use --gzip or --compress=zstd not both");
  }
}

function checkLevel(name: string, level: number, max: number): void {
  if (level >= 1 && level <= max) return;
  throw new ToolError(`invalid --${name}-level value (${level}), should be 1-${max}`);
}

function compressionOf({ gzip, compress }: NsqToFileOptions): Compression {
  return gzip ? "gzip" : compress;
}

function formOf({ json, format }: NsqToFileOptions): MessageForm {
  if (json) return jsonForm;
  return format === "" ? bodyForm(LINE_END) : parsed("format", format, parseFormat);
}

/** Whether every message ends with a line end. */
function isLines({ json, format }: NsqToFileOptions): boolean {
  return json || format === "" || /(^|[^\\])(\\\\)*\\n$|\n$/.test(format);
}
