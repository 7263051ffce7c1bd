/**
 * Publishes a hundred orders, as many at a time as there are, and one that is delivered a second later.
 *
 *   deno run -A examples/publish.ts [HOST:PORT]
 *
 * @module
 */

import process from "node:process";
import { Producer, PublishError } from "../src/client/mod.ts";

const [address = "127.0.0.1:4150"] = process.argv.slice(2);

const producer = new Producer({ nsqd: [address] });
try {
  const orders = Array.from({ length: 100 }, (_, i) => JSON.stringify({ order: i + 1, amount: 10 * i }));
  const receipts = await Promise.all(orders.map((order) => producer.publish("orders", order)));
  await producer.publish("orders", JSON.stringify({ order: 101, reminder: true }), { deferMs: 1000 });
  console.log(`${receipts.length + 1} orders are published, by ${receipts[0].node}`);
} catch (error) {
  if (!(error instanceof PublishError)) throw error;
  console.error(error.ambiguous ? "Perhaps published, perhaps not:" : "Not published:", error.message);
  process.exitCode = 1;
} finally {
  await producer.close();
}
