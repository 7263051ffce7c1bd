/**
 * The options of discovery through nsqlookupds, and how long requests over HTTP may take that nsqd makes itself.
 *
 * @module
 */
import { duration, stringList } from "../../config/kind.ts";
import { option, type OptionsOf } from "../../config/option.ts";

const SECOND_MS = 1000;

/** The table. */
export const LOOKUP_OPTIONS = {
  lookupdTcpAddresses: option({
    flag: "lookupd-tcp-address",
    key: "nsqlookupd_tcp_addresses",
    kind: stringList,
    default: [],
    description:
      "<addr>:<port> of an nsqlookupd to register with; of a name with several hosts, all of them; may be repeated.",
  }),
  httpClientConnectTimeoutMs: option({
    flag: "http-client-connect-timeout",
    kind: duration,
    default: 2 * SECOND_MS,
    description: "Longest wait for an outgoing HTTP connection.",
  }),
  httpClientRequestTimeoutMs: option({
    flag: "http-client-request-timeout",
    kind: duration,
    default: 5 * SECOND_MS,
    description: "Longest wait for the answer to an outgoing HTTP request.",
  }),
};

/** What discovery through nsqlookupds is configured with. */
export type LookupOptions = OptionsOf<typeof LOOKUP_OPTIONS>;
