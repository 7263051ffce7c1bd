/**
 * A delivery of the broker as a message with a lease.
 *
 * @module
 */
import type { Segment } from "../../log/segment.ts";
import { MESSAGE_ID_LENGTH, messageIdText } from "../../protocol/message_id.ts";
import type { Tracing } from "../node/tracing.ts";
import { leaseOf } from "./lease.ts";
import type { LeasedMessage } from "./queue.ts";

/** What all deliveries to a consumer have in common. */
export interface DeliveryTerms {
  readonly nodeId: number;
  readonly epoch: string;
  /** How long its leases are valid, in ms. */
  readonly timeoutMs: number;
  /** Absent where nobody has asked for traces: no context is looked for then. */
  readonly tracing?: Tracing | undefined;
}

/** The message at the index of the segment; its body is a copy. */
export function leasedMessage(
  segment: Segment,
  index: number,
  attempts: number,
  { nodeId, epoch, timeoutMs, tracing }: DeliveryTerms,
): LeasedMessage {
  const { bytes } = segment;
  const ownId = messageIdText(segment.base + index, nodeId);
  const foreignId = segment.foreignId(index);
  const bodyOffset = segment.bodyOffset(index);
  return {
    id: foreignId === 0
      ? ownId
      : String.fromCharCode(...bytes.subarray(foreignId, foreignId + MESSAGE_ID_LENGTH)),
    lease: leaseOf({ id: ownId, attempt: attempts, epoch }),
    attempts,
    timestampNs: BigInt(segment.timestampHigh(index)) << 32n | BigInt(segment.timestampLow(index)),
    expiresInMs: timeoutMs,
    traceparent: tracing?.traceparentOf(segment, index),
    body: bytes.slice(bodyOffset, bodyOffset + segment.bodyLength(index)),
  };
}
