/**
 * Consumes from a server that will be killed, and does with the messages what consumers do, until the connection ends.
 *
 * @module
 */

import { bytesOf, type Frame } from "../support/frames.ts";
import { Random } from "../support/random.ts";
import { DELAY_MAX_MS, ended, nowMs, pause, type Work } from "./kill_actors.ts";
import { KillClient } from "./kill_client.ts";
import type { ConsumerPlan } from "./kill_plan.ts";
import type { Fate, Fin } from "./kill_fate.ts";

/** What a consumer does with a message later. */
interface Later {
  readonly atMs: number;
  readonly id: string;
  readonly fate: Fate;
  readonly what: "finish" | "touch";
}

/** What is sent right before a connection ends may be lost with it. */
const LEAVING_MS = 500;

/** Consumes, and makes the channel if need be. */
export async function consume(plan: ConsumerPlan, work: Work): Promise<void> {
  const random = new Random(plan.seed);
  while (!work.ending && work.record.violations.length === 0) {
    const client = await KillClient.connect(work.tcpAddress, { msgTimeoutMs: plan.msgTimeoutMs });
    if (!client) return ended("a consumer could not connect", work);
    // The others were told to leave while this one was connecting.
    if (work.ending) return client.close();
    work.clients.add(client);
    await new KillConsumer(client, { plan, work, random }).run();
    work.clients.delete(client);
  }
}

/** One connection of a consumer. */
class KillConsumer {
  readonly #client: KillClient;
  readonly #plan: ConsumerPlan;
  readonly #work: Work;
  readonly #random: Random;
  readonly #fates = new Map<string, { readonly fate: Fate; readonly fins: Fin[] }>();
  #later: Later[] = [];
  #open = true;

  constructor(client: KillClient, options: { plan: ConsumerPlan; work: Work; random: Random }) {
    this.#client = client;
    this.#plan = options.plan;
    this.#work = options.work;
    this.#random = options.random;
  }

  /** Consumes until the connection ends, or it is time to leave. */
  async run(): Promise<void> {
    const { topic, channel, rdy, leaveAfterMs, polite } = this.#plan;
    this.#client.send(`SUB ${topic} ${channel}\n`);
    const later = this.#doLater();
    const leaveMs = nowMs() + leaveAfterMs;
    let leftMs = Infinity;
    for (let frames = await this.#client.frames(); frames; frames = await this.#client.frames()) {
      const answers = frames.map((frame) => frame.type === "response" ? frame.text : "");
      if (answers.includes("OK")) this.#client.send(`RDY ${rdy}\n`);
      this.#take(frames);
      if (answers.includes("CLOSE_WAIT")) break;
      const now = nowMs();
      if (now < leaveMs || leftMs < Infinity) continue;
      // The server answers to what came before CLS; of what is sent afterwards nobody will know.
      leftMs = polite ? now : now - LEAVING_MS;
      if (!polite) break;
      this.#client.send("CLS\n");
    }
    if (leftMs < Infinity) this.#doubtSince(leftMs);
    else ended(`${topic}/${channel}: a consumer's connection has ended`, this.#work);
    this.#open = false;
    this.#client.close();
    await later;
  }

  #take(frames: readonly Frame[]): void {
    const { topic, channel } = this.#plan;
    const commands: string[] = [];
    for (const frame of frames) {
      if (frame.type === "error") this.#failed(frame.text);
      if (frame.type !== "message") continue;
      const fate = this.#work.record.delivered(topic, channel, frame, nowMs());
      commands.push(fate ? this.#answer(frame.id, fate) : `FIN ${frame.id}\n`);
    }
    if (commands.length > 0) this.#client.send(bytesOf(commands.join("")));
  }

  /** What it does with a message now; nothing is possible, too. */
  #answer(id: string, fate: Fate): string {
    const random = this.#random;
    const { finishPercent } = this.#plan;
    const msgTimeoutMs = this.#plan.msgTimeoutMs || this.#work.msgTimeoutMs;
    if (random.below(100) < finishPercent) return this.#finish(id, fate);
    const now = nowMs();
    switch (random.below(6)) {
      case 0:
        return this.#requeue(id, fate, 0);
      case 1:
      case 2:
        return this.#requeue(id, fate, 20 + random.below(DELAY_MAX_MS));
      case 3:
        this.#later.push({ atMs: now + msgTimeoutMs * 0.6, id, fate, what: "touch" });
        this.#later.push({ atMs: now + msgTimeoutMs * 1.3, id, fate, what: "finish" });
        return "";
      case 4:
        this.#later.push({ atMs: now + random.below(200), id, fate, what: "finish" });
        return "";
      default:
        return "";
    }
  }

  #finish(id: string, fate: Fate): string {
    const entry = this.#fates.get(id) ?? { fate, fins: [] };
    this.#fates.set(id, entry);
    entry.fins.push(this.#work.record.finished(fate, nowMs()));
    return `FIN ${id}\n`;
  }

  #requeue(id: string, fate: Fate, delayMs: number): string {
    if (!this.#fates.has(id)) this.#fates.set(id, { fate, fins: [] });
    this.#work.record.requeued(fate, { nowMs: nowMs(), delayMs });
    return `REQ ${id} ${delayMs}\n`;
  }

  async #doLater(): Promise<void> {
    while (this.#open) {
      await pause(20);
      const now = nowMs();
      const due = this.#later.filter(({ atMs }) => atMs <= now);
      if (due.length === 0 || !this.#open) continue;
      this.#later = this.#later.filter(({ atMs }) => atMs > now);
      const commands = due.map(({ id, fate, what }) =>
        what === "touch" ? `TOUCH ${id}\n` : this.#finish(id, fate)
      );
      this.#client.send(bytesOf(commands.join("")));
    }
  }

  /** A FIN or REQ of a message that was not in flight to it any more. */
  #failed(text: string): void {
    const [, command, id] = /^E_(FIN|REQ|TOUCH)_FAILED \w+ (\S+) failed/.exec(text) ?? [];
    const entry = this.#fates.get(id);
    if (command === undefined) {
      this.#work.record.violations.push(`a consumer was answered ${text}`);
    } else if (command === "FIN") {
      const fin = entry?.fins.find((fin) => !fin.failed);
      if (fin) fin.failed = true;
    } else if (command === "REQ" && entry) {
      entry.fate.requeue = undefined;
    }
  }

  #doubtSince(since: number): void {
    for (const { fins, fate } of this.#fates.values()) {
      for (const fin of fins) if (fin.sentMs >= since) fin.uncertain = true;
      if (fate.requeue && fate.requeue.sentMs >= since) fate.requeue = undefined;
    }
  }
}
