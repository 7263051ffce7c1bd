import { assert, assertEquals } from "@std/assert";
import { ConnectionError, Consumer, NsqdError, Producer } from "../../src/client/mod.ts";
import { connectFailure } from "../support/connect_failure.ts";
import { eventually } from "../support/eventually.ts";
import { nsqdTest } from "../support/nsqd_in_process.ts";
import { deadAddress } from "../support/ports.ts";

nsqdTest("Producer publishes over HTTP: messages, batches, deferred ones", async (nsqd) => {
  await using producer = new Producer({ nsqd: [nsqd.httpUrl] });

  const receipt = await producer.publish("orders", "a");
  await Promise.all(["b\nc", "d"].map((body) => producer.publish("orders", body)));
  await producer.publish("orders", "e", { deferMs: 60_000 });

  await using consumer = new Consumer("orders", "all", { nsqd: [nsqd.tcpAddress] });
  const bodies: string[] = [];
  for await (const message of consumer) {
    bodies.push(message.text());
    message.finish();
    if (bodies.length === 3) break;
  }
  assertEquals(receipt, { node: nsqd.httpUrl });
  assertEquals(bodies, ["a", "b\nc", "d"]);
  const channel = nsqd.nsqd.broker.topics.get("orders")?.channels.get("all");
  await eventually("the rest is deferred", () => channel?.deferredCount === 1);
});

nsqdTest("Producer finds over HTTP, too, the message of a batch that is refused", async (nsqd) => {
  await using producer = new Producer({ nsqd: [nsqd.httpUrl], reconnect: { minMs: 1, maxMs: 1 } });

  const results = await Promise.allSettled(
    ["a", "x".repeat(101), "c"].map((body) => producer.publish("orders", body)),
  );

  assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  const { reason } = results[1] as PromiseRejectedResult;
  assert(reason instanceof NsqdError);
  assertEquals(reason.message, 'E_BAD_MESSAGE got response 413 "{\\"message\\":\\"MSG_TOO_BIG\\"}"');
}, { maxMsgSizeBytes: 100 });

nsqdTest("Producer keeps a node of HTTP by asking whether it is there", async (nsqd) => {
  await using producer = new Producer({ nsqd: [nsqd.httpUrl], heartbeatIntervalMs: 20 });
  const statuses = producer.status();
  await producer.ready();

  await nsqd.nsqd.stop();

  for await (const { kind } of statuses) if (kind === "disconnected") break;
  await eventually("there is no node", () => producer.stats.nodes.length === 0);
});

Deno.test("Producer tells of a node of HTTP that is not there", async () => {
  const url = `http://${deadAddress()}`;
  await using producer = new Producer({ nsqd: [url] });

  const error = await connectFailure(producer);

  assertEquals([error instanceof ConnectionError, error.message.startsWith(`${url}: `)], [true, true]);
});

nsqdTest("Consumer tells that there is nothing to subscribe to over HTTP", async (nsqd) => {
  await using consumer = new Consumer("orders", "all", { nsqd: [nsqd.httpUrl] });
  const statuses = consumer.status();
  void consumer.run(() => {});

  for await (const status of statuses) {
    if (status.kind !== "connect-failed") continue;
    assertEquals(status.error.message, "E_INVALID cannot SUB over HTTP");
    break;
  }
});
