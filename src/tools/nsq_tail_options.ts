/**
 * nsq_tail's flags.
 *
 * @module
 */

import { bool, int, string, stringList } from "../config/kind.ts";
import { option, type OptionsOf } from "../config/option.ts";
import { CONSUMER_OPTIONS, TOOL_OPTIONS } from "./options.ts";

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
};

/** What nsq_tail is told. */
export type NsqTailOptions = OptionsOf<typeof NSQ_TAIL_OPTIONS>;
