/**
 * The thread of those who work with a daemon while others attack it (witness.ts).
 *
 * @module
 */

/// <reference lib="deno.worker" />

import { assertEquals } from "@std/assert";
import { i32, identify, join, type MessageFrame, pub } from "../support/frames.ts";
import { RawClient } from "../support/frames_client.ts";
import { LookupClient } from "../support/lookup_client.ts";
import { RawHttpClient } from "../support/raw_http_client.ts";
import type { Target } from "./scenario.ts";
import type { Testimony, WitnessReport, WitnessTask } from "./witness.ts";

/** Somebody who works with the daemon. */
interface Witness extends Disposable {
  /** Asks for something, and checks the answer. */
  ask(i: number): Promise<void>;
}

const PAUSE_MS = 5;
const NO_HEARTBEATS = identify({ heartbeat_interval: -1 });
const TOPIC = "honest";
const NODE =
  '{"broadcast_address":"10.9.9.9","hostname":"h","tcp_port":4150,"http_port":4151,"version":"1.3.0"}';

let attackEnds: (() => void) | undefined;

self.onmessage = async ({ data }: MessageEvent<WitnessTask | "ended">) => {
  if (data === "ended") {
    attackEnds?.();
    return;
  }
  const { program, target } = data;
  using witness = program === "nsqd" ? await Queue.open(target) : await Node.open(target);
  const attacked = new Promise<void>((resolve) => attackEnds = resolve);
  self.postMessage("ready" satisfies WitnessReport);
  self.postMessage(await watch(witness, attacked) satisfies WitnessReport);
};

/** Two publishers, over TCP and over HTTP, and a consumer: each message that was acknowledged comes, once, and in order. */
class Queue implements Witness {
  readonly #publisher: RawClient;
  readonly #httpPublisher: RawHttpClient;
  readonly #consumer: RawClient;

  private constructor(publisher: RawClient, httpPublisher: RawHttpClient, consumer: RawClient) {
    this.#publisher = publisher;
    this.#httpPublisher = httpPublisher;
    this.#consumer = consumer;
  }

  static async open({ tcpAddress, httpAddress }: Target): Promise<Queue> {
    const [publisher, consumer] = [await RawClient.connect(tcpAddress), await RawClient.connect(tcpAddress)];
    assertEquals(await publisher.ask(NO_HEARTBEATS), "OK");
    assertEquals(await consumer.ask(`SUB ${TOPIC} c\n`), "OK");
    await consumer.send("RDY 1\n");
    const port = Number(httpAddress.slice(httpAddress.lastIndexOf(":") + 1));
    return new Queue(publisher, await RawHttpClient.to({ port }), consumer);
  }

  async ask(i: number): Promise<void> {
    await (i % 2 === 0 ? this.#publish(`message ${i}`) : this.#publishOverHttp(`message ${i}`));
    const { id, body } = await this.#message();
    assertEquals(body, `message ${i}`);
    await this.#consumer.send(`FIN ${id}\n`);
  }

  [Symbol.dispose](): void {
    this.#publisher[Symbol.dispose]();
    this.#httpPublisher[Symbol.dispose]();
    this.#consumer[Symbol.dispose]();
  }

  async #publish(body: string): Promise<void> {
    assertEquals(await this.#publisher.ask(pub(TOPIC, body)), "OK");
  }

  /** The next message; an attack may take longer than the time between two heartbeats, without which there is no consumer. */
  async #message(): Promise<MessageFrame> {
    for (;;) {
      const frame = await this.#consumer.frame();
      if (frame.type === "message") return frame;
      assertEquals(frame.text, "_heartbeat_");
      await this.#consumer.send("NOP\n");
    }
  }

  async #publishOverHttp(body: string): Promise<void> {
    const head = `POST /pub?topic=${TOPIC} HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n`;
    await this.#httpPublisher.send(head + body);
    assertEquals(await this.#httpPublisher.response(), "HTTP/1.1 200 OK OK");
  }
}

/** An nsqd that stays registered, and a consumer that finds it. */
class Node implements Witness {
  readonly #client: LookupClient;
  readonly #httpAddress: string;

  private constructor(client: LookupClient, httpAddress: string) {
    this.#client = client;
    this.#httpAddress = httpAddress;
  }

  static async open({ tcpAddress, httpAddress }: Target): Promise<Node> {
    const client = await LookupClient.connect(tcpAddress);
    await client.ask(join("IDENTIFY\n", i32(NODE.length), NODE));
    assertEquals(await client.ask(`REGISTER ${TOPIC} c\n`), "OK");
    return new Node(client, httpAddress);
  }

  async ask(): Promise<void> {
    assertEquals(await this.#client.ask("PING\n"), "OK");
    const response = await fetch(`http://${this.#httpAddress}/lookup?topic=${TOPIC}`);
    const { channels, producers } = await response.json();
    assertEquals([channels, producers.map((each: { hostname: string }) => each.hostname)], [["c"], ["h"]]);
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}

/** Asks again and again until the attack has ended, and once more then. */
async function watch(witness: Witness, attacked: Promise<void>): Promise<Testimony> {
  let goesOn = true;
  void attacked.then(() => goesOn = false);
  let asked = 0;
  let worstMs = 0;
  for (let last = false; !last;) {
    last = !goesOn;
    const startMs = performance.now();
    await witness.ask(asked++);
    worstMs = Math.max(worstMs, performance.now() - startMs);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return { asked, worstMs };
}
