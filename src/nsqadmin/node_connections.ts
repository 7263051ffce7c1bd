/**
 * Connections to nodes over TCP, for what HTTP cannot do: taking messages. They are made as requests to daemons are, with the
 * same certificates and the same token, as far as nodes want them.
 *
 * @module
 */

import { hostPort } from "../base/host_port.ts";
import { DENOSQ_VERSION } from "../base/version.ts";
import type { ConnectionOptions } from "../client/mod.ts";
import type { ClusterNode } from "../cluster/cluster_nodes.ts";
import { ADDRESS } from "../cluster/daemon_client.ts";
import type { TlsFiles } from "../config/tls_files.ts";

/** The largest message that is taken, in bytes: one that is larger ends the connection. */
export const TAKEN_SIZE_MAX = 5 * 1024 * 1024;

/** What nodes are shown, and what they must show. */
export interface NodeCredentials {
  readonly tls: TlsFiles;
  readonly skipVerify: boolean;
  /** Shown to nodes that demand a secret. */
  readonly token: string | undefined;
  readonly connectTimeoutMs: number;
}

/** How connections are made. */
export function nodeConnection(
  { tls: { pair, rootCa }, skipVerify, token, connectTimeoutMs }: NodeCredentials,
): ConnectionOptions {
  // Without any of these nobody has said that nodes speak TLS, and a certificate of their own would be refused.
  const hasTls = pair !== undefined || rootCa !== undefined || skipVerify;
  return {
    clientId: "nsqadmin",
    userAgent: `nsqadmin/${DENOSQ_VERSION}`,
    dialTimeoutMs: connectTimeoutMs,
    maxMsgSizeBytes: TAKEN_SIZE_MAX,
    ...hasTls && {
      tls: {
        optional: true,
        rejectUnauthorized: !skipVerify,
        ...rootCa !== undefined && { ca: rootCa },
        ...pair,
      },
    },
    ...token !== undefined && { authSecret: token },
  };
}

/** Where nodes serve TCP: those that say a host and a port, and nothing more. */
export function tcpAddressesOf(nodes: readonly ClusterNode[]): string[] {
  return nodes.map(({ broadcast_address: hostname, tcp_port: port }) => hostPort({ hostname, port }))
    .filter((address) => ADDRESS.test(address));
}
