/**
 * Consumes with nsqjs from wherever an nsqlookupd, or an nsqd in its place, says that a topic is, and writes the
 * sorted bodies to standard output as one line of JSON. Run by ../gossip_nsqjs_test.ts in Node.js.
 *
 *   node discover.js '{"lookupAddress": "127.0.0.1:4151", "topic": "t", "channel": "c", "messages": 2}'
 */
import { createRequire } from "node:module";
import process from "node:process";

// Not an import: Deno would look for the package, which is there only when the test runs, in Node.js.
const nsq = createRequire(import.meta.url)("nsqjs");

const { lookupAddress, topic, channel, messages } = JSON.parse(process.argv[2]);
const bodies = [];
const reader = new nsq.Reader(topic, channel, {
  lookupdHTTPAddresses: [lookupAddress],
  lookupdPollInterval: 1,
  maxInFlight: 10,
});
reader.on("error", (error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
reader.on("message", (message) => {
  bodies.push(message.body.toString());
  message.finish();
  if (bodies.length < messages) return;
  process.stdout.write(JSON.stringify(bodies.sort()) + "\n", () => process.exit(0));
});
reader.connect();
