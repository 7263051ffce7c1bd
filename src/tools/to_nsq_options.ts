/**
 * to_nsq's flags.
 *
 * @module
 */

import { bool, choice, duration, int, string, stringList } from "../config/kind.ts";
import { option, type OptionsOf } from "../config/option.ts";
import { PRODUCER_OPTIONS, TOOL_OPTIONS } from "./options.ts";
import { INPUT_FORMS, type InputForm } from "./records.ts";

/** The table. Its order is the docs page's; `--help` sorts by flag. */
export const TO_NSQ_OPTIONS = {
  ...TOOL_OPTIONS,
  topic: option({
    flag: "topic",
    key: null,
    kind: string,
    default: "",
    description: "Topic to publish to.",
  }),
  nsqdTcpAddress: option({
    flag: "nsqd-tcp-address",
    key: null,
    kind: stringList,
    default: [],
    description: "Address of an nsqd to publish to; may be given multiple times.",
  }),
  lookupdHttpAddress: option({
    flag: "lookupd-http-address",
    key: null,
    kind: stringList,
    default: [],
    description: "HTTP address of an nsqlookupd whose nodes are published to; may be given multiple times.",
  }),
  mode: option({
    flag: "mode",
    key: null,
    kind: choice(["all", "round-robin", "failover"]),
    default: "all",
    description:
      "Which nsqds get a message: all of them, each in turn, or the first one that takes it; nodes of nsqlookupd are taken in turn.",
  }),
  producerOpt: PRODUCER_OPTIONS.producerOpt,
  wait: option({
    flag: "wait",
    key: null,
    kind: duration,
    default: 3000,
    description: "How long to wait at start for an nsqd that is not there; 0s for not at all, as NSQ's.",
  }),

  input: option<InputForm>({
    flag: "input",
    key: null,
    kind: choice(INPUT_FORMS),
    default: "lines",
    description:
      "What a message is: a line, a line that is JSON, a record of CSV as JSON, the bytes behind a length of 4 bytes, or everything.",
  }),
  delimiter: option({
    flag: "delimiter",
    key: null,
    kind: string,
    default: "\n",
    description: "Character to split lines at.",
  }),
  topicField: option({
    flag: "topic-field",
    key: null,
    kind: string,
    default: "",
    description:
      "Path of a field of JSON that names the topic, such as .type; --topic is for messages without it.",
  }),
  defer: option({
    flag: "defer",
    key: null,
    kind: duration,
    default: 0,
    description: "How long messages are kept before they are delivered.",
  }),
  deferField: option({
    flag: "defer-field",
    key: null,
    kind: string,
    default: "",
    description:
      "Path of a field of JSON that says so for a message: a number of milliseconds, or a duration.",
  }),

  rate: option({
    flag: "rate",
    key: null,
    kind: int,
    default: 0,
    description: "The most messages in a second; 0 for no limit.",
  }),
  batch: option({
    flag: "batch",
    key: null,
    kind: int,
    default: 200,
    description: "The most messages that are published as one; what has come is never kept waiting for more.",
  }),
  resume: option({
    flag: "resume",
    key: null,
    kind: string,
    default: "",
    description: "Path of a file that keeps how much of the input is published; the next run skips so much.",
  }),
  tee: option({
    flag: "tee",
    key: null,
    kind: bool,
    default: false,
    description: "Write the input to standard output too.",
  }),
  progress: option({
    flag: "progress",
    key: null,
    kind: bool,
    default: false,
    description: "Say every few seconds how far it is, where standard error is no terminal too.",
  }),
};

/** What to_nsq is told. */
export type ToNsqOptions = OptionsOf<typeof TO_NSQ_OPTIONS>;
