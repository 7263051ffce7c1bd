/**
 * Where this node tells others to find it, and what else it tells nsqlookupds of itself.
 *
 * @module
 */

import { hostPort } from "../../base/host_port.ts";
import { NSQ_VERSION } from "../../base/version.ts";
import type { NodeInfo } from "../../protocol/lookup_requests.ts";
import type { NodeOptions } from "./options.ts";

/** What is known of a node. */
export interface NodeInfoSource {
  readonly options: Pick<
    NodeOptions,
    "broadcastAddress" | "broadcastTcpPort" | "broadcastHttpPort" | "topologyRegion" | "topologyZone"
  >;
  readonly hostname: string;
  /** Port of the TCP protocol, `undefined` for a unix socket. */
  readonly tcpPort: number | undefined;
  /** Port of plain HTTP, `undefined` for a unix socket. */
  readonly httpPort: number | undefined;
}

/** What a node tells of itself. */
export function nodeInfoOf(node: NodeInfoSource): NodeInfo {
  const { options } = node;
  return {
    broadcast_address: options.broadcastAddress,
    hostname: node.hostname,
    // NSQ compat: without a port for plain HTTP it is 0, and nsqlookupd refuses the node.
    http_port: options.broadcastHttpPort || portOf(node.httpPort),
    tcp_port: options.broadcastTcpPort || portOf(node.tcpPort),
    topology_region: options.topologyRegion,
    topology_zone: options.topologyZone,
    version: NSQ_VERSION,
  };
}

/** The line of the log that says where others are told to find this node. */
export function advertisedLine({ broadcast_address: hostname, tcp_port, http_port }: NodeInfo): string {
  const at = (port: number, what: string) =>
    port === 0 ? `no ${what}` : `${hostPort({ hostname, port })} (${what})`;
  return `NSQ: advertising ${at(tcp_port, "TCP")}, ${at(http_port, "HTTP")}`;
}

function portOf(port: number | undefined): number {
  return port === undefined || port < 0 ? 0 : port;
}
