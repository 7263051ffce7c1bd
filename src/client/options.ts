/**
 * What producers and consumers may both be told, and what holds when they are not. All durations are in ms.
 *
 * @module
 */

import type { Transport } from "./link.ts";
import type { Tracing } from "./tracing.ts";

/** The version of this library; the manifest's. */
export const CLIENT_VERSION = "0.1.0";

/** TLS, as of Node's `tls.connect()`; texts are PEM. */
export interface TlsOptions {
  /** Authorities to trust instead of the system's. */
  readonly ca?: string | readonly string[];
  /** The client's own certificate. */
  readonly cert?: string;
  /** Its key. */
  readonly key?: string;
  /** The name that the node's certificate must be for. @default the host in the node's address */
  readonly serverName?: string;
  /** Whether the node's certificate is verified. @default {true} */
  readonly rejectUnauthorized?: boolean;
  /** Whether the connection goes on without TLS where the node does not offer it. @default {false} */
  readonly optional?: boolean;
  /** The oldest version that is spoken. */
  readonly minVersion?: "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";
}

/** How nodes are found, and how each connection is made and kept. */
export interface ConnectionOptions {
  /** Nodes to connect to: `host:port`, `nsqs://host:port` (TLS from the start), `unix:/path`, `ws://host:port/v2`; producers `http://host:4151`, too. */
  readonly nsqd?: readonly string[];
  /** nsqlookupds to ask for nodes, or nsqds with gossip: `host:port` of HTTP, or a URL. */
  readonly lookupd?: readonly string[];
  /** How often they are asked. @default {60000} */
  readonly lookupdPollIntervalMs?: number;
  /** The first interval is longer by up to this part of it, so that not all clients ask at once. @default {0.3} */
  readonly lookupdPollJitter?: number;
  /** How long an answer may take. @default {5000} */
  readonly lookupdPollTimeoutMs?: number;
  /** Sends the secret, as a bearer token, to nsqlookupds too. @default {true} */
  readonly lookupdAuthorization?: boolean;
  /** Which of the nodes that were found are connected to. @default all */
  readonly filterNodes?: (nodes: readonly string[]) => readonly string[];

  /** What nsqd calls this client. @default the host's name up to its first dot */
  readonly clientId?: string;
  /** What nsqd is told of this machine. @default the host's name */
  readonly hostname?: string;
  /** Who is speaking, as in HTTP. @default denosq-client and its version */
  readonly userAgent?: string;
  /** Where this client is, for nodes that prefer consumers near to them. */
  readonly topology?: { readonly region?: string; readonly zone?: string };

  /** How long a connection may take until it can be used. @default {5000} */
  readonly dialTimeoutMs?: number;
  /** A connection on which nothing came for so long is dead; heartbeats come more often. @default {60000} */
  readonly readTimeoutMs?: number;
  /** A connection that takes nothing of what is written for so long is dead. @default {10000} */
  readonly writeTimeoutMs?: number;
  /** How often nsqd sends a heartbeat; -1 for never. @default {30000} */
  readonly heartbeatIntervalMs?: number;
  /** The address of this machine to connect from. */
  readonly localAddress?: string;
  /** The wait before a lost connection is made again: chosen by chance, below a limit that doubles. @default {100, 30000} */
  readonly reconnect?: { readonly minMs?: number; readonly maxMs?: number };

  /** Whether TLS is asked for when a connection is made, and how. @default {false} */
  readonly tls?: boolean | TlsOptions;
  /** How the connection is compressed. @default not at all */
  readonly compression?: "snappy" | "deflate";
  /** From 1, fast, to 9, small. @default {6} */
  readonly deflateLevel?: number;
  /** The secret for nsqds that demand one, or how to get it. */
  readonly authSecret?: string | (() => string | Promise<string>);

  /** Bytes that nsqd gathers before it sends them; -1 for none. @default {16384} */
  readonly outputBufferSizeBytes?: number;
  /** How long nsqd gathers them at most; -1 for not at all. @default {250} */
  readonly outputBufferTimeoutMs?: number;
  /** Messages of more bytes than this are refused, with the connection; 0 for no limit. @default {0} */
  readonly maxMsgSizeBytes?: number;

  /** Ends the producer or consumer, as `close()` does. */
  readonly signal?: AbortSignal;
  /** How bytes come and go. @default as the node's address says */
  readonly transport?: Transport;
  /** Spans and metrics: `@opentelemetry/api`, as a whole. @default none */
  readonly tracing?: Tracing;
}

/** Defaults that more than one file goes by. */
export const DEFAULTS = {
  lookupdPollIntervalMs: 60_000,
  lookupdPollJitter: 0.3,
  lookupdPollTimeoutMs: 5000,
  dialTimeoutMs: 5000,
  readTimeoutMs: 60_000,
  writeTimeoutMs: 10_000,
  heartbeatIntervalMs: 30_000,
  deflateLevel: 6,
  outputBufferSizeBytes: 16_384,
  outputBufferTimeoutMs: 250,
  reconnectMinMs: 100,
  reconnectMaxMs: 30_000,
} as const;
