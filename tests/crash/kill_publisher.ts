/**
 * Publishes to a server that will be killed, over TCP or HTTP, until the connection ends.
 *
 * @module
 */

import { mpub, pub, withBody } from "../support/frames.ts";
import { Random } from "../support/random.ts";
import { DELAY_MAX_MS, ended, nowMs, pause, post, type Work } from "./kill_actors.ts";
import { KillClient } from "./kill_client.ts";
import type { BulkPlan, PublisherPlan } from "./kill_plan.ts";
import type { SentMessage } from "./kill_fate.ts";

/** A command of a publisher. */
interface Publication {
  readonly kind: "one" | "many" | "deferred";
  readonly messages: readonly SentMessage[];
  readonly deferMs: number;
}

const MESSAGES_OF_BATCH_MAX = 60;
/** The most bytes of a message that there are many of. */
const BULK_BODY_MAX = 2000;

/** Publishes. */
export async function publish(plan: PublisherPlan, work: Work): Promise<void> {
  if (plan.over === "tcp") return await publishOverTcp(plan, work);
  await Promise.all(
    Array.from({ length: plan.window }, (_, i) => publishOverHttp({ ...plan, seed: plan.seed + i }, work)),
  );
}

/** Publishes so much that a server has its hands full with it, as quickly as it takes it. */
export async function publishBulk(plan: BulkPlan, work: Work): Promise<void> {
  const { topic, kind, messages, dueAfterMs } = plan;
  const random = new Random(plan.seed);
  const dueMs = nowMs() + dueAfterMs;
  await sendOverTcp({ topic, window: kind === "deferred" ? 200 : 8 }, work, (count) => {
    if (count >= messages) return undefined;
    const now = nowMs();
    const isDeferred = kind === "deferred" || kind === "deleted" && random.oneIn(10);
    const deferMs = isDeferred ? Math.max(Math.ceil(dueMs - now), 1) : 0;
    const list = Array.from({ length: isDeferred ? 1 : MESSAGES_OF_BATCH_MAX }, () => {
      return work.record.send(topic, {
        nowMs: now,
        deferMs,
        padding: "x".repeat(random.below(BULK_BODY_MAX)),
      });
    });
    return { kind: isDeferred ? "deferred" : "many", messages: list, deferMs, pauseMs: 0 };
  });
}

async function publishOverTcp({ topic, seed, window, messages }: PublisherPlan, work: Work): Promise<void> {
  const random = new Random(seed);
  await sendOverTcp({ topic, window }, work, (count) => {
    const publication = nextPublication(random, { topic, slow: count > messages }, work);
    const isSlow = count + publication.messages.length > messages;
    return { ...publication, pauseMs: isSlow ? 5 : random.oneIn(8) ? random.below(4) : 0 };
  });
}

/** Sends what `next` gives, which is told how many messages there were; then it waits for the end of the connection. */
async function sendOverTcp(
  { topic, window }: { topic: string; window: number },
  work: Work,
  next: (count: number) => Publication & { readonly pauseMs: number } | undefined,
): Promise<void> {
  const { record } = work;
  const client = await KillClient.connect(work.tcpAddress);
  if (!client) return ended("a publisher could not connect", work);
  const unanswered: { readonly sentMs: number; readonly messages: readonly SentMessage[] }[] = [];
  let open = true;
  let room = Promise.withResolvers<void>();
  const answers = async () => {
    for (let frames = await client.frames(); frames; frames = await client.frames()) {
      for (const frame of frames) {
        const command = unanswered.shift();
        const answer = frame.type === "message" ? "a message" : frame.text;
        if (answer !== "OK" || !command) ended(`${topic}: a publish was answered by ${answer}`, work);
        else acknowledge(command, work);
      }
      room.resolve();
    }
    open = false;
    room.resolve();
    ended(`${topic}: a publisher's connection has ended`, work);
  };
  const reading = answers();
  let count = 0;
  while (open && !work.ending) {
    if (unanswered.length >= window) {
      room = Promise.withResolvers();
      await room.promise;
      continue;
    }
    const publication = next(count);
    if (!publication) break;
    count += publication.messages.length;
    const sent = { sentMs: nowMs(), messages: publication.messages };
    unanswered.push(sent);
    work.unanswered.add(sent);
    client.send(commandOf(publication));
    if (publication.pauseMs > 0) await pause(publication.pauseMs);
  }
  await reading;
  client.close();
  for (const { messages } of unanswered) record.unanswered(messages);
}

async function publishOverHttp(plan: PublisherPlan, work: Work): Promise<void> {
  const { httpAddress, record } = work;
  const random = new Random(plan.seed);
  let count = 0;
  while (!work.ending) {
    const publication = nextPublication(random, { topic: plan.topic, slow: count > plan.messages }, work);
    const sent = { sentMs: nowMs(), messages: publication.messages };
    count += sent.messages.length;
    work.unanswered.add(sent);
    const { path, body } = requestOf(publication, random);
    const answer = await post(`http://${httpAddress}${path}`, body);
    if (answer?.status === 200) {
      acknowledge(sent, work);
    } else {
      record.unanswered(sent.messages);
      return ended(`${path} was answered by ${answer?.status} ${answer?.text}`, work);
    }
    if (count > plan.messages) await pause(10);
    else if (random.oneIn(4)) await pause(random.below(4));
  }
}

function acknowledge(sent: { sentMs: number; messages: readonly SentMessage[] }, work: Work): void {
  const now = nowMs();
  for (const message of sent.messages) work.record.acked(message, now);
  work.waits.push({ atMs: now, ms: now - sent.sentMs });
  work.unanswered.delete(sent);
}

function nextPublication(
  random: Random,
  { topic, slow }: { topic: string; slow: boolean },
  work: Work,
): Publication {
  const kind = slow ? "one" : random.pick(["one", "one", "one", "many", "deferred"] as const);
  const count = kind === "many" ? 1 + random.below(MESSAGES_OF_BATCH_MAX) : 1;
  const long = work.longDeferrals && random.oneIn(20);
  const deferMs = kind !== "deferred"
    ? 0
    : long
    ? 61_000 + random.below(9000)
    : 20 + random.below(DELAY_MAX_MS);
  const now = nowMs();
  const padding = () => "x".repeat(random.oneIn(50) ? random.below(20_000) : random.below(300));
  const messages = Array.from(
    { length: count },
    () => work.record.send(topic, { nowMs: now, deferMs, padding: padding() }),
  );
  return { kind, messages, deferMs };
}

function commandOf({ kind, messages, deferMs }: Publication): Uint8Array {
  const [{ topic, body }] = messages;
  if (kind === "one") return pub(topic, body);
  if (kind === "deferred") return withBody(`DPUB ${topic} ${deferMs}`, body);
  return mpub(topic, messages.map((message) => message.body));
}

function requestOf(
  { kind, messages, deferMs }: Publication,
  random: Random,
): { path: string; body: BodyInit } {
  const [{ topic, body }] = messages;
  if (kind === "one") return { path: `/pub?topic=${topic}`, body };
  if (kind === "deferred") return { path: `/pub?topic=${topic}&defer=${deferMs}`, body };
  const bodies = messages.map((message) => message.body);
  if (random.oneIn(2)) return { path: `/mpub?topic=${topic}`, body: bodies.join("\n") };
  const command = mpub(topic, bodies);
  return { path: `/mpub?topic=${topic}&binary=true`, body: command.slice(`MPUB ${topic}\n`.length + 4) };
}
