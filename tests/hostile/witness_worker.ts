/**
 * The thread of those who work with a daemon while others attack it (witness.ts).
 *
 * @module
 */

/// <reference lib="deno.worker" />

import { assert, assertEquals, assertMatch } from "@std/assert";
import { isDisconnect } from "../../src/net/connection.ts";
import { i32, identify, join, type MessageFrame, mpub, pub } from "../support/frames.ts";
import { EndedError, RawClient } from "../support/frames_client.ts";
import { LookupClient } from "../support/lookup_client.ts";
import { RawHttpClient } from "../support/raw_http_client.ts";
import type { Target } from "./scenario.ts";
import type { Testimony, WitnessReport, WitnessTask } from "./witness.ts";

/** Somebody who works with the daemon. */
interface Witness extends Disposable {
  /** Asks for something, and checks the answer. False when it has been refused. */
  ask(i: number): Promise<boolean>;
  /** Checks that what was there before the attack still is. */
  conclude(): Promise<void>;
}

const PAUSE_MS = 5;
/** The least that scenarios let a client take for its first command or request. */
const LIMIT_MIN_MS = 500;
const NO_HEARTBEATS = identify({ heartbeat_interval: -1 });
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
  using witness = program === "nsqd" ? await Queue.open(data) : await Node.open(target);
  const attacked = new Promise<void>((resolve) => attackEnds = resolve);
  self.postMessage("ready" satisfies WitnessReport);
  self.postMessage(await watch(witness, { attacked, mayRefuse }) satisfies WitnessReport);
};

/**
 * Two publishers, over TCP and over HTTP, and a consumer: each message that was acknowledged comes, once, and in order, and
 * none that was refused. Other messages wait for the end.
 */
class Queue implements Witness {
  readonly #task: WitnessTask;
  readonly #httpPublisher: HttpPublisher;
  readonly #consumer: RawClient;
  #publisher: RawClient;

  private constructor(
    task: WitnessTask,
    { publisher, httpPublisher, consumer }: {
      readonly publisher: RawClient;
      readonly httpPublisher: HttpPublisher;
      readonly consumer: RawClient;
    },
  ) {
    this.#task = task;
    this.#publisher = publisher;
    this.#httpPublisher = httpPublisher;
    this.#consumer = consumer;
  }

  static async open(task: WitnessTask): Promise<Queue> {
    const publisher = await connectPublisher(task.target.tcpAddress);
    (await subscribe(KEPT_TOPIC, task))[Symbol.dispose]();
    assertEquals(await publisher.ask(mpub(KEPT_TOPIC, KEPT)), "OK");
    const consumer = await subscribe(TOPIC, task);
    await consumer.send("RDY 1\n");
    const httpPublisher = await HttpPublisher.open(task.target);
    return new Queue(task, { publisher, httpPublisher, consumer });
  }

  async ask(i: number): Promise<boolean> {
    const text = `message ${i}`;
    if (!await (i % 2 === 0 ? this.#publish(text) : this.#httpPublisher.publish(text))) {
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
    using consumer = await subscribe(KEPT_TOPIC, this.#task);
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
    this.#publisher = await connectPublisher(this.#task.target.tcpAddress);
    return false;
  }
}

/** Publishes over a connection that stays, unless the daemon may end it. */
class HttpPublisher implements Disposable {
  readonly #port: number;
  #client: RawHttpClient | undefined;
  /** When the last request was sent. */
  #sentMs = performance.now();

  private constructor(port: number) {
    this.#port = port;
  }

  /** Whoever is connected before the attack stays so, and has been answered. */
  static async open({ httpAddress }: Target): Promise<HttpPublisher> {
    const publisher = new HttpPublisher(Number(httpAddress.slice(httpAddress.lastIndexOf(":") + 1)));
    assertEquals(await publisher.#answer("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 200 OK OK");
    return publisher;
  }

  /** False when it was refused. */
  async publish(body: string): Promise<boolean> {
    const head = `POST /pub?topic=${TOPIC} HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n`;
    const answer = await this.#answer(head + body);
    if (answer === "HTTP/1.1 200 OK OK") return true;
    assertMatch(
      answer,
      /^HTTP\/1\.1 (503 Service Unavailable \{"message":"EXITING"\}|507 Insufficient Storage \{"message":"OUT_OF_MEMORY"\})$/,
    );
    return false;
  }

  #answer(request: string): Promise<string> {
    return inTime(async () => {
      this.#client ??= await RawHttpClient.to({ port: this.#port });
      this.#sentMs = performance.now();
      try {
        await this.#client.send(request);
        return await this.#client.response();
      } catch (error) {
        this[Symbol.dispose]();
        throw error;
      }
    }, this.#sentMs);
  }

  [Symbol.dispose](): void {
    this.#client?.[Symbol.dispose]();
    this.#client = undefined;
  }
}

/**
 * Does something over a connection; and again where the daemon has ended it and may have: when the client, on a machine that
 * runs much else, has taken as long as it has at least, counted from `sinceMs`.
 */
async function inTime<T>(act: () => Promise<T>, sinceMs = performance.now()): Promise<T> {
  for (;; sinceMs = performance.now()) {
    try {
      return await act();
    } catch (error) {
      const isLate = performance.now() - sinceMs >= LIMIT_MIN_MS;
      if (!isLate || !(error instanceof EndedError || isDisconnect(error))) throw error;
    }
  }
}

function connectPublisher(tcpAddress: string): Promise<RawClient> {
  return identified(tcpAddress, NO_HEARTBEATS);
}

async function subscribe(topic: string, { target, heartbeatMs }: WitnessTask): Promise<RawClient> {
  const consumer = await identified(target.tcpAddress, identify({ heartbeat_interval: heartbeatMs }));
  assertEquals(await consumer.ask(`SUB ${topic} c\n`), "OK");
  return consumer;
}

function identified(tcpAddress: string, introduction: Uint8Array): Promise<RawClient> {
  return inTime(async () => {
    const client = await RawClient.connect(tcpAddress);
    assertEquals(await client.ask(introduction), "OK");
    return client;
  });
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
    const client = await inTime(async () => {
      const client = await LookupClient.connect(tcpAddress);
      await client.ask(join("IDENTIFY\n", i32(NODE.length), NODE));
      return client;
    });
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
