/**
 * Those who work with a daemon while others attack it, and who say at the end whether they could.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { i32, join, pub } from "../support/frames.ts";
import { RawClient } from "../support/frames_client.ts";
import { LookupClient } from "../support/lookup_client.ts";
import type { HostileScenario, Target } from "./scenario.ts";

/** What they have seen. */
export interface Testimony {
  /** How often they have asked for something. */
  readonly asked: number;
  /** The longest that they have waited for an answer, in ms. */
  readonly worstMs: number;
}

/** Somebody who works with the daemon. */
export interface Witness extends Disposable {
  /** Asks for something again and again until `attack` has ended, and checks each answer. */
  watch(attack: Promise<void>): Promise<Testimony>;
}

const PAUSE_MS = 5;
const TOPIC = "honest";
const NODE =
  '{"broadcast_address":"10.9.9.9","hostname":"h","tcp_port":4150,"http_port":4151,"version":"1.3.0"}';

/** The witness that a program needs. */
export function witnessOf({ program }: Pick<HostileScenario, "program">, target: Target): Promise<Witness> {
  return program === "nsqd" ? Queue.open(target) : Node.open(target);
}

/** A publisher and a consumer: each message that was acknowledged comes, once, and in order. */
class Queue implements Witness {
  readonly #publisher: RawClient;
  readonly #consumer: RawClient;

  private constructor(publisher: RawClient, consumer: RawClient) {
    this.#publisher = publisher;
    this.#consumer = consumer;
  }

  static async open({ tcpAddress }: Target): Promise<Queue> {
    const consumer = await RawClient.connect(tcpAddress);
    assertEquals(await consumer.ask(`SUB ${TOPIC} c\n`), "OK");
    await consumer.send("RDY 1\n");
    return new Queue(await RawClient.connect(tcpAddress), consumer);
  }

  watch(attack: Promise<void>): Promise<Testimony> {
    return watchWhile(attack, async (i) => {
      assertEquals(await this.#publisher.ask(pub(TOPIC, `message ${i}`)), "OK");
      const { id, body } = await this.#consumer.message();
      assertEquals(body, `message ${i}`);
      await this.#consumer.send(`FIN ${id}\n`);
    });
  }

  [Symbol.dispose](): void {
    this.#publisher[Symbol.dispose]();
    this.#consumer[Symbol.dispose]();
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

  watch(attack: Promise<void>): Promise<Testimony> {
    return watchWhile(attack, async () => {
      assertEquals(await this.#client.ask("PING\n"), "OK");
      const response = await fetch(`http://${this.#httpAddress}/lookup?topic=${TOPIC}`);
      const { channels, producers } = await response.json();
      assertEquals([channels, producers.map((each: { hostname: string }) => each.hostname)], [["c"], ["h"]]);
    });
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}

async function watchWhile(attack: Promise<void>, ask: (i: number) => Promise<void>): Promise<Testimony> {
  let goesOn = true;
  const ended = attack.finally(() => goesOn = false);
  // It is waited for below, whatever else happens.
  ended.catch(() => goesOn = false);
  let asked = 0;
  let worstMs = 0;
  // Once more when it has ended.
  for (let last = false; !last;) {
    last = !goesOn;
    const startMs = performance.now();
    await ask(asked++);
    worstMs = Math.max(worstMs, performance.now() - startMs);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  await ended;
  return { asked, worstMs };
}
