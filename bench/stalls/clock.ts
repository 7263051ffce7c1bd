/**
 * The system's clock is set forward or back while healthy consumers are connected.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { fill } from "../fill_and_drain.ts";
import { LoadConsumer } from "../load_consumer.ts";
import { pause } from "../phase.ts";
import type { Stage } from "./stage.ts";
import type { Finding, Play, StallCase } from "./stall_case.ts";

const JUMPS: readonly (readonly [name: string, ms: number])[] = [
  ["+90 s", 90_000],
  ["+1 h", 3_600_000],
  ["-1 h", -3_600_000],
];
const CONSUMERS = 5;
const HEARTBEAT_MS = 2000;
/** After the clock was set. */
const WATCHED_MS = 8000;
const REQUEUE_MS = 3000;
const REQUEUE_WATCHED_MS = 20_000;
const BACK_MS = -600_000;
const CONSUMING = { topic: "clock", channel: "work", rdy: 1, stamped: false, bufferBytes: 4096 };

/** Clocks that are set. */
export const CLOCK_CASE: StallCase = {
  name: "clock",
  title: "The clock is set",
  diskBytes: 0,
  sourceOnly: true,
  async play(play) {
    const findings: Finding[] = [];
    for (const [name, jumpMs] of JUMPS) {
      const { cutOff, heartbeats } = await jump(play, jumpMs);
      const nominal = CONSUMERS * WATCHED_MS / HEARTBEAT_MS;
      findings.push({
        measure: `clock ${name}: healthy consumers cut off; heartbeats in ${WATCHED_MS / 1000} s`,
        value: `${cutOff} of ${CONSUMERS}; ${heartbeats} of ${nominal}`,
        goal: "none; none missed",
      });
    }
    const seconds = await requeueWhileSetBack(play);
    findings.push({
      measure: "clock -10 min: a message that was requeued with 3 s comes again",
      value: seconds === undefined
        ? `not within ${REQUEUE_WATCHED_MS / 1000} s`
        : `after ${seconds.toFixed(1)} s`,
      goal: "after 3 s",
    });
    return findings;
  },
};

async function jump(play: Play, jumpMs: number): Promise<{ cutOff: number; heartbeats: number }> {
  await using clock = await SettableClock.open(play);
  const { tcpAddress } = clock.stage;
  const options = { ...CONSUMING, heartbeatIntervalMs: HEARTBEAT_MS };
  const consumers: LoadConsumer[] = [];
  let cutOff = 0;
  for (let i = 0; i < CONSUMERS; i++) {
    const consumer = await LoadConsumer.open(tcpAddress, options);
    consumers.push(consumer);
    const ended = () => cutOff++;
    // However it ends: nobody here closes it before it is counted.
    consumer.run().then(ended, ended);
  }
  await pause(2 * HEARTBEAT_MS + 500);
  const before = heartbeatsOf(consumers);
  await clock.set(jumpMs);
  await pause(WATCHED_MS);
  const result = { cutOff, heartbeats: heartbeatsOf(consumers) - before };
  for (const consumer of consumers) consumer.close();
  return result;
}

/** Seconds from a REQ until the message comes again, if it does. */
async function requeueWhileSetBack(play: Play): Promise<number | undefined> {
  await using clock = await SettableClock.open(play);
  const requeue = { every: 1, delayMs: () => REQUEUE_MS };
  using consumer = await LoadConsumer.open(clock.stage.tcpAddress, { ...CONSUMING, requeue });
  const running = consumer.run();
  await fill(clock.stage.tcpAddress, { topic: CONSUMING.topic, messages: 1, sizeBytes: 100 });
  while (consumer.received === 0) await pause(1);
  const requeuedAt = performance.now();
  // The REQ has arrived by then.
  await pause(500);
  await clock.set(BACK_MS);
  const elapsedMs = () => performance.now() - requeuedAt;
  while (consumer.redelivered === 0 && elapsedMs() < REQUEUE_WATCHED_MS) await pause(10);
  const seconds = consumer.redelivered === 0 ? undefined : elapsedMs() / 1000;
  consumer.close();
  await running;
  return seconds;
}

function heartbeatsOf(consumers: readonly LoadConsumer[]): number {
  return consumers.reduce((total, { heartbeats }) => total + heartbeats, 0);
}

/** A server whose clock can be set. */
class SettableClock implements AsyncDisposable {
  readonly stage: Stage;
  readonly #file: string;

  private constructor(stage: Stage, file: string) {
    this.stage = stage;
    this.#file = file;
  }

  static async open(play: Play): Promise<SettableClock> {
    const file = await Deno.makeTempFile({ prefix: "denosq_stalls_clock_" });
    const program = fileURLToPath(new URL("./clock_main.ts", import.meta.url));
    const command = [Deno.execPath(), "run", "-A", program, file, "nsqd"];
    try {
      return new SettableClock(await play.open({ command, unprobed: true }), file);
    } catch (error) {
      await Deno.remove(file);
      throw error;
    }
  }

  /** Sets it to so much after (or before) the true time. */
  async set(offsetMs: number): Promise<void> {
    await Deno.writeTextFile(this.#file, String(offsetMs));
    Deno.kill(this.stage.pid, "SIGUSR2");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stage[Symbol.asyncDispose]();
    await Deno.remove(this.#file);
  }
}
