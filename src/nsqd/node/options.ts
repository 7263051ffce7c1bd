/**
 * The options that say what this node is called, and where others find it.
 *
 * @module
 */
import { md5 } from "@noble/hashes/legacy";
import { crc32 } from "../../base/crc32.ts";
import { hostName, isOnDeploy, machineName } from "../../base/platform.ts";
import { bool, int, string } from "../../config/kind.ts";
import { option, type OptionsOf } from "../../config/option.ts";

/** Node ids are part of message ids, which have ten bits for them. */
const NODE_ID_COUNT = 1024;

/** The table. */
export const NODE_OPTIONS = {
  nodeId: option({
    flag: "node-id",
    key: "id",
    kind: int,
    default: ownNodeId,
    defaultNote: "hash of the host name; on Deno Deploy, and where there is no name, any number",
    description: "This node's part of message ids, from 0 to 1023; no two nodes should share one.",
  }),
  workerId: option({
    flag: "worker-id",
    key: null,
    kind: bool,
    default: false,
    description: "Deprecated, without effect: use --node-id.",
  }),
  broadcastAddress: option({
    flag: "broadcast-address",
    kind: string,
    default: hostName,
    defaultNote: "the host name",
    description:
      "Address that consumers reach this node at, as nsqlookupd tells them; auto is that of the interface which routes outward.",
  }),
  broadcastTcpPort: option({
    flag: "broadcast-tcp-port",
    kind: int,
    default: 0,
    description: "TCP port that nsqlookupd tells consumers; 0 is the port listened on.",
  }),
  broadcastHttpPort: option({
    flag: "broadcast-http-port",
    kind: int,
    default: 0,
    description: "HTTP port that nsqlookupd tells others; 0 is the port listened on.",
  }),
  topologyRegion: option({
    flag: "topology-region",
    kind: string,
    default: "",
    description: "Region of this node, the larger of the two domains by which near consumers are preferred.",
  }),
  topologyZone: option({
    flag: "topology-zone",
    kind: string,
    default: "",
    description: "Zone of this node inside its region, for preferring near consumers.",
  }),
};

/** What the node is configured with. */
export type NodeOptions = OptionsOf<typeof NODE_OPTIONS>;

/** Why these options cannot be run with, or `undefined` if they can. */
export function nodeRefusal({ nodeId }: Pick<NodeOptions, "nodeId">): string | undefined {
  if (nodeId >= 0 && nodeId < NODE_ID_COUNT) return undefined;
  return `--node-id must be from 0 to ${NODE_ID_COUNT - 1}`;
}

/**
 * NSQ's own default, so that a node keeps its id when it changes from one program to the other. Instances that a platform
 * starts as it likes all have one name, or none.
 */
function ownNodeId(): number {
  const name = isOnDeploy() ? undefined : machineName();
  if (name === undefined) return crypto.getRandomValues(new Uint16Array(1))[0] % NODE_ID_COUNT;
  // Node's own hashes would cost every start more than all else that it does (docs/performance.md).
  return crc32(md5(new TextEncoder().encode(name))) % NODE_ID_COUNT;
}
