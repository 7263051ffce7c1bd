/**
 * What each endpoint of nsqd's HTTP API is for: from this docs/openapi.yaml and the reference in docs/http-api.md are made. A
 * test holds it against the table of routes (endpoints.ts): who adds a row there adds one here, and runs `deno task docs`.
 *
 * @module
 */
import { ANSWER_BYTES_MAX, LEASES_SIZE_MAX, MESSAGES_MAX, TIMEOUT_MIN_MS } from "./consume.ts";
import { CONFIG_VALUE_SIZE_MAX } from "../../http/config_option.ts";
import { PENDING_SIZE_MAX, STALL_TIME_MS } from "./event_stream.ts";
import {
  CONTAINS_SIZE_MAX,
  JSON_SIZE_MAX,
  PATTERN_BODY_SIZE_MAX,
  PATTERN_SIZE_MAX,
} from "../queue/body_search.ts";
import { PAGE_BYTES_MAX, PEEKS_MAX } from "../queue/inspection.ts";
import { LOOK_TIME_MAX_MS, LOOK_TIME_MIN_MS, PAGE_MESSAGES_MAX, SHOWN_BODY_SIZE_MAX } from "./messages.ts";

/** A parameter, in the query or, if its name is in the path, there. */
export interface ParameterDescription {
  readonly name: string;
  readonly text: string;
  /** @default {false} */
  readonly isRequired?: boolean;
}

/** An endpoint. */
export interface EndpointDescription {
  readonly method: string;
  readonly path: string;
  /** The heading that it stands under. */
  readonly group: string;
  /** Who may use it, where there are tokens. */
  readonly access: string;
  readonly summary: string;
  readonly parameters: readonly ParameterDescription[];
  /** What the body is; absent where there is none. */
  readonly body?: string;
  /** The answer that says that all is well, by status. */
  readonly answers: Readonly<Record<number, string>>;
  /** Each a status and a message. */
  readonly errors: readonly string[];
  /** What is limited, and to how much. */
  readonly limits?: string;
  /** NSQ has none like it. */
  readonly isAddition?: boolean;
}

/** Statuses and messages that every endpoint may answer with. */
export const COMMON_ERRORS: readonly string[] = [
  "400 INVALID_REQUEST: the query is malformed",
  "401 UNAUTHORIZED, 403 FORBIDDEN: there are tokens, and this is none, or not for this",
  "403 FOREIGN_HOST, 403 FOREIGN_ORIGIN: a browser asks on behalf of a page that may not (`--http-allowed-host`, `--http-allow-origin`)",
  "403 TLS_REQUIRED: with `--tls-required`, on the plain port",
  "404 NOT_FOUND, 405 METHOD_NOT_ALLOWED with `Allow`",
  "503 LOADING, with `Retry-After`: what is kept is being loaded",
  "503 UNAVAILABLE, with `Retry-After`; 400 EPHEMERAL_TOPIC, EPHEMERAL_CHANNEL; 429 TOO_MANY_CHANNELS: with `--store=kv` only (kv.md)",
  "503 TOO_MANY_BODIES: `--http-max-bodies-size` is reached; and without a message when `--http-max-connections` is",
];

const TOPIC: ParameterDescription = { name: "topic", text: "Name of the topic.", isRequired: true };
const CHANNEL: ParameterDescription = { name: "channel", text: "Name of the channel.", isRequired: true };
const TIMEOUT: ParameterDescription = {
  name: "timeout",
  text:
    `How long the leases are valid: from ${TIMEOUT_MIN_MS} ms to \`--max-msg-timeout\`; \`--msg-timeout\` if absent.`,
};

