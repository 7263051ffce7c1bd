/**
 * nsq_to_file's flags.
 *
 * @module
 */

import { LOG_LEVELS } from "../base/logger.ts";
import { bool, choice, duration, int, logLevel, string, stringList } from "../config/kind.ts";
import { option, type OptionsOf } from "../config/option.ts";
import { DEAD_LETTER_OPTIONS } from "./dead_letters.ts";
import type { Compression } from "./to_file/compression.ts";
import { CONSUMER_OPTIONS, TOOL_OPTIONS } from "./options.ts";

const text = (flag: string, value: string, description: string) =>
  option({ flag, key: null, kind: string, default: value, description });
const time = (flag: string, value: number, description: string) =>
  option({ flag, key: null, kind: duration, default: value, description });
const count = (flag: string, value: number, description: string) =>
  option({ flag, key: null, kind: int, default: value, description });
const yes = (flag: string, description: string) =>
  option({ flag, key: null, kind: bool, default: false, description });

/** The table. Its order is the docs page's; `--help` sorts by flag. */
export const NSQ_TO_FILE_OPTIONS = {
  ...TOOL_OPTIONS,
  logLevel: option({
    flag: "log-level",
    key: null,
    kind: logLevel,
    default: LOG_LEVELS.info,
    description: "How much is said: debug, info, warn, error or fatal.",
  }),
  logPrefix: text("log-prefix", "[nsq_to_file] ", "What lines of the log begin with."),

  topic: option({
    flag: "topic",
    key: null,
    kind: stringList,
    default: [],
    description: "Topic to write; may be given multiple times.",
  }),
  topicPattern: text(
    "topic-pattern",
    "",
    "Write all topics in whose names this regular expression (RE2) is found; needs --lookupd-http-address.",
  ),
  topicRefresh: time("topic-refresh", 60_000, "How often nsqlookupd is asked for topics."),
  channel: text("channel", "nsq_to_file", "Channel to take messages from."),
  ...CONSUMER_OPTIONS,
  httpClientConnectTimeout: time(
    "http-client-connect-timeout",
    2000,
    "How long connecting to nsqlookupd may take.",
  ),
  httpClientRequestTimeout: time(
    "http-client-request-timeout",
    5000,
    "How long an answer of nsqlookupd may take.",
  ),

  outputDir: text("output-dir", "/tmp", "Folder of the files."),
  workDir: text(
    "work-dir",
    "",
    "Folder of files that are not complete yet; each is moved to --output-dir when it is, also to another file system.",
  ),
  filenameFormat: text(
    "filename-format",
    "<TOPIC>.<HOST><REV>.<DATETIME>.log",
    "Names of files: <TOPIC>, <HOST>, <PID>, <DATETIME>, <FIELD:.path> (of the body as JSON) and <REV> are replaced. <REV> is counted up where a file exists.",
  ),
  datetimeFormat: text("datetime-format", "%Y-%m-%d_%H", "Format of <DATETIME>, as of strftime; local time."),
  hostIdentifier: text(
    "host-identifier",
    "",
    "What <HOST> is, in place of the host's short name; <SHORT_HOST> and <HOSTNAME> are replaced.",
  ),
  format: text(
    "format",
    "",
    "Form of each message, as of nsq_tail: %t topic, %i id, %d{ms} time, %v body, %V{big4} its length, %k{.path}; \\n. By default the body and a line feed.",
  ),
  json: yes("json", "Write each message as an object of JSON in a line, as nsq_tail --json does."),
  compress: option<Compression>({
    flag: "compress",
    key: null,
    kind: choice<Compression>(["none", "gzip", "zstd"]),
    default: "none",
    description: "Compress files.",
  }),
  gzip: yes("gzip", "Compress files; the same as --compress=gzip."),
  gzipLevel: count("gzip-level", 6, "From 1, fast, to 9, small."),
  zstdLevel: count("zstd-level", 3, "From 1, fast, to 19, small."),
  skipEmptyFiles: yes("skip-empty-files", "Make no file before there is a message for it."),
  rotateSize: count("rotate-size", 0, "Begin another file when one is larger, in bytes; 0 for never."),
  rotateInterval: time("rotate-interval", 0, "Begin another file when one is older; 0 for never."),
  syncInterval: time(
    "sync-interval",
    30_000,
    "How often files are synced and messages finished, at the latest; but in time for nsqd, and when many are held.",
  ),
  onComplete: text(
    "on-complete",
    "",
    "Command of the shell that is run for each complete file; its path is $1.",
  ),
  ...DEAD_LETTER_OPTIONS,
};

/** What nsq_to_file is told. */
export type NsqToFileOptions = OptionsOf<typeof NSQ_TO_FILE_OPTIONS>;
