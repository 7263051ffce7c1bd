/**
 * Handles orders, ten at a time; what fails three times goes to a topic for somebody to look at. Ends with Ctrl-C, in
 * order: what is being handled is handled to its end.
 *
 *   deno run -A examples/handler.ts [HOST:PORT] [SECONDS]
 *
 * @module
 */

import process from "node:process";
import { Consumer } from "../src/client/mod.ts";

const [address = "127.0.0.1:4150", seconds] = process.argv.slice(2);

const consumer = new Consumer("orders", "shipping", {
  nsqd: [address],
  defaultRequeueDelayMs: 1000,
  giveUp: { attempts: 3, deadLetter: "orders.failed" },
});
process.once("SIGINT", () => consumer.close());
if (seconds) setTimeout(() => consumer.close(), 1000 * Number(seconds));

const watching = (async () => {
  for await (const status of consumer.status()) console.error(status);
})();

await consumer.run(async (message) => {
  const { order } = message.json<{ order: number }>();
  await ship(order);
}, { concurrency: 10 });
await watching;

/** Every seventh order cannot be shipped. */
async function ship(order: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5));
  if (order % 7 === 0) throw new Error(`Order ${order} is too heavy`);
}
