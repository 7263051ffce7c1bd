import { assertEquals } from "@std/assert";
import type { ConsumerWorkerNote, ConsumerWorkerRequest } from "../support/consumer_worker.ts";
import { eventually } from "../support/eventually.ts";
import { pub } from "../support/frames.ts";
import { nsqdTest } from "../support/nsqd_in_process.ts";

/** The least that a client may ask for. */
const TIMEOUT_MS = 1000;
/** Longer than two heartbeats, and than the message's timeout. */
const STILL_MS = 2200;

/** A consumer in a thread of its own. */
class ConsumerThread implements Disposable {
  readonly notes: ConsumerWorkerNote[] = [];
  readonly #worker = new Worker(new URL("../support/consumer_worker.ts", import.meta.url), {
    type: "module",
  });

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<ConsumerWorkerNote>) => void this.notes.push(data);
  }

  tell(request: ConsumerWorkerRequest): void {
    this.#worker.postMessage(request);
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}

nsqdTest(
  "Nsqd that has stood still reads what has come before it gives anybody up, or times a message out",
  async (nsqd) => {
    using consumer = new ConsumerThread();
    using publisher = await nsqd.connect();
    assertEquals(await publisher.ask(pub("t", "a")), "OK");
    consumer.tell({ consume: { address: nsqd.tcpAddress, heartbeatMs: TIMEOUT_MS, timeoutMs: TIMEOUT_MS } });
    await eventually("it has the message", () => consumer.notes.includes("taken"));

    consumer.tell({ finish: 3 });
    // The thread that nsqd runs in; the consumer's goes on.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STILL_MS);
    const channel = nsqd.nsqd.broker.topic("t").channel("c");
    await eventually("the message is finished", () => channel.inFlightCount === 0);

    assertEquals([channel.timeoutCount, channel.depth, channel.consumers.size], [0, 0, 1]);
    assertEquals(nsqd.lines.filter((line) => line.startsWith("ERROR")), []);
  },
);
