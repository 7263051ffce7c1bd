/**
 * Protocol V2 as a client speaks it: commands to bytes, bytes to frames. Written apart from src/protocol, so that
 * a mistake there is not made here too.
 *
 * @module
 */

/** A frame that nsqd has sent. Text and bodies are byte strings: a character for each byte. */
export type Frame =
  | { readonly type: "response" | "error"; readonly text: string }
  | MessageFrame;

/** A delivered message. */
export interface MessageFrame {
  readonly type: "message";
  readonly id: string;
  readonly attempts: number;
  readonly timestampNs: bigint;
  readonly body: string;
}

/** What a client says first. */
export const MAGIC = "  V2";

/** A frame with a response. */
export function response(text: string): Frame {
  return { type: "response", text };
}

/** A frame with an error. */
export function failure(text: string): Frame {
  return { type: "error", text };
}

/** Bodies of the messages; of other frames, what they are. */
export function bodies(frames: readonly Frame[]): string[] {
  return frames.map((frame) => frame.type === "message" ? frame.body : `${frame.type}: ${frame.text}`);
}

/** Ids of the messages. */
export function ids(frames: readonly Frame[]): string[] {
  return frames.flatMap((frame) => frame.type === "message" ? [frame.id] : []);
}

/** A command with one body. */
export function withBody(line: string, body: string | Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = bytesOf(body);
  return join(`${line}\n`, i32(bytes.length), bytes);
}

/** PUB. */
export function pub(topic: string, body: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return withBody(`PUB ${topic}`, body);
}

/** MPUB. */
export function mpub(topic: string, bodies: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  const messages = bodies.map((body) => join(i32(bytesOf(body).length), body));
  return withBody(`MPUB ${topic}`, join(i32(bodies.length), ...messages));
}

/** IDENTIFY. */
export function identify(data: unknown): Uint8Array<ArrayBuffer> {
  return withBody("IDENTIFY", new TextEncoder().encode(JSON.stringify(data)));
}

/** A size, as four bytes. */
export function i32(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value);
  return bytes;
}

/** The parts, one after the other. */
export function join(...parts: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  const arrays = parts.map(bytesOf);
  const joined = new Uint8Array(arrays.reduce((sum, array) => sum + array.length, 0));
  let end = 0;
  for (const array of arrays) {
    joined.set(array, end);
    end += array.length;
  }
  return joined;
}

/** The bytes that a byte string stands for. */
export function bytesOf(text: string | Uint8Array): Uint8Array {
  if (typeof text !== "string") return text;
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The bytes as a byte string. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  // A function takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }
  return text;
}

/** Gathers bytes and gives the frames in them. */
export class FrameReader {
  #pending: Uint8Array = new Uint8Array();

  /** Bytes of a frame that has not all come. */
  get pendingBytes(): number {
    return this.#pending.length;
  }

  /** Takes bytes; returns the frames that are complete now. */
  push(bytes: Uint8Array): Frame[] {
    let pending: Uint8Array = join(this.#pending, bytes);
    const frames: Frame[] = [];
    while (pending.length >= 4) {
      const size = new DataView(pending.buffer, pending.byteOffset).getUint32(0);
      if (pending.length < 4 + size) break;
      frames.push(frameOf(pending.subarray(4, 4 + size)));
      pending = pending.subarray(4 + size);
    }
    this.#pending = pending;
    return frames;
  }
}

function frameOf(bytes: Uint8Array): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const data = bytes.subarray(4);
  switch (view.getUint32(0)) {
    case 0:
      return response(textOf(data));
    case 1:
      return failure(textOf(data));
    case 2:
      return {
        type: "message",
        timestampNs: view.getBigInt64(4),
        attempts: view.getUint16(12),
        id: textOf(data.subarray(10, 26)),
        body: textOf(data.subarray(26)),
      };
    default:
      throw new Error(`No frame has type ${view.getUint32(0)}`);
  }
}