const NO_PARAMETERS: readonly ParameterDescription[] = [];
const PLACE = [TOPIC, CHANNEL];
const NAMES = [
  "400 MISSING_ARG_TOPIC",
  "400 INVALID_ARG_TOPIC",
  "400 MISSING_ARG_CHANNEL",
  "400 INVALID_ARG_CHANNEL",
];
const NEW_TOPIC = ["400 MISSING_ARG_TOPIC", "400 INVALID_TOPIC", "503 EXITING: it cannot be made"];
const NOT_KEPT = [
  "503 EXITING: it cannot be kept",
  "507 OUT_OF_MEMORY, with `Retry-After`: there is no room in memory",
];
const NO_TOPIC = "404 TOPIC_NOT_FOUND";
const NO_CHANNEL = "404 CHANNEL_NOT_FOUND";
const LEASE_ERRORS = [
  ...NAMES,
  "400 TOKEN_IN_URL",
  "400 MISSING_LEASES",
  "400 INVALID_BODY",
  "401 UNAUTHORIZED, 403 FORBIDDEN, 503 AUTH_FAILED: with `--auth-http-address`",
  NO_TOPIC,
  NO_CHANNEL,
  "409: some leases cannot be answered; the answer names them, with EXPIRED, FINISHED or UNKNOWN",
  "413 BODY_TOO_BIG",
];
const LEASE_LIMITS = `${MESSAGES_MAX} leases, ${LEASES_SIZE_MAX} bytes.`;
const LEASES_BODY = 'Leases, one a line or, as application/json, {"leases": ["…"]}.';
const EMPTY = { 200: "Nothing." };
const OWN_CHANNEL: ParameterDescription = {
  name: "channel",
  text: "Name of the channel; if absent, the messages that the topic has not passed to channels.",
};
const MESSAGE_ID: ParameterDescription = {
  name: "id",
  text: "Id of the message, 16 hexadecimal digits: its `own_id`, if it has one, else its `id`.",
  isRequired: true,
};
const PEEK_ERRORS = [
  "400 MISSING_ARG_TOPIC",
  "400 INVALID_ARG_TOPIC",
  "400 INVALID_ARG_CHANNEL",
  "400 TOKEN_IN_URL",
];
const NO_SUCH = [NO_TOPIC, NO_CHANNEL];
const MESSAGE_ERRORS = [
  "400 MISSING_ARG_ID",
  "400 INVALID_ID",
  ...NO_SUCH,
  "404 MESSAGE_NOT_FOUND: it is finished, was never there, or cannot be read",
];
const TOO_MANY_PEEKS = "429 TOO_MANY_PEEKS, with `Retry-After`";
const TOO_MANY_GAPS =
  "409 TOO_MANY_GAPS: messages that wait have been taken from between others at 1000 places";

function messageEndpoint(name: string, summary: string): EndpointDescription {
  return {
    method: "POST",
    path: `/message/${name}`,
    group: "Messages",
    access: "admin",
    isAddition: true,
    summary,
    parameters: [...PLACE, MESSAGE_ID],
    answers: EMPTY,
    errors: [...PEEK_ERRORS, "400 MISSING_ARG_CHANNEL", ...MESSAGE_ERRORS, TOO_MANY_GAPS, TOO_MANY_PEEKS],
  };
}

function topicEndpoint(name: string, summary: string, errors: readonly string[]): EndpointDescription {
  const path = `/topic/${name}`;
  return {
    method: "POST",
    path,
    group: "Topics and channels",
    access: "admin",
    summary,
    parameters: [TOPIC],
    answers: EMPTY,
    errors,
  };
}

function channelEndpoint(name: string, summary: string, errors: readonly string[] = []): EndpointDescription {
  return {
    method: "POST",
    path: `/channel/${name}`,
    group: "Topics and channels",
    access: "admin",
    summary,
    parameters: PLACE,
    answers: EMPTY,
    errors: [...NAMES, NO_TOPIC, ...errors],
  };
}

function debugEndpoint(
  method: string,
  name: string,
  summary: string,
  more: Partial<EndpointDescription> = {},
): EndpointDescription {
  return {
    method,
    path: `/debug/${name}`,
    group: "Debugging",
    access: "read",
    summary,
    parameters: NO_PARAMETERS,
    answers: { 200: "Text." },
    errors: [],
    ...more,
  };
}

