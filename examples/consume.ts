/**
 * Takes the orders of `publish.ts` one after the other, and ends when there are no more for three seconds.
 *
 *   deno run -A examples/consume.ts [HOST:PORT]
 *
 * @module
 */

import process from "node:process";
import { Consumer } from "../src/client/mod.ts";

const [address = "127.0.0.1:4150"] = process.argv.slice(2);

const end = new AbortController();
const consumer = new Consumer("orders", "billing", { nsqd: [address], signal: end.signal });
let idle = setTimeout(() => end.abort(), 3000);
let sum = 0;
let count = 0;

for await (const message of consumer) {
  clearTimeout(idle);
  idle = setTimeout(() => end.abort(), 3000);
  const { amount = 0 } = message.json<{ amount?: number }>();
  sum += amount;
  count++;
  message.finish();
}

await consumer.close();
console.log(`${count} orders, ${sum} in all`);
