/**
 * Frames that nsqd sends (docs: nsq.io "TCP Protocol Spec"):
 *
 * ```
 *  [ size u32 ][ type u32 ][ data, size - 4 bytes ]
 *
 *  data of a message:
 *  [ timestamp i64, ns ][ attempts u16 ][ id, 16 hexadecimal digits ][ body ]
 * ```
 *
 * All numbers are big-endian. No I/O: values are written into a buffer that the caller has made large enough.
 *
 * @module
 */

/** Numbers of the three frame types. */
export const FRAME_TYPE = { response: 0, error: 1, message: 2 } as const;

/** Bytes before the data of a frame. */
export const FRAME_HEADER_LENGTH = 8;

/** Bytes of a message frame before the body. */
export const MESSAGE_HEADER_LENGTH = FRAME_HEADER_LENGTH + 8 + 2 + 16;

const ENCODER = new TextEncoder();

/** A whole response or error frame. */
export function encodeFrame(type: number, data: Uint8Array | string): Uint8Array<ArrayBuffer> {
  const bytes = typeof data === "string" ? ENCODER.encode(data) : data;
  const frame = new Uint8Array(FRAME_HEADER_LENGTH + bytes.length);
  writeU32(frame, 0, bytes.length + 4);
  writeU32(frame, 4, type);
  frame.set(bytes, FRAME_HEADER_LENGTH);
  return frame;
}

/** The answer to most commands. */
export const OK_FRAME: Readonly<Uint8Array> = encodeFrame(FRAME_TYPE.response, "OK");
/** What a client must answer with any command, NOP for instance. */
export const HEARTBEAT_FRAME: Readonly<Uint8Array> = encodeFrame(FRAME_TYPE.response, "_heartbeat_");
/** The answer to CLS. */
export const CLOSE_WAIT_FRAME: Readonly<Uint8Array> = encodeFrame(FRAME_TYPE.response, "CLOSE_WAIT");

/** Writes a big-endian 32-bit number. */
export function writeU32(out: Uint8Array, offset: number, value: number): void {
  out[offset] = value >>> 24;
  out[offset + 1] = value >>> 16;
  out[offset + 2] = value >>> 8;
  out[offset + 3] = value;
}

/** Reads a big-endian unsigned 32-bit number. */
export function readU32(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] << 24 | bytes[offset + 1] << 16 | bytes[offset + 2] << 8 | bytes[offset + 3]) >>> 0;
}

/** Reads a big-endian signed 32-bit number: sizes on the wire are signed. */
export function readI32(bytes: Uint8Array, offset: number): number {
  return bytes[offset] << 24 | bytes[offset + 1] << 16 | bytes[offset + 2] << 8 | bytes[offset + 3];
}
