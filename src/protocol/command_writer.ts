/**
 * Writes the commands of protocol V2 (drawn in command_reader.ts), for whoever is nsqd's client. Owns no socket:
 * commands are put into a growing buffer that the caller sends.
 *
 * @module
 */

import { writeU32 } from "./frames.ts";
import { MESSAGE_ID_LENGTH } from "./message_id.ts";

/** A growing buffer. */
export interface ByteSink {
  /** Another array after `reserve()`, it may be. */
  readonly bytes: Uint8Array;
  /** Makes room for that many bytes and counts them as put in; returns where they are to go. */
  reserve(size: number): number;
}

/** Where the id of a message is: its first byte in `bytes`. */
export interface IdPlace {
  readonly bytes: Uint8Array;
  readonly idOffset: number;
}

const SIZE_LENGTH = 4;
const NEWLINE = 10;
const SPACE = 32;
const ZERO = 48;

const FIN = ascii("FIN ");
const REQ = ascii("REQ ");
const TOUCH = ascii("TOUCH ");

/** A command without a body: its name and parameters, all in ASCII. */
export function writeCommand(sink: ByteSink, line: string): void {
  let at = sink.reserve(line.length + 1);
  const { bytes } = sink;
  for (let i = 0; i < line.length; i++) bytes[at++] = line.charCodeAt(i);
  bytes[at] = NEWLINE;
}

/** A command with one body. */
export function writeBodyCommand(sink: ByteSink, line: string, body: Uint8Array): void {
  writeCommand(sink, line);
  writeSized(sink, body);
}

/** MPUB. */
export function writeMpub(sink: ByteSink, topic: string, bodies: readonly Uint8Array[]): void {
  writeCommand(sink, `MPUB ${topic}`);
  let size = SIZE_LENGTH;
  for (let i = 0; i < bodies.length; i++) size += SIZE_LENGTH + bodies[i].length;
  let at = sink.reserve(SIZE_LENGTH + size);
  const { bytes } = sink;
  writeU32(bytes, at, size);
  writeU32(bytes, at + SIZE_LENGTH, bodies.length);
  at += 2 * SIZE_LENGTH;
  for (let i = 0; i < bodies.length; i++) {
    const body = bodies[i];
    writeU32(bytes, at, body.length);
    bytes.set(body, at + SIZE_LENGTH);
    at += SIZE_LENGTH + body.length;
  }
}

/** FIN. */
export function writeFin(sink: ByteSink, id: IdPlace): void {
  const at = sink.reserve(FIN.length + MESSAGE_ID_LENGTH + 1);
  sink.bytes[writeNamed(sink.bytes, at, FIN, id)] = NEWLINE;
}

/** TOUCH. */
export function writeTouch(sink: ByteSink, id: IdPlace): void {
  const at = sink.reserve(TOUCH.length + MESSAGE_ID_LENGTH + 1);
  sink.bytes[writeNamed(sink.bytes, at, TOUCH, id)] = NEWLINE;
}

/** REQ; the delay is a whole number of ms. */
export function writeReq(sink: ByteSink, id: IdPlace, delayMs: number): void {
  if (delayMs === 0) {
    const at = sink.reserve(REQ.length + MESSAGE_ID_LENGTH + 3);
    const end = writeNamed(sink.bytes, at, REQ, id);
    sink.bytes[end] = SPACE;
    sink.bytes[end + 1] = ZERO;
    sink.bytes[end + 2] = NEWLINE;
    return;
  }
  const at = sink.reserve(REQ.length + MESSAGE_ID_LENGTH);
  writeNamed(sink.bytes, at, REQ, id);
  writeCommand(sink, ` ${delayMs}`);
}

function writeNamed(bytes: Uint8Array, start: number, name: Uint8Array, id: IdPlace): number {
  let at = start;
  // One by one: for so few bytes it costs less than making views.
  for (let i = 0; i < name.length; i++) bytes[at++] = name[i];
  const { bytes: from, idOffset } = id;
  for (let i = 0; i < MESSAGE_ID_LENGTH; i++) bytes[at++] = from[idOffset + i];
  return at;
}

function writeSized(sink: ByteSink, body: Uint8Array): void {
  const at = sink.reserve(SIZE_LENGTH + body.length);
  writeU32(sink.bytes, at, body.length);
  sink.bytes.set(body, at + SIZE_LENGTH);
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
