/**
 * What an nsqd tells nsqlookupd of itself in IDENTIFY, read as Go's encoding/json reads it into NSQ's PeerInfo
 * (nsqlookupd/registration_db.go).
 *
 * @module
 */

import { ProtocolError } from "./errors.ts";
import type { NodeInfo } from "./lookup_requests.ts";

/** What is missing is this. */
const NOTHING_SAID: NodeInfo = {
  hostname: "",
  broadcast_address: "",
  tcp_port: 0,
  http_port: 0,
  version: "",
  topology_zone: "",
  topology_region: "",
};

/**
 * Reads the body of an IDENTIFY.
 *
 * @throws {ProtocolError} When it is not JSON, not of the right types, or lacks what is required.
 */
export function parseNodeInfo(body: Uint8Array): NodeInfo {
  let info: NodeInfo;
  try {
    info = readFields(body);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new ProtocolError("E_BAD_BODY", "IDENTIFY failed to decode JSON body", { cause });
  }
  const { broadcast_address, tcp_port, http_port, version } = info;
  if (broadcast_address === "" || tcp_port === 0 || http_port === 0 || version === "") {
    throw new ProtocolError("E_BAD_BODY", "IDENTIFY missing fields");
  }
  return info;
}

function readFields(body: Uint8Array): NodeInfo {
  const value: unknown = JSON.parse(new TextDecoder("utf-8", { ignoreBOM: true }).decode(body));
  if (value === null) return NOTHING_SAID;
  if (typeof value !== "object" || Array.isArray(value)) throw new SyntaxError("Not a JSON object");
  const fields: Record<string, unknown> = { ...NOTHING_SAID };
  for (const [key, field] of Object.entries(value)) {
    // NSQ compat: keys match in any case, and null leaves a field as it is.
    const name = key.toLowerCase();
    if (field === null || !Object.hasOwn(NOTHING_SAID, name)) continue;
    if (typeof field !== typeof NOTHING_SAID[name as keyof NodeInfo]) {
      throw new SyntaxError(`Field "${name}" is of the wrong type`);
    }
    if (typeof field === "number" && !Number.isSafeInteger(field)) {
      throw new SyntaxError(`Field "${name}" is not a whole number in range`);
    }
    fields[name] = field;
  }
  return fields as unknown as NodeInfo;
}
