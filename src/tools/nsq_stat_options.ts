/**
 * nsq_stat's flags.
 *
 * @module
 */

import { bool, choice, duration, int, string, stringList } from "../config/kind.ts";
import { option, type OptionsOf } from "../config/option.ts";
import { HTTP_CLIENT_OPTIONS, TOOL_OPTIONS } from "./options.ts";
import { SORT_COLUMNS } from "./stat_report.ts";

/** The table. Its order is the docs page's; `--help` sorts by flag. */
export const NSQ_STAT_OPTIONS = {
  ...TOOL_OPTIONS,
  topic: option({
    flag: "topic",
    key: null,
    kind: string,
    default: "",
    description: "Topic; all topics if there is none.",
  }),
  channel: option({
    flag: "channel",
    key: null,
    kind: string,
    default: "",
    description: "Channel; all channels if there is none.",
  }),
  nsqdHttpAddress: option({
    flag: "nsqd-http-address",
    key: null,
    kind: stringList,
    default: [],
    description: "HTTP address of an nsqd; may be given multiple times.",
  }),
  lookupdHttpAddress: option({
    flag: "lookupd-http-address",
    key: null,
    kind: stringList,
    default: [],
    description: "HTTP address of an nsqlookupd that knows the nsqds; may be given multiple times.",
  }),
  intervalMs: option({
    flag: "interval",
    key: null,
    kind: duration,
    default: 2000,
    description: "Time between two reports.",
  }),
  count: option<number | undefined>({
    flag: "count",
    key: null,
    // The absence of the flag is not 0, which is refused.
    kind: { ...int, show: (value) => value === undefined ? "" : String(value) },
    default: undefined,
    description: "Number of reports; without end if there is none.",
  }),
  ...HTTP_CLIENT_OPTIONS,

  json: option({
    flag: "json",
    key: null,
    kind: bool,
    default: false,
    description: "Write an object of JSON for each channel, one in a line.",
  }),
  csv: option({
    flag: "csv",
    key: null,
    kind: bool,
    default: false,
    description: "Write a line of CSV for each channel.",
  }),
  sort: option({
    flag: "sort",
    key: null,
    kind: choice(["", ...SORT_COLUMNS]),
    default: "",
    description: `Column to sort channels by: ${SORT_COLUMNS.join(", ")}.`,
  }),
  watch: option({
    flag: "watch",
    key: null,
    kind: bool,
    default: false,
    description: "Write each report over the one before, on a terminal.",
  }),
};

/** What nsq_stat is told. */
export type NsqStatOptions = OptionsOf<typeof NSQ_STAT_OPTIONS>;
