/**
 * nsqjs for ../clients.ts.
 *
 *   node nsqjs.js one-by-one|many|consume HOST:PORT TOPIC MESSAGES
 */
import { Buffer } from "node:buffer";
import { createRequire } from "node:module";
import process from "node:process";
import { report } from "./report.js";

// Not an import: Deno would look for the package, which is there only when the benchmark runs, in Node.js.
const nsq = createRequire(import.meta.url)("nsqjs");

const [task, address, topic, count] = process.argv.slice(2);
const messages = Number(count);
const body = Buffer.alloc(200, "x");

if (task === "consume") {
  const reader = new nsq.Reader(topic, "bench", { nsqdTCPAddresses: [address], maxInFlight: 2500 });
  let measured;
  let left = messages;
  reader.on("ready", () => measured ??= report());
  reader.on("message", (message) => {
    measured ??= report();
    message.finish();
    if (--left > 0) return;
    measured();
    // Not at once: what is in its output would be lost.
    setTimeout(() => process.exit(0), 500);
  });
  reader.connect();
} else {
  const [host, port] = address.split(":");
  const writer = new nsq.Writer(host, Number(port));
  writer.connect();
  writer.on("ready", async () => {
    const measured = report();
    let left = messages;
    const publishAgainAndAgain = async () => {
      while (left-- > 0) {
        await new Promise((resolve, reject) =>
          writer.publish(topic, body, (error) => error ? reject(error) : resolve())
        );
      }
    };
    await Promise.all(Array.from({ length: task === "many" ? 1000 : 1 }, publishAgainAndAgain));
    measured();
    process.exit(0);
  });
}
