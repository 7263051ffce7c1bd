/**
 * Publishes and consumes with this project's own client as it is installed from npm, and writes what happened to
 * standard output as one line of JSON. Run by ../npm_client_test.ts in Node.js; ../workload.ts says what is published
 * and what must come back.
 *
 *   node roundtrip.js '{"tcpAddress": "127.0.0.1:4150", "topic": "t", "channel": "c", "messages": 10000, …}'
 */
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import process from "node:process";

// Not a fixed name: Deno would look for the package, which is there only when the test runs, in Node.js.
const packageName = "@denosq/client";
const { Consumer, Producer } = await import(packageName);

const workload = JSON.parse(process.argv[2]);
const problems = [];
const counts = { published: 0, finished: 0, requeued: 0, touched: 0 };
const records = Array.from(
  { length: workload.messages },
  () => ({ deliveries: 0, finished: 0, notBefore: 0 }),
);
/** How many messages are being held. */
let touching = 0;
const { tls, compression } = workload;
const options = {
  nsqd: [workload.tcpAddress],
  ...compression !== "none" && { compression },
  ...tls && {
    tls: {
      ca: readFileSync(tls.caPath, "utf8"),
      cert: readFileSync(tls.certPath, "utf8"),
      key: readFileSync(tls.keyPath, "utf8"),
    },
  },
};

const consumer = new Consumer(workload.topic, workload.channel, {
  ...options,
  msgTimeoutMs: workload.messageTimeoutMs,
});
const producer = new Producer(options);
const consumed = consumeAll();
await connected(consumer);
await publishAll();
await consumed;
await consumer.close();
await producer.close();
process.stdout.write(JSON.stringify({ ...counts, problems }) + "\n");

async function connected(consumer) {
  for await (const { kind } of consumer.status()) if (kind === "connected") return;
}

async function publishAll() {
  const publishing = [];
  for (let index = 0; index < workload.messages; index++) {
    const deferred = index % workload.deferEvery === workload.deferAt;
    if (deferred) records[index].notBefore = performance.now() + workload.deferMs;
    const published = producer.publish(
      workload.topic,
      bodyOf(index),
      deferred ? { deferMs: workload.deferMs } : {},
    );
    publishing.push(published.then(() => counts.published++));
    // Every one of these goes alone.
    if (index % workload.singleEvery === 0) await published;
  }
  await Promise.all(publishing);
}

async function consumeAll() {
  const touched = [];
  for await (const message of consumer) {
    const now = performance.now();
    const body = Buffer.from(message.body);
    const index = body.length >= 4 ? body.readUInt32BE(0) : -1;
    const record = records[index];
    if (!record || !body.equals(bodyOf(index))) {
      problems.push(`a body of ${body.length} bytes is not the one that was published`);
      message.finish();
      continue;
    }
    record.deliveries += 1;
    if (message.attempts !== record.deliveries) {
      problems.push(`message ${index}: attempts is ${message.attempts} at delivery ${record.deliveries}`);
    }
    if (record.finished > 0) problems.push(`message ${index} came again after it was finished`);
    // A timer may round to a millisecond.
    if (now < record.notBefore - 1) problems.push(`message ${index} came ${record.notBefore - now} ms early`);

    const first = record.deliveries === 1;
    if (first && index % workload.requeueEvery === workload.requeueAt) requeue(message, record, 0);
    else if (first && index % workload.delayEvery === workload.delayAt) {
      requeue(message, record, workload.delayMs);
    } else if (index % workload.touchEvery === workload.touchAt) {
      touched.push(touchThenFinish(message, record));
    } else finish(message, record);
    if (counts.finished + touching === workload.messages) break;
  }
  await Promise.all(touched);
}

function requeue(message, record, delayMs) {
  record.notBefore = performance.now() + delayMs;
  counts.requeued += 1;
  message.requeue({ delayMs, backoff: false });
}

/** Holds a message, where that is for longer than its timeout, as only touching makes possible. */
function touchThenFinish(message, record) {
  const heldSince = performance.now();
  touching++;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (performance.now() - heldSince < workload.holdMs) {
        counts.touched += 1;
        message.touch();
        return;
      }
      clearInterval(timer);
      touching--;
      finish(message, record);
      resolve();
    }, workload.touchIntervalMs);
  });
}

function finish(message, record) {
  record.finished += 1;
  counts.finished += 1;
  message.finish();
}

/** Its number, then bytes of all values; lengths from 4 to 1027. */
function bodyOf(index) {
  const body = Buffer.alloc(4 + (index * 7919) % 1024);
  body.writeUInt32BE(index, 0);
  for (let at = 4; at < body.length; at++) body[at] = (index + at) & 0xff;
  return body;
}
