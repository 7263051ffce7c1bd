/**
 * The thread of those who work with a daemon while others attack it (witness.ts).
 *
 * @module
 */

/// <reference lib="deno.worker" />

import { assert, assertEquals, assertMatch } from "@std/assert";
import { i32, identify, join, type MessageFrame, mpub, pub } from "../support/frames.ts";
import { RawClient } from "../support/frames_client.ts";
import { LookupClient } from "../support/lookup_client.ts";
import { RawHttpClient } from "../support/raw_http_client.ts";
import type { Target } from "./scenario.ts";
import { HEARTBEAT_MS, type Testimony, type WitnessReport, type WitnessTask } from "./witness.ts";

/** Somebody who works with the daemon. */
interface Witness extends Disposable {
  /** Asks for something, and checks the answer. False when it has been refused. */
  ask(i: number): Promise<boolean>;
  /** Checks that what was there before the attack still is. */
  conclude(): Promise<void>;
}

const PAUSE_MS = 5;
const NO_HEARTBEATS = identify({ heartbeat_interval: -1 });
const HEARTBEATS = identify({ heartbeat_interval: HEARTBEAT_MS });
const TOPIC = "honest";
/** Where messages wait for the end of the attack. */
const KEPT_TOPIC = "kept";
const KEPT = Array.from({ length: 100 }, (_, i) => `kept ${i} `.padEnd(1000, "."));
const NODE =
  '{"broadcast_address":"10.9.9.9","hostname":"h","tcp_port":4150,"http_port":4151,"version":"1.3.0"}';

let attackEnds: (() => void) | undefined;

self.onmessage = async ({ data }: MessageEvent<WitnessTask | "ended">) => {
  if (data === "ended") {
    attackEnds?.();
    return;
  }
  const { program, target, mayRefuse } = data;
  using witness = program === "nsqd" ? await Queue.open(target) : await Node.open(target);
  const attacked = new Promise<void>((resolve) => attackEnds = resolve);
  self.postMessage("ready" satisfies WitnessReport);
  self.postMessage(await watch(witness, { attacked, mayRefuse }) satisfies WitnessReport);
};

/**
 * Two publishers, over TCP and over HTTP, and a consumer: each message that was acknowledged comes, once, and in order, and
 * none that was refused. Other messages wait for the end.
 */
class Queue implements Witness {
  readonly #tcpAddress: string;
  readonly #httpPublisher: RawHttpClient;
  readonly #consumer: RawClient;
  #publisher: RawClient;

  private constructor(
    tcpAddress: string,
    publisher: RawClient,
    httpPublisher: RawHttpClient,
    consumer: RawClient,
  ) {
    this.#tcpAddress = tcpAddress;
    this.#publisher = publisher;
    this.#httpPublisher = httpPublisher;
    this.#consumer = consumer;
  }

  static async open({ tcpAddress, httpAddress }: Target): Promise<Queue> {
    const publisher = await connectPublisher(tcpAddress);
    (await subscribe(tcpAddress, KEPT_TOPIC))[Symbol.dispose]();
    assertEquals(await publisher.ask(mpub(KEPT_TOPIC, KEPT)), "OK");
    const consumer = await subscribe(tcpAddress, TOPIC);
    await consumer.send("RDY 1\n");
    const port = Number(httpAddress.slice(httpAddress.lastIndexOf(":") + 1));
    return new Queue(tcpAddress, publisher, await RawHttpClient.to({ port }), consumer);
  }

