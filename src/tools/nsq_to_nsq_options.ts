/**
 * nsq_to_nsq's flags.
 *
 * @module
 */

import { choice, duration, int, string, stringList } from "../config/kind.ts";
import { option, type OptionsOf } from "../config/option.ts";
import { DEAD_LETTER_OPTIONS } from "./dead_letters.ts";
import type { PoolMode } from "./host_pool.ts";
import { CONSUMER_OPTIONS, PRODUCER_OPTIONS, TOOL_OPTIONS } from "./options.ts";
import { fraction } from "./sample.ts";

const text = (flag: string, value: string, description: string) =>
  option({ flag, key: null, kind: string, default: value, description });
const list = (flag: string, description: string) =>
  option({ flag, key: null, kind: stringList, default: [], description });

/** The table. Its order is the docs page's; `--help` sorts by flag. */
export const NSQ_TO_NSQ_OPTIONS = {
  ...TOOL_OPTIONS,
  topic: list("topic", "Topic to take messages of; may be given multiple times."),
  topicPattern: text(
    "topic-pattern",
    "",
    "Take all topics in whose names this regular expression (RE2) is found; needs --lookupd-http-address.",
  ),
  topicRefresh: option({
    flag: "topic-refresh",
    key: null,
    kind: duration,
    default: 60_000,
    description: "How often nsqlookupd is asked for topics.",
  }),
  channel: text("channel", "nsq_to_nsq", "Channel to take messages from."),
  ...CONSUMER_OPTIONS,

  destinationNsqdTcpAddress: list(
    "destination-nsqd-tcp-address",
    "Address of an nsqd to publish to; may be given multiple times.",
  ),
  destinationLookupdHttpAddress: list(
    "destination-lookupd-http-address",
    "HTTP address of an nsqlookupd whose nsqds are published to; may be given multiple times.",
  ),
  destinationTopic: text(
    "destination-topic",
    "",
    "Topic to publish to, for messages of all topics; by default the one that a message is of.",
  ),
  rename: text(
    "rename",
    "",
    "How the topic to publish to is made of the one that a message is of: s/from/to/, with regular expressions (RE2).",
  ),
  ...PRODUCER_OPTIONS,
  mode: option<PoolMode>({
    flag: "mode",
    key: null,
    kind: choice<PoolMode>(["round-robin", "hostpool", "epsilon-greedy"]),
    default: "hostpool",
    description:
      "Which destination gets a message: each in turn, each in turn that works, or the faster ones more often.",
  }),
  batch: option({
    flag: "batch",
    key: null,
    kind: int,
    default: 500,
    description: "The most messages that are published as one command.",
  }),

  requireJsonField: text(
    "require-json-field",
    "",
    "Pass on only messages of JSON that have this field: its key, or a path such as .user.id.",
  ),
  requireJsonValue: text(
    "require-json-value",
    "",
    "Pass on only messages of JSON in which the required field has this value.",
  ),
  whitelistJsonField: list(
    "whitelist-json-field",
    "Pass on only this field of messages of JSON: its key, or a path such as .user.id; may be given multiple times.",
  ),
  sample: option({
    flag: "sample",
    key: null,
    kind: fraction,
    default: 1,
    description: "The part of the messages that is passed on, from 0 to 1.",
  }),
  statusEvery: option({
    flag: "status-every",
    key: null,
    kind: int,
    default: 250,
    description: "Say after so many messages how long they took; 0 for never.",
  }),
  ...DEAD_LETTER_OPTIONS,
};

/** What nsq_to_nsq is told. */
export type NsqToNsqOptions = OptionsOf<typeof NSQ_TO_NSQ_OPTIONS>;
