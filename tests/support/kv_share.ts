/**
 * Several instances that share a queue: messages are published to all of them, consumed from all of them, and counted.
 *
 * @module
 */

/** What is to be done. */
export interface SharePlan {
  /** Where the instances are. */
  readonly urls: readonly string[];
  readonly messages: number;
  /** Messages of one publish. */
  readonly batch: number;
  /** Requests to publish that each instance has at a time. @default 2 */
  readonly publishers?: number;
  /** Consumers at each instance. */
  readonly consumers: number;
  /** Messages of one receive. */
  readonly max: number;
  /** How long a lease is valid, in ms. */
  readonly timeoutMs: number;
  /** Called once, when so many messages are finished. */
  readonly halfway?: { readonly at: number; readonly act: () => Promise<void> };
}

/** What came of it. */
export interface ShareResult {
  /** Messages that an instance has acknowledged. */
  readonly published: number;
  /** Different messages that were finished, and are among those that were published. */
  readonly finished: number;
  /** Those whose finish was not answered, because the instance was killed, and that did not come again: it was done. */
  readonly unanswered: number;
  /** What `/stats` has left in the channel. */
  readonly left: number;
  /** Deliveries, and those of a message that was delivered before. */
  readonly delivered: number;
  readonly again: number;
  /** Messages that were finished although a former finish of them had been acknowledged. */
  readonly finishedAgain: number;
  readonly publishMs: number;
  /** Until the last was finished. */
  readonly consumeMs: number;
}

const QUERY = "topic=shared&channel=c";
/** Bytes of a message. */
const SIZE = 200;
/** After so long without any message the consumers give up, in ms. */
const PATIENCE_MS = 30_000;

/** Does it. */
export async function share(plan: SharePlan): Promise<ShareResult> {
  const { urls } = plan;
  await ask(`${urls[0]}/topic/create?topic=shared`);
  await ask(`${urls[0]}/channel/create?${QUERY}`);
  const publishedAt = performance.now();
  const acknowledged = new Set<number>();
  const finished = new Set<number>();
  const asked = new Set<number>();
  const deliveries = new Map<number, number>();
  const seen = { delivered: 0, finishedAgain: 0, lastMs: 0 };
  let halfway = plan.halfway;
  await publishAll(plan, acknowledged);
  const consumedAt = performance.now();
  seen.lastMs = consumedAt;

  const consume = async (url: string) => {
    while (performance.now() - seen.lastMs < PATIENCE_MS) {
      let messages: { lease: string; body: string }[];
      try {
        const answer = await ask(
          `${url}/receive?${QUERY}&max=${plan.max}&wait=500&timeout=${plan.timeoutMs}`,
        );
        if (answer.status !== 200) continue;
        messages = JSON.parse(answer.text).messages;
        for (const { body } of messages) {
          const number = numberOf(body);
          deliveries.set(number, (deliveries.get(number) ?? 0) + 1);
          seen.delivered++;
        }
        if (messages.length === 0) {
          if (asked.size >= acknowledged.size && await leftIn(url) === 0) return;
          continue;
        }
        for (const { body } of messages) asked.add(numberOf(body));
        const leases = messages.map(({ lease }) => lease).join("\n");
        const { text } = await ask(`${url}/finish?${QUERY}`, leases);
        const failed = new Set(JSON.parse(text).failed?.map(({ lease }: { lease: string }) => lease));
        for (const { lease, body } of messages) {
          if (failed.has(lease)) continue;
          if (finished.has(numberOf(body))) seen.finishedAgain++;
          finished.add(numberOf(body));
          seen.lastMs = performance.now();
        }
      } catch (error) {
        // The instance has been killed: its consumers go to another.
        if (!(error instanceof TypeError)) throw error;
        url = urls[(urls.indexOf(url) + 1) % urls.length];
        continue;
      }
      if (halfway !== undefined && finished.size >= halfway.at) {
        const { act } = halfway;
        halfway = undefined;
        await act();
      }
    }
  };
  await Promise.all(urls.flatMap((url) => Array.from({ length: plan.consumers }, () => consume(url))));
  return {
    published: acknowledged.size,
    finished: [...finished].filter((number) => acknowledged.has(number)).length,
    unanswered: [...asked].filter((number) => !finished.has(number)).length,
    left: await leftIn(urls[0]),
    delivered: seen.delivered,
    again: [...deliveries.values()].reduce((sum, count) => sum + count - 1, 0),
    finishedAgain: seen.finishedAgain,
    publishMs: consumedAt - publishedAt,
    consumeMs: seen.lastMs - consumedAt,
  };
}

async function publishAll(
  { urls, messages, batch, publishers = 2 }: SharePlan,
  acknowledged: Set<number>,
): Promise<void> {
  let next = 0;
  const publish = async (url: string) => {
    while (next < messages) {
      const from = next;
      next = Math.min(from + batch, messages);
      const numbers = Array.from({ length: next - from }, (_, i) => from + i);
      const body = numbers.map((number) => `${number} `.padEnd(SIZE, "x")).join("\n");
      const { status } = await ask(`${url}/mpub?topic=shared`, body);
      if (status === 200) { for (const number of numbers) acknowledged.add(number); }
    }
  };
  await Promise.all(urls.flatMap((url) => Array.from({ length: publishers }, () => publish(url))));
}

/** Messages that are in the channel, whatever has become of them. */
async function leftIn(url: string): Promise<number> {
  const response = await fetch(`${url}/stats?format=json&topic=shared`);
  const { depth, in_flight_count, deferred_count } = (await response.json()).topics[0].channels[0];
  return depth + in_flight_count + deferred_count;
}

async function ask(url: string, body = ""): Promise<{ status: number; text: string }> {
  const response = await fetch(url, { method: "POST", body });
  return { status: response.status, text: await response.text() };
}

function numberOf(body: string): number {
  return Number(body.slice(0, body.indexOf(" ")));
}
