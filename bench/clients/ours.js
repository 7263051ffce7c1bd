/**
 * This project's client for ../clients.ts: in Deno from its source, in Node.js from its npm package.
 *
 *   node ours.js one-by-one|many|consume HOST:PORT TOPIC MESSAGES [MODULE]
 */
import process from "node:process";
import { report } from "./report.js";

const [task, address, topic, count, module = "@denosq/client"] = process.argv.slice(2);
const { Consumer, Producer } = await import(module);
const messages = Number(count);
const body = new Uint8Array(200).fill(120);

if (task === "consume") {
  const consumer = new Consumer(topic, "bench", { nsqd: [address], maxInFlight: 2500 });
  const measured = report();
  let left = messages;
  for await (const message of consumer) {
    message.finish();
    if (--left === 0) break;
  }
  measured();
  await consumer.close();
} else {
  const producer = new Producer({ nsqd: [address] });
  await producer.ready();
  const measured = report();
  let left = messages;
  const publishAgainAndAgain = async () => {
    while (left-- > 0) await producer.publish(topic, body);
  };
  await Promise.all(Array.from({ length: task === "many" ? 1000 : 1 }, publishAgainAndAgain));
  measured();
  await producer.close();
}
