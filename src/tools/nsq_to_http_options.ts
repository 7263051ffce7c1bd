/**
 * nsq_to_http's flags.
 *
 * @module
 */

import { bool, choice, duration, int, string, stringList } from "../config/kind.ts";
import { option, type OptionsOf } from "../config/option.ts";
import { DEAD_LETTER_OPTIONS } from "./dead_letters.ts";
import { CONSUMER_OPTIONS, TOOL_OPTIONS } from "./options.ts";
import { fraction } from "./sample.ts";
import { type BatchForm, type HttpMode, statusSet } from "./to_http/forms.ts";

const text = (flag: string, value: string, description: string) =>
  option({ flag, key: null, kind: string, default: value, description });
const list = (flag: string, description: string) =>
  option({ flag, key: null, kind: stringList, default: [], description });
const count = (flag: string, value: number, description: string) =>
  option({ flag, key: null, kind: int, default: value, description });
const time = (flag: string, value: number, description: string) =>
  option({ flag, key: null, kind: duration, default: value, description });

/** The content type that NSQ sends. */
export const CONTENT_TYPE = "application/octet-stream";

/** The table. Its order is the docs page's; `--help` sorts by flag. */
export const NSQ_TO_HTTP_OPTIONS = {
  ...TOOL_OPTIONS,
  topic: text("topic", "", "Topic to take messages of."),
  channel: text("channel", "nsq_to_http", "Channel to take messages from."),
  ...CONSUMER_OPTIONS,

  post: list("post", "URL to send each message to as the body of a POST; may be given multiple times."),
  get: list("get", "URL to GET, in which %s is replaced by the message; may be given multiple times."),
  mode: option<HttpMode>({
    flag: "mode",
    key: null,
    kind: choice<HttpMode>(["round-robin", "hostpool", "epsilon-greedy", "all"]),
    default: "hostpool",
    description:
      "Which URL gets a message: each in turn, each in turn that works, the faster ones more often, or all of them.",
  }),
  n: count("n", 100, "The most requests at a time."),
  sample: option({
    flag: "sample",
    key: null,
    kind: fraction,
    default: 1,
    description: "The part of the messages that is sent, from 0 to 1.",
  }),
  method: text(
    "method",
    "",
    "Method of requests that have the message as their body, in place of POST, such as PUT.",
  ),
  header: list("header", "Header of requests, as Name: value; may be given multiple times."),
  contentType: text("content-type", CONTENT_TYPE, "Content-Type of requests with a body."),
  metaHeaders: option({
    flag: "meta-headers",
    key: null,
    kind: bool,
    default: false,
    description:
      "Send X-NSQ-Topic, X-NSQ-Channel, X-NSQ-Id, X-NSQ-Attempts, X-NSQ-Timestamp and Idempotency-Key, which stays the same when a message is sent again.",
  }),
  batch: count(
    "batch",
    1,
    "The most messages that are sent as one request, see --batch-form and --batch-wait.",
  ),
  batchForm: option<BatchForm>({
    flag: "batch-form",
    key: null,
    kind: choice<BatchForm>(["ndjson", "json"]),
    default: "ndjson",
    description:
      "Form of a batch: a message in a line, or an array of JSON; what is no JSON is a string there.",
  }),
  batchWait: time("batch-wait", 50, "How long messages wait for others of their batch."),
  gzip: option({
    flag: "gzip",
    key: null,
    kind: bool,
    default: false,
    description: "Compress bodies of requests.",
  }),
  hmacKeyFile: text(
    "hmac-key-file",
    "",
    "File with a key: requests are signed with HMAC-SHA256 of their body, in X-Signature-256: sha256=<hex>.",
  ),
  clientCert: text(
    "client-cert",
    "",
    "File with the certificate (PEM) that this client shows to https URLs.",
  ),
  clientKey: text("client-key", "", "File with its key (PEM)."),
  rootCa: text(
    "root-ca",
    "",
    "File with authorities (PEM) that https URLs are trusted by, in place of the system's.",
  ),

  dropOn: option({
    flag: "drop-on",
    key: null,
    kind: statusSet,
    default: statusSet.fromFlag([""]) ?? { text: "", has: () => false },
    description:
      "Statuses of answers, such as 400,422 or 4xx, after which a message is not sent again: it is a dead letter, or finished.",
  }),
  httpClientConnectTimeout: time("http-client-connect-timeout", 2000, "How long connecting may take."),
  httpClientRequestTimeout: time(
    "http-client-request-timeout",
    20_000,
    "How long a request and its answer may take.",
  ),
  statusEvery: count("status-every", 250, "Say after so many messages how long they took; 0 for never."),
  ...DEAD_LETTER_OPTIONS,
};

/** What nsq_to_http is told. */
export type NsqToHttpOptions = OptionsOf<typeof NSQ_TO_HTTP_OPTIONS>;
