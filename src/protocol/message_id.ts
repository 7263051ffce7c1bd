/**
 * Message ids: 16 lower-case hexadecimal digits that carry a position in the topic's log, so that an
 * answer (FIN, REQ, TOUCH) finds its message by arithmetic. The bits lie as in NSQ's own ids
 * (nsqd/guid.go), and a new log starts at a position made from the time as NSQ makes its ids from it,
 * so ids ascend, look like NSQ's, and do not return after a crash:
 *
 * ```
 *  63                    22 21      12 11        0
 *  [ position / 4096 (42) ][ node (10) ][ pos. (12) ]
 * ```
 *
 * @module
 */

/** Length of an id on the wire, in bytes. */
export const MESSAGE_ID_LENGTH = 16;

/** Positions below this one fit both a double and an id. */
export const POSITION_MAX = Number.MAX_SAFE_INTEGER;

/** 2012-10-28T16:23:42Z in units of 2^20 ns, NSQ's `twepoch`. */
const EPOCH = 1288834974288;
const SEQUENCE_SPAN = 4096;

const HEX_DIGITS = new TextEncoder().encode("0123456789abcdef");
const HEX_VALUES = new Int8Array(256).fill(-1);
HEX_DIGITS.forEach((digit, value) => HEX_VALUES[digit] = value);

/** Where the log of a topic created at that time begins: 4096 positions for each 2^20 ns. */
export function firstPosition(nowMs: number): number {
  return (Math.floor(nowMs * 1e6 / 2 ** 20) - EPOCH) * SEQUENCE_SPAN;
}

/** Writes the id of the message at `position` as 16 bytes to `out` at `offset`. */
export function writeMessageId(out: Uint8Array, offset: number, position: number, nodeId: number): void {
  const time = Math.floor(position / SEQUENCE_SPAN);
  const timeHigh = Math.floor(time / 1024);
  writeHex(out, offset, timeHigh);
  writeHex(out, offset + 8, (time - timeHigh * 1024) << 22 | nodeId << 12 | position % SEQUENCE_SPAN);
}

const SCRATCH = new Uint8Array(MESSAGE_ID_LENGTH);

/** The id of the message at `position`. */
export function messageIdText(position: number, nodeId: number): string {
  writeMessageId(SCRATCH, 0, position, nodeId);
  return String.fromCharCode(...SCRATCH);
}

/** The position in an id, or -1 when it is no id of this node. */
export function messageIdPosition(id: string, nodeId: number): number {
  if (id.length !== MESSAGE_ID_LENGTH) return -1;
  for (let i = 0; i < MESSAGE_ID_LENGTH; i++) SCRATCH[i] = id.charCodeAt(i);
  return readMessageId(SCRATCH, 0, nodeId);
}

/** The position in the id at `offset`, or -1 when it is no id of this node. */
export function readMessageId(bytes: Uint8Array, offset: number, nodeId: number): number {
  const high = readHex(bytes, offset);
  const low = readHex(bytes, offset + 8);
  if (high < 0 || low < 0 || (low / SEQUENCE_SPAN & 1023) !== nodeId) return -1;
  const position = (high * 1024 + Math.floor(low / 2 ** 22)) * SEQUENCE_SPAN + low % SEQUENCE_SPAN;
  return position <= POSITION_MAX ? position : -1;
}

function writeHex(out: Uint8Array, offset: number, value: number): void {
  out[offset] = HEX_DIGITS[value >>> 28];
  out[offset + 1] = HEX_DIGITS[value >>> 24 & 15];
  out[offset + 2] = HEX_DIGITS[value >>> 20 & 15];
  out[offset + 3] = HEX_DIGITS[value >>> 16 & 15];
  out[offset + 4] = HEX_DIGITS[value >>> 12 & 15];
  out[offset + 5] = HEX_DIGITS[value >>> 8 & 15];
  out[offset + 6] = HEX_DIGITS[value >>> 4 & 15];
  out[offset + 7] = HEX_DIGITS[value & 15];
}

/** Eight digits as an unsigned number, or -1. */
function readHex(bytes: Uint8Array, offset: number): number {
  const a = HEX_VALUES[bytes[offset]];
  const b = HEX_VALUES[bytes[offset + 1]];
  const c = HEX_VALUES[bytes[offset + 2]];
  const d = HEX_VALUES[bytes[offset + 3]];
  const e = HEX_VALUES[bytes[offset + 4]];
  const f = HEX_VALUES[bytes[offset + 5]];
  const g = HEX_VALUES[bytes[offset + 6]];
  const h = HEX_VALUES[bytes[offset + 7]];
  if ((a | b | c | d | e | f | g | h) < 0) return -1;
  return (a << 28 | b << 24 | c << 20 | d << 16 | e << 12 | f << 8 | g << 4 | h) >>> 0;
}
