/**
 * Publishes and consumes with nsqjs, as its users would, and writes what happened to standard output as one line
 * of JSON. Run by ../nsqjs_test.ts in Node.js; ../workload.ts says what is published and what must come back.
 *
 *   node roundtrip.js '{"tcpAddress": "127.0.0.1:4150", "topic": "t", "channel": "c", "messages": 10000, …}'
 */
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";
import process from "node:process";

// Not an import: Deno would look for the package, which is there only when the test runs, in Node.js.
const nsq = createRequire(import.meta.url)("nsqjs");

const BATCH = 100;
const MAX_IN_FLIGHT = 500;

const workload = JSON.parse(process.argv[2]);
const problems = [];
const counts = { published: 0, finished: 0, requeued: 0, touched: 0 };
const records = Array.from(
  { length: workload.messages },
  () => ({ deliveries: 0, finished: 0, notBefore: 0 }),
);
const { tls } = workload;
const connectionOptions = {
  deflate: workload.compression === "deflate",
  snappy: workload.compression === "snappy",
  ...tls &&
    {
      tls: true,
      ca: readFileSync(tls.caPath),
      cert: readFileSync(tls.certPath),
      key: readFileSync(tls.keyPath),
    },
};

let markAllFinished;
const allFinished = new Promise((resolve) => markAllFinished = resolve);
const reader = new nsq.Reader(workload.topic, workload.channel, {
  ...connectionOptions,
  nsqdTCPAddresses: [workload.tcpAddress],
  maxInFlight: MAX_IN_FLIGHT,
  messageTimeout: workload.messageTimeoutMs,
});
reader.on("error", fail);
reader.on("message", consume);
reader.connect();
await new Promise((resolve) => reader.once("ready", resolve));

const [host, port] = workload.tcpAddress.split(":");
const writer = new nsq.Writer(host, Number(port), connectionOptions);
writer.on("error", fail);
writer.connect();
await new Promise((resolve) => writer.once("ready", resolve));

await publishAll();
await allFinished;
await answersArrived();
reader.close();
writer.close();
process.stdout.write(JSON.stringify({ ...counts, problems }) + "\n", () => process.exit(0));

/** MPUB for most, PUB for every `singleEvery`th, DPUB for every `deferEvery`th. */
async function publishAll() {
  let batch = [];
  for (let index = 0; index < workload.messages; index++) {
    if (index % workload.deferEvery === workload.deferAt) {
      records[index].notBefore = performance.now() + workload.deferMs;
      await confirmed((done) => writer.deferPublish(workload.topic, [bodyOf(index)], workload.deferMs, done));
      counts.published += 1;
    } else if (index % workload.singleEvery === 0) {
      await confirmed((done) => writer.publish(workload.topic, bodyOf(index), done));
      counts.published += 1;
    } else {
      batch.push(bodyOf(index));
    }
    if (batch.length === BATCH || (index === workload.messages - 1 && batch.length > 0)) {
      const messages = batch;
      batch = [];
      await confirmed((done) => writer.publish(workload.topic, messages, done));
      counts.published += messages.length;
    }
  }
}

function consume(message) {
  const now = performance.now();
  const index = message.body.length >= 4 ? message.body.readUInt32BE(0) : -1;
  const record = records[index];
  if (!record || !message.body.equals(bodyOf(index))) {
    problems.push(`a body of ${message.body.length} bytes is not the one that was published`);
    return message.finish();
  }
  record.deliveries += 1;
  if (message.attempts !== record.deliveries) {
    problems.push(`message ${index}: attempts is ${message.attempts} at delivery ${record.deliveries}`);
  }
  if (record.finished > 0) problems.push(`message ${index} came again after it was finished`);
  // A timer may round to a millisecond.
  if (now < record.notBefore - 1) problems.push(`message ${index} came ${record.notBefore - now} ms early`);

  const first = record.deliveries === 1;
  if (first && index % workload.requeueEvery === workload.requeueAt) return requeue(message, record, 0);
  if (first && index % workload.delayEvery === workload.delayAt) {
    return requeue(message, record, workload.delayMs);
  }
  if (index % workload.touchEvery === workload.touchAt) return touchThenFinish(message, record);
  finish(message, record);
}

function requeue(message, record, delayMs) {
  record.notBefore = performance.now() + delayMs;
  counts.requeued += 1;
  message.requeue(delayMs, false);
}

/** Holds a message, where that is for longer than its timeout, as only touching makes possible. */
function touchThenFinish(message, record) {
  const heldSince = performance.now();
  const timer = setInterval(() => {
    if (performance.now() - heldSince < workload.holdMs) {
      counts.touched += 1;
      message.touch();
      return;
    }
    clearInterval(timer);
    finish(message, record);
  }, workload.touchIntervalMs);
}

function finish(message, record) {
  record.finished += 1;
  counts.finished += 1;
  message.finish();
  if (counts.finished === workload.messages) markAllFinished();
}

/** Closing a compressed connection, nsqjs throws away what is still in its compressor; so this asks the server. */
async function answersArrived() {
  const url = `http://${workload.httpAddress}/stats?format=json&topic=${workload.topic}`;
  for (let tries = 0; tries < 3000; tries++) {
    const stats = await (await fetch(url)).json();
    if (stats.topics[0].channels[0].in_flight_count === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Its number, then bytes of all values; lengths from 4 to 1027. */
function bodyOf(index) {
  const body = Buffer.alloc(4 + (index * 7919) % 1024);
  body.writeUInt32BE(index, 0);
  for (let at = 4; at < body.length; at++) body[at] = (index + at) & 0xff;
  return body;
}

function confirmed(publish) {
  return new Promise((resolve, reject) => publish((error) => error ? reject(error) : resolve()));
}

function fail(error) {
  process.stderr.write(`${error?.stack ?? error}\n`);
  process.exit(1);
}
