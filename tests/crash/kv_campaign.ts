/**
 * Two instances on one `denokv` server share 100,000 messages; then once more, and one of them is killed. Each message must be
 * finished once, and none may be lost. `deno task kv-campaign`, with a number of messages behind it if it is to be another.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { denokvPath, DenokvServer } from "../support/denokv.ts";
import { KvInstance } from "../support/kv_instance.ts";
import { share, type ShareResult } from "../support/kv_share.ts";

const program = denokvPath();
if (program === undefined) throw new Error("There is no denokv on PATH: cargo install denokv --locked");
const messages = Number(Deno.args[0] ?? 100_000);
const plan = { messages, batch: 1000, consumers: 4, max: 256, timeoutMs: 30_000 };

await inRound("two instances", async (first, second) => {
  const result = await share({ ...plan, urls: [first.url, second.url] });
  const { published, finished, delivered, again, left } = result;
  assertEquals([published, finished, delivered, again, left], [messages, messages, messages, 0, 0]);
  return result;
});

await inRound("two instances, one of which is killed", async (first, second) => {
  const halfway = { at: messages / 4, act: () => second.kill() };
  const result = await share({ ...plan, urls: [first.url, second.url], timeoutMs: 5000, halfway });
  const { published, finished, unanswered, left, finishedAgain } = result;
  assertEquals([published, finished + unanswered, left, finishedAgain], [messages, messages, 0, 0]);
  return result;
});

async function inRound(
  name: string,
  round: (first: KvInstance, second: KvInstance) => Promise<ShareResult>,
): Promise<void> {
  await using server = await DenokvServer.start(program as string);
  await using first = await KvInstance.start(server.store);
  await using second = await KvInstance.start(server.store);
  const { publishMs, consumeMs, ...counts } = await round(first, second);
  const [published, consumed] = [publishMs, consumeMs].map((ms) => Math.round(messages / ms * 1000));
  console.log(
    `${name}: ${JSON.stringify(counts)}, ${published}/s published, ${consumed}/s received and finished`,
  );
}
