/**
 * Compressed files that can be appended to, and mended after a crash: each sync ends a gzip member or zstd frame, so
 * what was synced can be read whatever comes behind it. Members are short enough to be made in one piece.
 *
 * @module
 */

import { constants, crc32, createInflateRaw, gzipSync, zstdCompressSync } from "node:zlib";

/** How a file is compressed. */
export type Compression = "none" | "gzip" | "zstd";

/** What names of files end with. */
export const SUFFIXES = { none: "", gzip: ".gz", zstd: ".zst" } as const;

/** The most that one member is made of, in bytes: it is made in one piece, at the slowest level in some 10 ms. */
export const MEMBER_SIZE_MAX = 256 * 1024;

/** One member of those bytes. */
export function compressed(kind: Compression, level: number, bytes: Uint8Array): Uint8Array {
  if (kind === "gzip") return gzipSync(bytes, { level });
  if (kind === "zstd") {
    const { ZSTD_c_checksumFlag, ZSTD_c_compressionLevel } = constants;
    return zstdCompressSync(bytes, {
      params: { [ZSTD_c_compressionLevel]: level, [ZSTD_c_checksumFlag]: 1 },
    });
  }
  return bytes;
}

/** Reads bytes at an offset; fewer than asked for only where the file ends. */
export type ReadAt = (offset: number, size: number) => Promise<Uint8Array>;

/** How much of a file is whole members. */
export async function wholeLength(kind: Exclude<Compression, "none">, read: ReadAt): Promise<number> {
  const memberEnd = kind === "gzip" ? gzipMemberEnd : zstdFrameEnd;
  for (let whole = 0;;) {
    const end = await memberEnd(read, whole);
    if (end === undefined) return whole;
    whole = end;
  }
}

const PIECE_SIZE = 64 * 1024;
/** Longer headers of members are of nobody who writes logs. */
const GZIP_HEADER_MAX = 4096;
const GZIP_TRAILER_SIZE = 8;

/** Where the member that begins there ends; undefined if it is not whole. */
async function gzipMemberEnd(read: ReadAt, start: number): Promise<number | undefined> {
  const headerSize = gzipHeaderSize(await read(start, GZIP_HEADER_MAX));
  if (headerSize === undefined) return undefined;
  const content = await inflated(read, start + headerSize);
  if (content === undefined) return undefined;
  const end = start + headerSize + content.compressedSize + GZIP_TRAILER_SIZE;
  const trailer = await read(end - GZIP_TRAILER_SIZE, GZIP_TRAILER_SIZE);
  if (trailer.length < GZIP_TRAILER_SIZE) return undefined;
  const view = new DataView(trailer.buffer, trailer.byteOffset);
  return view.getUint32(0, true) === content.crc && view.getUint32(4, true) === content.size >>> 0
    ? end
    : undefined;
}

const FLAGS = { headerCrc: 2, extra: 4, name: 8, comment: 16 } as const;

function gzipHeaderSize(bytes: Uint8Array): number | undefined {
  if (bytes.length < 10 || bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8) return undefined;
  const flags = bytes[3];
  let size = 10;
  if (flags & FLAGS.extra) size += 2 + (bytes[size] | bytes[size + 1] << 8);
  for (const flag of [FLAGS.name, FLAGS.comment]) {
    if (!(flags & flag)) continue;
    const end = bytes.indexOf(0, size);
    if (end < 0) return undefined;
    size = end + 1;
  }
  if (flags & FLAGS.headerCrc) size += 2;
  return size <= bytes.length ? size : undefined;
}

interface Inflated {
  readonly compressedSize: number;
  readonly size: number;
  readonly crc: number;
}

/** Decompresses what begins there, up to its end; undefined if the file ends before, or it is damaged. */
async function inflated(read: ReadAt, start: number): Promise<Inflated | undefined> {
  const inflate = createInflateRaw();
  let size = 0;
  let crc = 0;
  let over: "not yet" | "whole" | "damaged" = "not yet";
  const ended = new Promise<void>((resolve) => {
    inflate.on("data", (bytes: Uint8Array) => {
      size += bytes.length;
      crc = crc32(bytes, crc);
    });
    inflate.on("end", () => {
      over = "whole";
      resolve();
    });
    inflate.on("error", () => {
      over = "damaged";
      resolve();
    });
  });
  const isOver = () => over !== "not yet";
  for (let offset = start; !isOver();) {
    const piece = await read(offset, PIECE_SIZE);
    if (piece.length === 0) break;
    offset += piece.length;
    await Promise.race([ended, new Promise((resolve) => inflate.write(piece, resolve))]);
    // The end is told of after the write.
    if (inflate.bytesWritten < offset - start) await ended;
  }
  const whole = over as string === "whole";
  inflate.destroy();
  return whole ? { compressedSize: inflate.bytesWritten, size, crc } : undefined;
}

const ZSTD_MAGIC = 0xfd2fb528;
/** Of the frame's header without the dictionary's id and the content's size, whose sizes these are. */
const ZSTD_DICTIONARY_SIZES = [0, 1, 2, 4];
const ZSTD_CONTENT_SIZES = [0, 2, 4, 8];

/** Where the frame that begins there ends; undefined if it is not whole. */
async function zstdFrameEnd(read: ReadAt, start: number): Promise<number | undefined> {
  const header = await read(start, 5);
  if (header.length < 5 || new DataView(header.buffer, header.byteOffset).getUint32(0, true) !== ZSTD_MAGIC) {
    return undefined;
  }
  const descriptor = header[4];
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const contentSize = descriptor >> 6 === 0 && isSingleSegment ? 1 : ZSTD_CONTENT_SIZES[descriptor >> 6];
  let at = start + 5 + (isSingleSegment ? 0 : 1) + ZSTD_DICTIONARY_SIZES[descriptor & 3] + contentSize;
  for (let isLast = false; !isLast;) {
    const block = await read(at, 3);
    if (block.length < 3) return undefined;
    const bits = block[0] | block[1] << 8 | block[2] << 16;
    isLast = (bits & 1) !== 0;
    // A block of type 1 is one byte that is repeated.
    at += 3 + ((bits >> 1 & 3) === 1 ? 1 : bits >> 3);
  }
  const checksumSize = (descriptor & 4) !== 0 ? 4 : 0;
  const end = at + checksumSize;
  const last = await read(end - 1, 1);
  return last.length === 1 ? end : undefined;
}
