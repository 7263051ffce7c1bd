/**
 * Where messages go that are not tried again: a topic, or a file. Nothing is given up unless `max_attempts` says so; NSQ's
 * tools give up after 5 attempts, and whatever that was is gone.
 *
 * @module
 */

import { SharedRun } from "../base/shared_run.ts";
import {
  type ConnectionOptions,
  type ConsumerOptions,
  type GiveUp,
  type GoConfig,
  type Message,
  Producer,
} from "../client/mod.ts";
import { string } from "../config/kind.ts";
import { option, type OptionsOf } from "../config/option.ts";
import { Output } from "../net/output.ts";
import { jsonForm } from "./message_form.ts";
import { ToolError, writeAll } from "./tool.ts";

/** The flags that say where. */
export const DEAD_LETTER_OPTIONS = {
  deadLetterTopic: option({
    flag: "dead-letter-topic",
    key: null,
    kind: string,
    default: "",
    description:
      "Publish messages that are given up, after --consumer-opt=max_attempts,N, to this topic of the same nsqds.",
  }),
  deadLetterFile: option({
    flag: "dead-letter-file",
    key: null,
    kind: string,
    default: "",
    description: "Write messages that are given up to this file, each as an object of JSON in a line.",
  }),
};

/**
 * What is done with messages that are given up; undefined where nothing is said.
 *
 * @throws {ToolError} If that contradicts itself.
 */
export function deadLetterOf(
  { deadLetterTopic, deadLetterFile, consumerOpt }:
    & OptionsOf<typeof DEAD_LETTER_OPTIONS>
    & { readonly consumerOpt: GoConfig },
  /** Whether the tool itself puts messages there. */
  otherwise = false,
): GiveUp["deadLetter"] | undefined {
  if (deadLetterTopic !== "" && deadLetterFile !== "") {
    throw new ToolError("use --dead-letter-topic or --dead-letter-file not both");
  }
  if (deadLetterTopic === "" && deadLetterFile === "") return undefined;
  if (!otherwise && consumerOpt.consumerOptions().giveUp === undefined) {
    const flag = deadLetterTopic === "" ? "file" : "topic";
    throw new ToolError(
      `--dead-letter-${flag} needs --consumer-opt=max_attempts,N: without it nothing is given up`,
    );
  }
  if (deadLetterTopic !== "") return deadLetterTopic;
  return deadLetterFileAt(deadLetterFile);
}

/** Takes messages that a tool itself cannot use, beside those that are given up. */
export class DeadLetters {
  readonly #deadLetter: GiveUp["deadLetter"];
  readonly #producer: Producer | undefined;

  /** @param connection How the nsqds are reached that the messages come from. */
  constructor(deadLetter: GiveUp["deadLetter"], { signal: _signal, ...connection }: ConsumerOptions) {
    this.#deadLetter = deadLetter;
    if (typeof deadLetter === "string") this.#producer = new Producer(connection as ConnectionOptions);
  }

  /** Settles when the message is there. */
  async add(message: Message): Promise<void> {
    if (typeof this.#deadLetter === "function") await this.#deadLetter(message);
    else await this.#producer?.publish(this.#deadLetter, message.body);
  }

  /** Ends the connections. */
  async close(): Promise<void> {
    await this.#producer?.close();
  }
}

/** Appends messages to a file; a message is there when its promise resolves. */
function deadLetterFileAt(path: string): Exclude<GiveUp["deadLetter"], string> {
  const output = new Output();
  const written = new SharedRun(async () => {
    using file = await Deno.open(path, { append: true, create: true });
    await writeAll(file, output.take());
    await file.sync();
  });
  return async (message) => {
    jsonForm(message, output);
    await written.request();
  };
}
