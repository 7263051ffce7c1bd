/**
 * Frames of WebSockets as clients send them (RFC 6455), right ones and others.
 *
 * @module
 */

/** What is in a frame. */
export interface FrameOptions {
  readonly opcode: number;
  readonly data?: Uint8Array;
  /** @default {true} */
  readonly isLast?: boolean;
  /** @default {true} */
  readonly isMasked?: boolean;
  /** The whole first byte, in the place of what the others say. */
  readonly first?: number;
  /** What the frame says of its length, in the place of the truth. */
  readonly length?: bigint;
  /** @default {1, 2, 3, 4} */
  readonly mask?: Uint8Array;
}

/** The frame. */
export function clientFrame(options: FrameOptions): Uint8Array<ArrayBuffer> {
  const { opcode, data = new Uint8Array(0), isLast = true, isMasked = true } = options;
  const {
    first = (isLast ? 0x80 : 0) | opcode,
    length = BigInt(data.length),
    mask = Uint8Array.of(1, 2, 3, 4),
  } = options;
  const bit = isMasked ? 0x80 : 0;
  const head = length < 126n
    ? [first, bit | Number(length)]
    : length < 2n ** 16n
    ? [first, bit | 126, Number(length >> 8n), Number(length & 255n)]
    : [first, bit | 127, ...Array.from({ length: 8 }, (_, i) => Number(length >> BigInt(56 - 8 * i) & 255n))];
  const masked = isMasked ? data.map((byte, i) => byte ^ mask[i % 4]) : data;
  return Uint8Array.of(...head, ...isMasked ? mask : [], ...masked);
}