  async ask(i: number): Promise<boolean> {
    const text = `message ${i}`;
    if (!await (i % 2 === 0 ? this.#publish(text) : this.#publishOverHttp(text))) {
      // Heartbeats are not read without a message, and are answered all the same.
      await this.#consumer.send("NOP\n");
      return false;
    }
    const { id, body } = await message(this.#consumer);
    assertEquals(body, text);
    await this.#consumer.send(`FIN ${id}\n`);
    return true;
  }

  async conclude(): Promise<void> {
    using consumer = await subscribe(this.#tcpAddress, KEPT_TOPIC);
    await consumer.send(`RDY ${KEPT.length}\n`);
    const bodies: string[] = [];
    while (bodies.length < KEPT.length) bodies.push((await message(consumer)).body);
    assertEquals(bodies, KEPT);
  }

  [Symbol.dispose](): void {
    this.#publisher[Symbol.dispose]();
    this.#httpPublisher[Symbol.dispose]();
    this.#consumer[Symbol.dispose]();
  }

  /** Whoever is refused is disconnected, and comes again. */
  async #publish(body: string): Promise<boolean> {
    const answer = await this.#publisher.ask(pub(TOPIC, body));
    if (answer === "OK") return true;
    assertMatch(answer, /^E_PUB_FAILED PUB failed /);
    this.#publisher[Symbol.dispose]();
    this.#publisher = await connectPublisher(this.#tcpAddress);
    return false;
  }

  async #publishOverHttp(body: string): Promise<boolean> {
    const head = `POST /pub?topic=${TOPIC} HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n`;
    await this.#httpPublisher.send(head + body);
    const answer = await this.#httpPublisher.response();
    if (answer === "HTTP/1.1 200 OK OK") return true;
    assertMatch(
      answer,
      /^HTTP\/1\.1 (503 Service Unavailable \{"message":"EXITING"\}|507 Insufficient Storage \{"message":"OUT_OF_MEMORY"\})$/,
    );
    return false;
  }
}

async function connectPublisher(tcpAddress: string): Promise<RawClient> {
  const publisher = await RawClient.connect(tcpAddress);
  assertEquals(await publisher.ask(NO_HEARTBEATS), "OK");
  return publisher;
}

async function subscribe(tcpAddress: string, topic: string): Promise<RawClient> {
  const consumer = await RawClient.connect(tcpAddress);
  assertEquals(await consumer.ask(HEARTBEATS), "OK");
  assertEquals(await consumer.ask(`SUB ${topic} c\n`), "OK");
  return consumer;
}

/** The next message; an attack may take longer than the time between two heartbeats, without which there is no consumer. */
async function message(consumer: RawClient): Promise<MessageFrame> {
  for (;;) {
    const frame = await consumer.frame();
    if (frame.type === "message") return frame;
    assertEquals(frame.text, "_heartbeat_");
    await consumer.send("NOP\n");
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
    const node = new Node(client, httpAddress);
    // Whoever is connected before the attack stays so.
    await node.ask();
    return node;
  }

  async ask(): Promise<boolean> {
    assertEquals(await this.#client.ask("PING\n"), "OK");
    const response = await fetch(`http://${this.#httpAddress}/lookup?topic=${TOPIC}`);
    const { channels, producers } = await response.json();
    assertEquals([channels, producers.map((each: { hostname: string }) => each.hostname)], [["c"], ["h"]]);
    return true;
  }

  async conclude(): Promise<void> {
    await this.ask();
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}

/** Asks again and again until the attack has ended, and twice more then, when nobody may be refused any more. */
async function watch(
  witness: Witness,
  { attacked, mayRefuse }: { readonly attacked: Promise<void>; readonly mayRefuse: boolean },
): Promise<Testimony> {
  let goesOn = true;
  void attacked.then(() => goesOn = false);
  let asked = 0;
  let worstMs = 0;
  let refusedCount = 0;
  for (let more = 2; more > 0;) {
    const mayBeRefused = mayRefuse && goesOn;
    if (!goesOn) more--;
    const startMs = performance.now();
    const served = await witness.ask(asked++);
    assert(served || mayBeRefused, "Somebody is refused who may not be");
    if (!served) refusedCount++;
    self.postMessage((served ? "served" : "refused") satisfies WitnessReport);
    worstMs = Math.max(worstMs, performance.now() - startMs);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  await witness.conclude();
  return { asked, worstMs, refusedCount };
}
