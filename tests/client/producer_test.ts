import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  ClosedError,
  NsqdError,
  Producer,
  type ProducerOptions,
  PublishError,
  QueueFullError,
  type Status,
} from "../../src/client/mod.ts";
import { eventually } from "../support/eventually.ts";
import { FakeNsqd, HANG_UP, SILENCE } from "../support/fake_nsqd.ts";
import { deadAddress, freePort } from "../support/ports.ts";

const RECONNECT = { minMs: 1, maxMs: 5 };

Deno.test("Producer.publish() sends the messages of one turn as one MPUB, in their order", async () => {
  await using nsqd = new FakeNsqd();
  await using producer = producerOf(nsqd);
  await producer.ready();

  const receipts = await Promise.all(["a", "b", "c"].map((body) => producer.publish("orders", body)));

  assertEquals(nsqd.commands, [{ line: "MPUB orders", bodies: ["a", "b", "c"] }]);
  assertEquals(receipts[0], { node: nsqd.address });
});

Deno.test("Producer.publish() sends one message as PUB, and a deferred one as DPUB", async () => {
  await using nsqd = new FakeNsqd();
  await using producer = producerOf(nsqd);

  await producer.publish("orders", new Uint8Array([97]));
  await producer.publish("orders", "b", { deferMs: 1500 });

  assertEquals(nsqd.commands, [
    { line: "PUB orders", bodies: ["a"] },
    { line: "DPUB orders 1500", bodies: ["b"] },
  ]);
});

Deno.test("Producer without batches sends each message alone", async () => {
  await using nsqd = new FakeNsqd();
  await using producer = producerOf(nsqd, { batch: false });

  await Promise.all(["a", "b"].map((body) => producer.publish("orders", body)));

  assertEquals(nsqd.lines(), ["PUB orders", "PUB orders"]);
});

Deno.test("Producer.publishMany() sends one MPUB, however many there are", async () => {
  await using nsqd = new FakeNsqd();
  await using producer = producerOf(nsqd, { batch: { messages: 2 } });

  await producer.publishMany("orders", ["a", "b", "c"]);

  assertEquals(nsqd.commands, [{ line: "MPUB orders", bodies: ["a", "b", "c"] }]);
});

Deno.test("Producer.publish() finds the message of a batch that is refused; the others are published", async () => {
  await using nsqd = new FakeNsqd({
    answer: ({ bodies }) => bodies.includes("bad") ? "E_BAD_MESSAGE bad" : "OK",
  });
  await using producer = producerOf(nsqd);

  const results = await Promise.allSettled(
    ["a", "bad", "c", "d"].map((body) => producer.publish("orders", body)),
  );

  assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled", "fulfilled"]);
  const { reason } = results[1] as PromiseRejectedResult;
  assert(reason instanceof NsqdError);
  assertEquals([reason.code, reason.node], ["E_BAD_MESSAGE", nsqd.address]);
});

Deno.test("Producer.publish() publishes all the good ones of a large batch, wherever the bad ones are", async () => {
  const isBad = (body: string) => body === "13" || body === "14" || body === "77";
  await using nsqd = new FakeNsqd({
    answer: ({ bodies }) => bodies.some(isBad) ? "E_BAD_MESSAGE bad" : "OK",
  });
  await using producer = producerOf(nsqd);
  const all = Array.from({ length: 100 }, (_, i) => `${i}`);

  const results = await Promise.allSettled(all.map((body) => producer.publish("orders", body)));

  assertEquals(all.filter((_, i) => results[i].status === "rejected"), ["13", "14", "77"]);
  const taken = nsqd.commands.flatMap(({ bodies }) => bodies.some(isBad) ? [] : bodies);
  assertEquals(taken.length, 97);
});

