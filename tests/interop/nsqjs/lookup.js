/**
 * Consumes a topic that it finds through nsqlookupd, and writes the first bodies to standard output as one line of
 * JSON. Run by ../nsqlookupd_test.ts in Node.js.
 *
 *   node lookup.js '{"lookupd": "127.0.0.1:4161", "topic": "t", "channel": "c", "messages": 10}'
 */
import { createRequire } from "node:module";
import process from "node:process";

// Not an import: Deno would look for the package, which is there only when the test runs, in Node.js.
const nsq = createRequire(import.meta.url)("nsqjs");

const { lookupd, topic, channel, messages } = JSON.parse(process.argv[2]);
const bodies = [];
const reader = new nsq.Reader(topic, channel, {
  lookupdHTTPAddresses: [lookupd],
  lookupdPollInterval: 1,
  maxInFlight: messages,
});
reader.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
reader.on("message", (message) => {
  bodies.push(message.body.toString());
  message.finish();
  if (bodies.length < messages) return;
  console.log(JSON.stringify(bodies));
  reader.close();
});
reader.connect();