/** The endpoints, in the order of the docs. */
export const ENDPOINTS: readonly EndpointDescription[] = [
  {
    method: "POST",
    path: "/pub",
    group: "Publishing",
    access: "publish",
    summary: "Publishes a message.",
    parameters: [
      { name: "topic", text: "Name of the topic, which is made if there is none.", isRequired: true },
      { name: "defer", text: "Delay in ms, at most `--max-defer-timeout`." },
    ],
    body: "The message.",
    answers: { 200: "`OK`: it is kept, as the topic's durability says." },
    errors: [
      "400 MSG_EMPTY",
      ...NEW_TOPIC,
      "400 INVALID_DEFER",
      "413 MSG_TOO_BIG",
      ...NOT_KEPT,
    ],
    limits: "`--max-msg-size`.",
  },
  {
    method: "POST",
    path: "/mpub",
    group: "Publishing",
    access: "publish",
    summary: "Publishes several messages.",
    parameters: [
      { name: "topic", text: "Name of the topic, which is made if there is none.", isRequired: true },
      { name: "binary", text: "`true` if the body is that of an MPUB command." },
    ],
    body:
      "A message on each line or, with `binary`, a count, and size and bytes of each, as protocol V2 has them.",
    answers: { 200: "`OK`: they are kept." },
    errors: [
      ...NEW_TOPIC,
      "413 BODY_TOO_BIG",
      "413 MSG_TOO_BIG",
      "413 BAD_BODY",
      "413 BAD_MESSAGE",
      ...NOT_KEPT,
    ],
    limits: "`--max-body-size`, `--max-msg-size` for each message.",
  },
  {
    method: "POST",
    path: "/receive",
    group: "Consuming",
    access: "consume",
    isAddition: true,
    summary: "Takes messages, each with a lease; topic and channel are made if there are none.",
    parameters: [
      TOPIC,
      { name: "channel", text: "Name of the channel; not an ephemeral one.", isRequired: true },
      {
        name: "max",
        text: `Messages at most, from 1 to ${MESSAGES_MAX}; 10 if absent, and 1 with \`format=raw\`.`,
      },
      {
        name: "wait",
        text:
          "How long to wait for the first message, at most `--http-max-wait`; 0, which takes what is there, if absent.",
      },
      TIMEOUT,
      {
        name: "format",
        text:
          "`json`, `raw` or `frames`; if absent, what the Accept header says: application/octet-stream is `raw`, " +
          "application/vnd.nsq.v2 `frames`.",
      },
    ],
    body: `Leases to finish first, if any: ${LEASES_BODY}`,
    answers: {
      200:
        "The messages, fewer than asked for if there are fewer. With `raw`, the bytes of one, and headers " +
        "`Nsq-Message-Id`, `Nsq-Lease`, `Nsq-Attempts` and `Nsq-Timestamp`, and `traceparent` of a message that is traced; " +
        "with `frames`, the frames of protocol V2, and a header `Nsq-Lease-Epoch`.",
      204: "With `raw`: there is none.",
    },
    errors: [
      ...NAMES,
      "400 EPHEMERAL_CHANNEL",
      "400 INVALID_MAX",
      "400 INVALID_WAIT",
      "400 INVALID_TIMEOUT",
      "400 INVALID_FORMAT",
      "400 INVALID_ACK: receiving never finishes",
      "400 INVALID_BODY",
      "400 TOKEN_IN_URL",
      "401 UNAUTHORIZED, 403 FORBIDDEN, 503 AUTH_FAILED: with `--auth-http-address`",
      "409: leases in the body cannot be finished; nothing has been received",
      "413 BODY_TOO_BIG",
      "429 TOO_MANY_LEASES, TOO_MANY_WAITERS, TOO_MANY_TIMEOUTS, TOO_MANY_CONSUMERS, with `Retry-After`",
      "503 EXITING",
    ],
    limits:
      `Bodies of ${ANSWER_BYTES_MAX} bytes, or one message; \`--http-max-leases\`, \`--http-max-waiters\`, ` +
      `8 timeouts a channel, \`--max-channel-consumers\`.`,
  },
  {
    method: "POST",
    path: "/finish",
    group: "Consuming",
    access: "consume",
    isAddition: true,
    summary: "The messages are done. One that is done already counts as done, so a request may be repeated.",
    parameters: PLACE,
    body: LEASES_BODY,
    answers: { 200: 'How many: `{"done":2}`.' },
    errors: LEASE_ERRORS,
    limits: LEASE_LIMITS,
  },
  {
    method: "POST",
    path: "/requeue",
    group: "Consuming",
    access: "consume",
    isAddition: true,
    summary: "Gives messages back, to be delivered again.",
    parameters: [...PLACE, {
      name: "delay",
      text: "After how long, at most `--max-req-timeout`; at once if absent.",
    }],
    body: LEASES_BODY,
    answers: { 200: 'How many: `{"done":2}`.' },
    errors: [...LEASE_ERRORS, "400 INVALID_DELAY"],
    limits: LEASE_LIMITS,
  },
  {
    method: "POST",
    path: "/touch",
    group: "Consuming",
    access: "consume",
    isAddition: true,
    summary: "Makes leases valid for their timeout again, within `--max-msg-timeout` from the delivery.",
    parameters: PLACE,
    body: LEASES_BODY,
    answers: {
      200: 'How many, and how long the first of them to end is valid: `{"done":2,"expires_in_ms":60000}`.',
    },
    errors: LEASE_ERRORS,
    limits: LEASE_LIMITS,
  },
  {
    method: "GET",
    path: "/subscribe",
    group: "Consuming",
    access: "consume",
    isAddition: true,
    summary: "Messages as Server-Sent Events, as they come; topic and channel are made if there are none.",
    parameters: [
      ...PLACE,
      {
        name: "max_in_flight",
        text: "How many messages may be leased to it at a time, from 1 to `--max-rdy-count`; 1 if absent.",
      },
      TIMEOUT,
      { name: "ack", text: "`auto` finishes messages as they are sent, at most once; `manual` if absent." },
    ],
    answers: {
      200:
        "Events: the id is the lease, the data a message as JSON in one line. A comment comes every 15 s, and an event " +
        "`closing` before the end.",
    },
    errors: [
      ...NAMES,
      "400 INVALID_MAX_IN_FLIGHT",
      "400 INVALID_TIMEOUT",
      "400 INVALID_ACK",
      "400 TOKEN_IN_URL",
      "401 UNAUTHORIZED, 403 FORBIDDEN, 503 AUTH_FAILED: with `--auth-http-address`",
      "429 TOO_MANY_STREAMS, TOO_MANY_CONSUMERS, with `Retry-After`",
      "503 EXITING",
    ],
    limits:
      `\`--http-max-streams\`; a client with ${PENDING_SIZE_MAX} bytes unread gets no more, and is left after ` +
      `${STALL_TIME_MS / 1000} s or \`--write-timeout\`.`,
  },
  {
    method: "GET",
    path: "/v2",
    group: "Consuming",
    access: "publish,consume",
    isAddition: true,
    summary: "Upgrades to a WebSocket that carries protocol V2 as a stream of bytes (subprotocol `nsq.v2`).",
    parameters: NO_PARAMETERS,
    answers: { 101: "The client goes on with `  V2`, as over TCP." },
    errors: [
      "400 INVALID_KEY",
      "400 UNKNOWN_PROTOCOL",
      "400 TOKEN_IN_URL",
      "426 UPGRADE_REQUIRED",
      "426 UNKNOWN_VERSION",
      "429 TOO_MANY_STREAMS, with `Retry-After`",
      "501 NO_PROTOCOL_V2, with `--store=kv`",
    ],
    limits: "`--http-max-streams`, and what limits clients over TCP.",
  },
  {
    method: "GET",
    path: "/messages",
    group: "Messages",
    access: "peek",
    isAddition: true,
    summary:
      "Messages of a channel in every state, or a topic's own, in the order of publishing. Nothing changes by it.",
    parameters: [
      TOPIC,
      OWN_CHANNEL,
      {
        name: "state",
        text:
          "Some of `waiting`, `in_flight`, `deferred` and `parked` (deferred for long), with commas between; all if absent.",
      },
      { name: "max", text: `Messages at most, from 1 to ${PAGE_MESSAGES_MAX}; 20 if absent.` },
      { name: "body", text: `Bytes shown of each body, from 0 to ${SHOWN_BODY_SIZE_MAX}; 1024 if absent.` },
      { name: "cursor", text: "The `cursor` of the page before. It stays good while messages come and go." },
      {
        name: "contains",
        text: `Only messages with this text in their bodies; at most ${CONTAINS_SIZE_MAX} bytes.`,
      },
      { name: "regex", text: "Only messages whose bodies match this regular expression, in RE2's language." },
      {
        name: "path",
        text: "Only messages whose bodies are JSON that has something at this path, such as `$.items[*].id`.",
      },
      { name: "value", text: "With `path`: what it has to be, as text." },
      {
        name: "time",
        text: `How long to look, from ${LOOK_TIME_MIN_MS} ms to ${LOOK_TIME_MAX_MS} ms; 1s if absent.`,
      },
    ],
    answers: {
      200:
        '`{"messages":[…],"cursor":"…","looked":1,"unreadable":0,"partly":0}`. The page may be short, or empty, before the ' +
        "end: there is more while `cursor` is not null.",
    },
    errors: [
      ...PEEK_ERRORS,
      "400 INVALID_STATE",
      "400 INVALID_MAX",
      "400 INVALID_BODY",
      "400 INVALID_CURSOR",
      "400 INVALID_TIME",
      "400 INVALID_SEARCH: more than one kind, or a value without a path",
      "400 INVALID_CONTAINS",
      "400 INVALID_REGEX",
      "400 INVALID_PATH",
      ...NO_SUCH,
      TOO_MANY_PEEKS,
    ],
    limits:
      `${PEEKS_MAX} requests about messages at a time; ${PAGE_BYTES_MAX} bytes of bodies; patterns of ` +
      `${PATTERN_SIZE_MAX} characters when what they repeat is written out, in the first ${PATTERN_BODY_SIZE_MAX} bytes of a ` +
      `body; JSON of ${JSON_SIZE_MAX} bytes.`,
  },
  {
    method: "GET",
    path: "/message",
    group: "Messages",
    access: "peek",
    isAddition: true,
    summary: "A message with its whole body.",
    parameters: [TOPIC, OWN_CHANNEL, MESSAGE_ID, {
      name: "format",
      text: "`raw` is the bytes; `json` if absent.",
    }],
    answers: {
      200:
        "As in a page; with `raw`, the bytes, and headers `Nsq-Message-Id`, `Nsq-Attempts`, `Nsq-Timestamp` and `Nsq-Message-State`.",
    },
    errors: [...PEEK_ERRORS, "400 INVALID_FORMAT", ...MESSAGE_ERRORS, TOO_MANY_PEEKS],
  },
  messageEndpoint("delete", "Drops a message of a channel, whatever its state."),
  messageEndpoint(
    "requeue",
    "Makes a message of a channel the next that is delivered; from a client that has it in flight it is taken away.",
  ),
  {
    ...messageEndpoint(
      "cancel",
      "Drops a message that is not due yet, in one channel or in all of the topic's.",
    ),
    parameters: [TOPIC, { name: "channel", text: "Name of the channel; all if absent." }, MESSAGE_ID],
    answers: { 200: 'In how many channels: `{"canceled":1}`.' },
    errors: [
      ...PEEK_ERRORS,
      ...MESSAGE_ERRORS,
      "409 NOT_DEFERRED: it is due, wherever it is",
      TOO_MANY_PEEKS,
    ],
  },
  {
    method: "POST",
    path: "/client/kick",
    group: "Messages",
    access: "admin",
    isAddition: true,
    summary: "Ends the connection of a client, over TCP, a WebSocket or a stream of events.",
    parameters: [{ name: "address", text: "Its `remote_address` in `/stats`.", isRequired: true }],
    answers: { 200: 'How many connections: `{"kicked":1}`.' },
    errors: ["400 MISSING_ARG_ADDRESS", "400 TOKEN_IN_URL", "404 CLIENT_NOT_FOUND"],
  },
  topicEndpoint("create", "Makes a topic.", NEW_TOPIC),
  topicEndpoint("delete", "Deletes a topic with its channels and messages.", [
    "400 MISSING_ARG_TOPIC",
    NO_TOPIC,
  ]),
  topicEndpoint("empty", "Drops the messages that are not yet the channels'.", [
    "400 MISSING_ARG_TOPIC",
    "400 INVALID_TOPIC",
    NO_TOPIC,
  ]),
  topicEndpoint("pause", "Keeps new messages back from the channels.", ["400 MISSING_ARG_TOPIC", NO_TOPIC]),
  topicEndpoint("unpause", "Passes messages on again.", ["400 MISSING_ARG_TOPIC", NO_TOPIC]),
  channelEndpoint("create", "Makes a channel."),
  channelEndpoint("delete", "Deletes a channel with its messages; its consumers are disconnected.", [
    NO_CHANNEL,
  ]),
  channelEndpoint("empty", "Drops a channel's messages, in flight or not.", [NO_CHANNEL]),
  channelEndpoint("pause", "Stops delivery.", [NO_CHANNEL]),
  channelEndpoint("unpause", "Goes on with delivery.", [NO_CHANNEL]),
  {
    method: "GET",
    path: "/ping",
    group: "The node",
    access: "anyone",
    summary: "Whether the node is healthy.",
    parameters: NO_PARAMETERS,
    answers: { 200: "`OK`." },
    errors: ["500 NOK - and why"],
  },
  ...(["live", "ready"] as const).map((name): EndpointDescription => ({
    method: "GET",
    path: `/health/${name}`,
    group: "The node",
    access: "anyone",
    isAddition: true,
    summary: name === "live"
      ? "Whether the process is alive."
      : "Whether clients can be served, and why not.",
    parameters: NO_PARAMETERS,
    answers: { 200: "JSON." },
    errors: name === "live" ? [] : ["503: not now; the answer says why"],
  })),
  {
    method: "GET",
    path: "/metrics",
    group: "The node",
    access: "read",
    isAddition: true,
    summary: "Metrics for Prometheus: docs/observability.md.",
    parameters: [
      { name: "topic", text: "Only this one; may be given several times." },
      { name: "channel", text: "Only those of this name; may be given several times." },
      { name: "clients", text: "`true` for a series of each client, too." },
      { name: "names", text: "Of which vocabulary the names are; this project's if absent." },
      { name: "aggregate", text: "What is added up." },
    ],
    answers: { 200: "Text, in the form that the Accept header asks for." },
    errors: ["400 INVALID_NAMES", "400 INVALID_AGGREGATE"],
  },
  {
    method: "POST",
    path: "/drain",
    group: "The node",
    access: "admin",
    isAddition: true,
    summary: "Lets consumers finish what there is, takes no more messages, and ends nsqd then.",
    parameters: NO_PARAMETERS,
    answers: { 200: "What /health/ready answers now." },
    errors: ["501 NO_DRAIN, with `--store=kv`"],
    limits: "`--drain-timeout`.",
  },
  {
    method: "GET",
    path: "/info",
    group: "The node",
    access: "read",
    summary: "Version, addresses and limits of the node.",
    parameters: NO_PARAMETERS,
    answers: { 200: "JSON." },
    errors: [],
  },
  {
    method: "GET",
    path: "/stats",
    group: "The node",
    access: "read",
    summary: "Counts of topics, channels and clients.",
    parameters: [
      { name: "format", text: "`json`; text if absent." },
      { name: "topic", text: "Only this one." },
      { name: "channel", text: "Only those of this name." },
      { name: "include_clients", text: "`false` leaves clients out." },
      { name: "include_mem", text: "`false` leaves the use of memory out." },
      {
        name: "include_node",
        text:
          "`true` for `node`, in JSON: what `/health/ready` answers, with `store` (`files`, `memory` or `kv`), `resident_memory_bytes` and, where they can be known, `data_path_free_bytes` and `data_path_size_bytes`. NSQ has no such parameter.",
      },
    ],
    answers: { 200: "JSON, or text." },
    errors: [],
  },
  {
    method: "GET",
    path: "/config/:opt",
    group: "The node",
    access: "read",
    summary: "The value of an option.",
    parameters: [{ name: "opt", text: "Its key, such as `nsqlookupd_tcp_addresses`.", isRequired: true }],
    answers: { 200: "JSON." },
    errors: ["400 INVALID_OPTION"],
  },
  {
    method: "PUT",
    path: "/config/:opt",
    group: "The node",
    access: "admin",
    summary:
      "Changes an option while nsqd runs, or with `reload` reads certificates, tokens and the audit log anew.",
    parameters: [{
      name: "opt",
      text: "`log_level`, `nsqlookupd_tcp_addresses` or `reload`.",
      isRequired: true,
    }],
    body: "The value; nothing with `reload`.",
    answers: { 200: "The new value, or what has been read anew." },
    errors: [
      "400 INVALID_OPTION",
      "400 INVALID_VALUE",
      "413 INVALID_VALUE",
      "500 failed to reload - and why",
    ],
    limits: `${CONFIG_VALUE_SIZE_MAX} bytes.`,
  },
  ...(["lookup", "topics", "channels", "nodes"] as const).map((name): EndpointDescription => ({
    method: "GET",
    path: `/${name}`,
    group: "Discovery, with gossip only",
    access: "read",
    summary: `What \`/${name}\` of nsqlookupd answers.`,
    parameters: name === "lookup" || name === "channels" ? [TOPIC] : NO_PARAMETERS,
    answers: { 200: "JSON." },
    errors: [
      ...name === "lookup" || name === "channels" ? ["400 MISSING_ARG_TOPIC"] : [],
      ...name === "lookup" ? [NO_TOPIC] : [],
      "400 GOSSIP_NOT_ENABLED: it has not begun yet",
    ],
  })),
  debugEndpoint("GET", "pprof/", "The pages that there are."),
  debugEndpoint("GET", "pprof/cmdline", "Arguments of the process."),
  debugEndpoint("GET", "pprof/symbol", "No symbols."),
  debugEndpoint("POST", "pprof/symbol", "No symbols."),
  debugEndpoint("GET", "pprof/profile", "A profile of the processor, for a browser's developer tools.", {
    parameters: [{ name: "seconds", text: "How long, from 1 to 300; 30 if absent." }],
    answers: { 200: "JSON." },
    errors: ["501: the runtime does not permit it"],
  }),
  debugEndpoint("GET", "pprof/heap", "Use of memory.", { answers: { 200: "JSON." } }),
  debugEndpoint("GET", "pprof/goroutine", "Names of the running tasks."),
  debugEndpoint("GET", "pprof/block", "Not available in this runtime."),
  debugEndpoint("GET", "pprof/threadcreate", "Not available in this runtime."),
  debugEndpoint("PUT", "setblockrate", "Without effect.", {
    access: "admin",
    parameters: [{ name: "rate", text: "A whole number.", isRequired: true }],
    errors: ["400 invalid block rate, and why"],
  }),
  debugEndpoint("POST", "freememory", "Calls the garbage collector, where that is possible.", {
    access: "admin",
  }),
];