Deno.test("Producer.publish() does not try again what is refused because of its topic", async () => {
  await using nsqd = new FakeNsqd({ answer: () => "E_UNAUTHORIZED no" });
  await using producer = producerOf(nsqd);

  const results = await Promise.allSettled(["a", "b"].map((body) => producer.publish("orders", body)));

  assertEquals(results.map(({ status }) => status), ["rejected", "rejected"]);
  assertEquals(nsqd.lines(), ["MPUB orders"]);
});

Deno.test("Producer.publish() goes to another node when one cannot take a message", async () => {
  await using bad = new FakeNsqd({ answer: () => "E_PUB_FAILED disk full" });
  await using good = new FakeNsqd();
  await using producer = new Producer({
    nsqd: [bad.address, good.address],
    strategy: "first",
    reconnect: { minMs: 60_000, maxMs: 60_000 },
  });
  await producer.ready();
  await eventually("both are connected", () => producer.stats.nodes.length === 2);

  const receipt = await producer.publish("orders", "a");

  assertEquals(receipt, { node: good.address });
  assertEquals([bad.lines(), good.lines()], [["PUB orders"], ["PUB orders"]]);
});

Deno.test("Producer gives nodes their turns", async () => {
  await using a = new FakeNsqd();
  await using b = new FakeNsqd();
  await using producer = new Producer({ nsqd: [a.address, b.address] });
  await producer.ready();
  await eventually("both are connected", () => producer.stats.nodes.length === 2);

  for (let i = 0; i < 10; i++) await producer.publish("orders", `${i}`);

  assertEquals([a.commands.length, b.commands.length], [5, 5]);
});

Deno.test("Producer.publish() sends again what was not answered, because it may be lost", async () => {
  let hangUps = 1;
  await using nsqd = new FakeNsqd({ answer: () => hangUps-- > 0 ? HANG_UP : "OK" });
  await using producer = producerOf(nsqd);
  const watching = kindsOf(producer, "publish-retried");

  await producer.publish("orders", "a");
  await producer.close();

  assertEquals(nsqd.lines(), ["PUB orders", "PUB orders"]);
  assertEquals((await watching).map((status) => status.kind === "publish-retried" && status.messages), [1]);
});

Deno.test("Producer.publish() says that it is ambiguous instead, if that is wanted", async () => {
  await using nsqd = new FakeNsqd({ answer: () => HANG_UP });
  await using producer = producerOf(nsqd, { retryAmbiguous: false });

  const error = await assertRejects(() => producer.publish("orders", "a"), PublishError);

  assertEquals([error.code, error.ambiguous, nsqd.lines().length], ["AMBIGUOUS", true, 1]);
});

Deno.test("Producer.publish() rejects when the attempts are used up", async () => {
  await using nsqd = new FakeNsqd({ answer: () => "E_PUB_FAILED disk full" });
  await using producer = producerOf(nsqd, { attempts: 2 });

  const error = await assertRejects(() => producer.publish("orders", "a"), PublishError);

  assertEquals([error.code, error.ambiguous, error.causes.length], ["NOT_PUBLISHED", false, 2]);
  assertEquals(error.message, "The message was not published: E_PUB_FAILED disk full");
});

Deno.test("Producer.publish() rejects in time when no node can be reached, and says why", async () => {
  await using producer = producerOf({ address: deadAddress() }, { timeoutMs: 50 });
  const statuses = producer.status();
  const [ready] = await Promise.allSettled([producer.ready(AbortSignal.timeout(20)), statuses.next()]);
  assertEquals(ready.status, "rejected");
  for await (const { kind } of statuses) if (kind === "connect-failed") break;

  const error = await assertRejects(() => producer.publish("orders", "a"), PublishError);

  assertEquals([error.ambiguous, error.causes.length], [false, 1]);
});

Deno.test("Producer.publish() is ambiguous when it is not answered in time", async () => {
  await using nsqd = new FakeNsqd({ answer: () => SILENCE });
  await using producer = producerOf(nsqd, { timeoutMs: 50 });
  // Only connected, it sends at once.
  await producer.ready();

  const error = await assertRejects(() => producer.publish("orders", "a"), PublishError);

  assertEquals(error.ambiguous, true);
});

