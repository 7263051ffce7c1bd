/**
 * A consumer in a thread of its own, which goes on while the one that it is a client of stands still: it takes a message, and
 * finishes it when it is told to.
 *
 * @module
 */

/// <reference lib="deno.worker" />

import { identify } from "./frames.ts";
import { RawClient } from "./frames_client.ts";

/** What the worker is told: where to consume, or to finish what it has, and how many heartbeats to answer besides. */
export type ConsumerWorkerRequest =
  | {
    readonly consume: { readonly address: string; readonly heartbeatMs: number; readonly timeoutMs: number };
  }
  | { readonly finish: number };
/** What it says: it has a message, has finished it, or has seen what came after. */
export type ConsumerWorkerNote = "taken" | "finished";

let client: RawClient | undefined;
let id = "";

self.onmessage = async ({ data }: MessageEvent<ConsumerWorkerRequest>) => {
  if ("consume" in data) {
    const { address, heartbeatMs, timeoutMs } = data.consume;
    client = await RawClient.connect(address);
    await client.send(identify({ heartbeat_interval: heartbeatMs, msg_timeout: timeoutMs }));
    await client.send("SUB t c\n", "RDY 1\n");
    let frame = await client.frame();
    while (frame.type !== "message") frame = await client.frame();
    id = frame.id;
    note("taken");
  } else {
    await client?.send(`FIN ${id}\n`, ...Array<string>(data.finish).fill("NOP\n"));
    note("finished");
  }
};

function note(text: ConsumerWorkerNote): void {
  self.postMessage(text);
}
