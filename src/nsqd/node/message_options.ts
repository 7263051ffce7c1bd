/**
 * The options that bound messages and commands, whichever way they come.
 *
 * @module
 */
import { duration, int } from "../../config/kind.ts";
import { option, type OptionsOf } from "../../config/option.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const MIB = 1024 * 1024;

/** The table. */
export const MESSAGE_OPTIONS = {
  msgTimeoutMs: option({
    flag: "msg-timeout",
    kind: duration,
    default: 60 * SECOND_MS,
    description: "Time a consumer has for a message before it is requeued, unless it asks for another.",
  }),
  maxMsgTimeoutMs: option({
    flag: "max-msg-timeout",
    kind: duration,
    default: 15 * MINUTE_MS,
    description: "Longest time a consumer can have for a message.",
  }),
  maxMsgSizeBytes: option({
    flag: "max-msg-size",
    kind: int,
    default: MIB,
    description: "Largest message, in bytes.",
  }),
  maxReqTimeoutMs: option({
    flag: "max-req-timeout",
    kind: duration,
    default: 60 * MINUTE_MS,
    description: "Longest delay of a requeued or deferred message.",
  }),
  maxBodySizeBytes: option({
    flag: "max-body-size",
    kind: int,
    default: 5 * MIB,
    description: "Largest body of a command, in bytes.",
  }),

  // A limit that NSQ does not have
  maxDeferTimeoutMs: option({
    flag: "max-defer-timeout",
    kind: duration,
    default: 0,
    description:
      "Longest time a message can be deferred for when it is published; 0 is that of --max-req-timeout, as in NSQ.",
  }),
};

/** What bounds messages and commands. */
export type MessageOptions = OptionsOf<typeof MESSAGE_OPTIONS>;

/** The longest time, in ms, that a message can be deferred for when it is published. */
export function maxDeferMs(options: Pick<MessageOptions, "maxDeferTimeoutMs" | "maxReqTimeoutMs">): number {
  return options.maxDeferTimeoutMs || options.maxReqTimeoutMs;
}