Deno.test("Producer.publish() waits for a node that comes later", async () => {
  const port = freePort();
  await using producer = producerOf({ address: `127.0.0.1:${port}` });
  const statuses = producer.status();
  const published = producer.publish("orders", "a");
  for await (const { kind } of statuses) if (kind === "connect-failed") break;

  await using nsqd = new FakeNsqd({ port });

  assertEquals(await published, { node: nsqd.address });
});

Deno.test("Producer.publish() gives up when its signal says so", async () => {
  await using nsqd = new FakeNsqd({ answer: () => SILENCE });
  await using producer = producerOf(nsqd, { timeoutMs: 1000 });
  const end = new AbortController();
  const published = producer.publish("orders", "a", { signal: end.signal });
  await eventually("it is sent", () => nsqd.commands.length === 1);

  end.abort(new Error("changed my mind"));

  await assertRejects(() => published, Error, "changed my mind");
  assertEquals(producer.stats.pending, 0);
});

Deno.test("Producer.publish() refuses more than may wait, and takes more when there is room", async () => {
  await using nsqd = new FakeNsqd();
  await using producer = producerOf(nsqd, { maxPending: { messages: 2, bytes: 5 } });

  const published = [producer.publish("orders", "12"), producer.publish("orders", "34")];
  await assertRejects(() => producer.publish("orders", "5"), QueueFullError);
  await Promise.all(published);
  await assertRejects(() => producer.publish("orders", "123456"), QueueFullError);
  await producer.publish("orders", "12345");

  assertEquals(nsqd.commands.map(({ bodies }) => bodies), [["12", "34"], ["12345"]]);
});

Deno.test("Producer.publish() refuses what no nsqd would take, and connects to nobody for it", async () => {
  await using nsqd = new FakeNsqd();
  await using producer = producerOf(nsqd);

  await assertRejects(() => producer.publish("a b", "x"), TypeError, 'Not the name of a topic: "a b"');
  await assertRejects(
    () => producer.publish("a", ""),
    RangeError,
    "A message has a body of at least one byte",
  );
  await assertRejects(() => producer.publishMany("a", []), RangeError, "There are no messages to publish");
  await assertRejects(
    () => producer.publish("a", "x", { deferMs: 1.5 }),
    RangeError,
    "deferMs is a whole number",
  );
  assertEquals(nsqd.connections, 0);
});

Deno.test("Producer.close() waits for what was published, and refuses more", async () => {
  await using nsqd = new FakeNsqd();
  const producer = producerOf(nsqd);
  const published = producer.publish("orders", "a");

  await producer.close();

  assertEquals(await published, { node: nsqd.address });
  await assertRejects(() => producer.publish("orders", "b"), ClosedError);
});

Deno.test("Producer is closed by its signal", async () => {
  await using nsqd = new FakeNsqd();
  const end = new AbortController();
  const producer = producerOf(nsqd, { signal: end.signal });
  await producer.publish("orders", "a");

  end.abort();

  await assertRejects(() => producer.publish("orders", "b"), ClosedError);
  await producer.close();
});

Deno.test("new Producer() refuses to have nothing to connect to, and addresses that are none", () => {
  assertThrows(() => new Producer({}), TypeError, "Neither an nsqd nor an nsqlookupd is named");
  assertThrows(() => new Producer({ nsqd: ["a b"] }), TypeError, "Not an address");
  assertThrows(() => new Producer({ lookupd: ["4161"] }), TypeError, "Not an address");
});

function producerOf(nsqd: Pick<FakeNsqd, "address">, options: Partial<ProducerOptions> = {}): Producer {
  return new Producer({ nsqd: [nsqd.address], reconnect: RECONNECT, ...options });
}

async function kindsOf(producer: Producer, kind: Status["kind"]): Promise<Status[]> {
  const found: Status[] = [];
  for await (const status of producer.status()) if (status.kind === kind) found.push(status);
  return found;
}
