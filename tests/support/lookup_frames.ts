/**
 * nsqlookupd's protocol V1 as an nsqd speaks it: commands to bytes, bytes to answers. Written apart from src/protocol,
 * so that a mistake there is not made here too.
 *
 * @module
 */

import { withBody } from "./frames.ts";

/** What an nsqd says first. */
export const LOOKUP_MAGIC = "  V1";

/** What an nsqd says of itself in these tests, unless told otherwise. */
export const NODE = {
  broadcast_address: "addr1",
  hostname: "host1",
  tcp_port: 4150,
  http_port: 4151,
  version: "1.3.0",
};

/** IDENTIFY. */
export function identifyNode(info: Readonly<Record<string, unknown>> = {}): Uint8Array<ArrayBuffer> {
  return withBody("IDENTIFY", JSON.stringify({ ...NODE, ...info }));
}

/** Takes answers out of the bytes that come, in pieces of any size. */
export class LookupAnswerReader {
  #bytes = new Uint8Array(0);

  /** The answers that are complete now, as text. */
  push(bytes: Uint8Array): string[] {
    const all = new Uint8Array(this.#bytes.length + bytes.length);
    all.set(this.#bytes);
    all.set(bytes, this.#bytes.length);
    const view = new DataView(all.buffer);
    const answers: string[] = [];
    let start = 0;
    while (all.length - start >= 4) {
      const end = start + 4 + view.getInt32(start);
      if (end > all.length) break;
      answers.push(new TextDecoder().decode(all.subarray(start + 4, end)));
      start = end;
    }
    this.#bytes = all.slice(start);
    return answers;
  }
}
