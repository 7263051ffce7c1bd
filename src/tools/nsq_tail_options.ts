/**
 * nsq_tail's flags.
 *
 * @module
 */

import { bool, choice, duration, int, string, stringList } from "../config/kind.ts";
import { option, type OptionsOf } from "../config/option.ts";
import { CONSUMER_OPTIONS, HTTP_CLIENT_OPTIONS, TOOL_OPTIONS } from "./options.ts";

const FORMAT = {
  key: null,
  kind: string,
  default: "",
  description:
    "Form of each message, with tokens: %t topic, %c channel, %n node, %i id, %a attempts, %d{ms} time, %v body, %V its length, %k{.path} JSON in it; \\n.",
};

const JSON_LINES = {
  key: null,
  kind: bool,
  default: false,
  description:
    "Write each message as an object of JSON, one in a line: topic, channel, id, timestamp, attempts, node, body.",
};

/** The table. Its order is the docs page's; `--help` sorts by flag. */
export const NSQ_TAIL_OPTIONS = {
  ...TOOL_OPTIONS,
  topic: option({
    flag: "topic",
    key: null,
    kind: stringList,
    default: [],
    description: "Topic to take messages of; may be given multiple times.",
  }),
  channel: option({
    flag: "channel",
    key: null,
    kind: string,
    default: "",
    description: "Channel to take them from; by default one of its own, tail<number>#ephemeral.",
  }),
  ...CONSUMER_OPTIONS,
  n: option({
    flag: "n",
    key: null,
    kind: int,
    default: 0,
    description: "Number of messages of a topic to show before it ends; 0 for all that come.",
  }),
  printTopic: option({
    flag: "print-topic",
    key: null,
    kind: bool,
    default: false,
    description: "Print the name of the topic before each message.",
  }),

  format: option({ ...FORMAT, flag: "format" }),
  f: option({ ...FORMAT, flag: "f", description: "The same as --format." }),
  json: option({ ...JSON_LINES, flag: "json" }),
  J: option({ ...JSON_LINES, flag: "J", description: "The same as --json." }),
  raw: option({
    flag: "raw",
    key: null,
    kind: bool,
    default: false,
    description: "Write bodies alone, with nothing between them.",
  }),
  zero: option({
    flag: "0",
    key: null,
    kind: bool,
    default: false,
    description: "End each body with a NUL instead of a line feed, for xargs -0.",
  }),
  gunzip: option({
    flag: "gunzip",
    key: null,
    kind: bool,
    default: false,
    description: "Decompress bodies that are gzip; others are shown as they are.",
  }),
  grep: option({
    flag: "grep",
    key: null,
    kind: string,
    default: "",
    description: "Show only messages in whose bodies this regular expression (RE2) is found.",
  }),
  filter: option({
    flag: "filter",
    key: null,
    kind: string,
    default: "",
    description:
      "Show only messages for which this expression is true, such as .user.id == 5 && attempts > 1.",
  }),
  ack: option({
    flag: "ack",
    key: null,
    kind: choice(["finish", "requeue"]),
    default: "finish",
    description:
      "What is done with messages: finish each when it is written, or, with -n, requeue all at the end.",
  }),
  peek: option({
    flag: "peek",
    key: null,
    kind: bool,
    default: false,
    description:
      "Show the messages that are there, of --channel or of the topic itself, without taking them, and end; denosq's nsqd only.",
  }),
  nsqdHttpAddress: option({
    flag: "nsqd-http-address",
    key: null,
    kind: stringList,
    default: [],
    description: "HTTP address of an nsqd, for --peek; may be given multiple times.",
  }),
  since: option({
    flag: "since",
    key: null,
    kind: duration,
    default: 0,
    description: "With --peek, show only what was published in so long a time; 0s for all.",
  }),
  ...HTTP_CLIENT_OPTIONS,
  timeout: option({
    flag: "timeout",
    key: null,
    kind: duration,
    default: 0,
    description: "End with exit code 124 when no message has come for so long; 0 for never.",
  }),
};

/** What nsq_tail is told. */
export type NsqTailOptions = OptionsOf<typeof NSQ_TAIL_OPTIONS>;
