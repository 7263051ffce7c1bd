/**
 * What a topic must know besides its segments to go on after a restart, and the bytes it is saved as
 * (all numbers big-endian, positions and times as doubles):
 *
 * ```
 *  "NSQSTA" [ version u16 ][ crc u32 of what follows ]
 *  [ distributed ][ end ][ channels u32 ]
 *  channel = [ name's length u8 ][ name ][ cursor ]
 *            [ n u32 ]( [ position ][ attempts u16 ][ due, ms ] )×n [ n u32 ]( [ position ] )×n
 * ```
 *
 * @module
 */

import { crc32c } from "../base/crc32c.ts";

/** A message that a channel's cursor does not describe. */
export interface OutstandingState {
  readonly position: number;
  readonly attempts: number;
  /** When it is due; 0 is at once: it was in flight or ready again. */
  readonly dueMs: number;
}

/** A channel's part. */
export interface ChannelState {
  readonly name: string;
  /** Everything below is finished, but for what is outstanding. */
  readonly cursor: number;
  /** The ready ones first, in their order. */
  readonly outstanding: readonly OutstandingState[];
  /** Positions at or after the cursor that are finished. */
  readonly finishedAhead: readonly number[];
}

/** A topic's state. */
export interface TopicState {
  /** Messages below are the channels', the others the topic's own. */
  readonly distributed: number;
  /** Position after the last message. */
  readonly end: number;
  readonly channels: readonly ChannelState[];
}

/** The saved state cannot be read. */
export class StateFormatError extends Error {
  override readonly name = "StateFormatError";
}

const MAGIC = new TextEncoder().encode("NSQSTA");
const VERSION = 1;
const HEADER_LENGTH = 12;

/** The state as bytes. */
export function encodeTopicState(state: TopicState): Uint8Array<ArrayBuffer> {
  const names = state.channels.map((channel) => new TextEncoder().encode(channel.name));
  let size = HEADER_LENGTH + 8 + 8 + 4;
  state.channels.forEach((channel, i) => {
    size += 1 + names[i].length + 8 + 4 + 18 * channel.outstanding.length + 4 +
      8 * channel.finishedAhead.length;
  });
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = HEADER_LENGTH;
  const f64 = (value: number) => (view.setFloat64(at, value), at += 8);
  const u32 = (value: number) => (view.setUint32(at, value), at += 4);
  f64(state.distributed);
  f64(state.end);
  u32(state.channels.length);
  state.channels.forEach((channel, i) => {
    bytes[at++] = names[i].length;
    bytes.set(names[i], at);
    at += names[i].length;
    f64(channel.cursor);
    u32(channel.outstanding.length);
    for (const entry of channel.outstanding) {
      f64(entry.position);
      view.setUint16(at, entry.attempts);
      at += 2;
      f64(entry.dueMs);
    }
    u32(channel.finishedAhead.length);
    for (const position of channel.finishedAhead) f64(position);
  });
  bytes.set(MAGIC);
  view.setUint16(6, VERSION);
  view.setUint32(8, crc32c(bytes, HEADER_LENGTH));
  return bytes;
}

/**
 * The state in the bytes.
 *
 * @throws {StateFormatError}
 */
export function decodeTopicState(bytes: Uint8Array): TopicState {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_LENGTH || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new StateFormatError("Not a state file");
  }
  if (view.getUint16(6) !== VERSION) {
    throw new StateFormatError(`State file of version ${view.getUint16(6)}, this program knows ${VERSION}`);
  }
  if (view.getUint32(8) !== crc32c(bytes, HEADER_LENGTH)) throw new StateFormatError("Wrong checksum");
  let at = HEADER_LENGTH;
  const f64 = () => view.getFloat64((at += 8) - 8);
  const u16 = () => view.getUint16((at += 2) - 2);
  const u32 = () => view.getUint32((at += 4) - 4);
  const distributed = f64();
  const end = f64();
  const channels = Array.from({ length: u32() }, (): ChannelState => {
    const length = bytes[at++];
    const name = new TextDecoder().decode(bytes.subarray(at, at += length));
    const cursor = f64();
    const outstanding = Array.from(
      { length: u32() },
      () => ({ position: f64(), attempts: u16(), dueMs: f64() }),
    );
    const finishedAhead = Array.from({ length: u32() }, f64);
    return { name, cursor, outstanding, finishedAhead };
  });
  return { distributed, end, channels };
}
