/**
 * The options of a daemon's log, which all daemons have.
 *
 * @module
 */

import { LOG_FORMATS, LOG_LEVELS, type LogFormat } from "../base/logger.ts";
import { bool, choice, logLevel, string } from "./kind.ts";
import { option } from "./option.ts";

/** The table for a program; `audited` is what its audit log has a line for. */
export function logOptions(program: string, audited = "each change over HTTP") {
  return {
    logLevel: option({
      flag: "log-level",
      kind: logLevel,
      default: LOG_LEVELS.info,
      description: "How much to log: debug, info, warn, error or fatal.",
    }),
    logPrefix: option({
      flag: "log-prefix",
      kind: string,
      default: `[${program}] `,
      description: "Text that every log line starts with.",
    }),
    logFormat: option<LogFormat>({
      flag: "log-format",
      kind: choice(LOG_FORMATS),
      default: "text",
      description:
        "Form of log lines: text as NSQ writes it, or json, an object with the same fields on each line.",
    }),
    auditLog: option({
      flag: "audit-log",
      kind: string,
      default: "",
      description: `Path of a file, or stderr, for a line of JSON for ${audited}; empty for none.`,
    }),
    verbose: option({
      flag: "verbose",
      key: null,
      kind: bool,
      default: false,
      description: "Deprecated, without effect: use --log-level.",
    }),
  };
}
