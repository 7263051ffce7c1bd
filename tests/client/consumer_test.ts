import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  ClosedError,
  Consumer,
  type ConsumerOptions,
  type Message,
  type Status,
} from "../../src/client/mod.ts";
import { eventually } from "../support/eventually.ts";
import { FakeNsqd } from "../support/fake_nsqd.ts";

const ID = (i: number) => String(i).padStart(16, "0");

Deno.test("Consumer subscribes, and tells nsqd how many messages it may have", async () => {
  await using nsqd = new FakeNsqd();
  await using consumer = consumerOf(nsqd, { maxInFlight: 7 });

  void consumer.run(() => {});

  await eventually("RDY has come", () => nsqd.lines().length === 2);
  assertEquals(nsqd.lines(), ["SUB orders billing", "RDY 7"]);
});

Deno.test("Consumer gives what a message is", async () => {
  await using nsqd = new FakeNsqd();
  await using consumer = consumerOf(nsqd);

  const message = await first(consumer, nsqd, ['{"a":1}'], 2);

  assertEquals([message.id, message.attempts, message.timestampNs], [ID(0), 2, 1n]);
  assertEquals([message.topic, message.channel, message.node], ["orders", "billing", nsqd.address]);
  assertEquals([message.text(), message.json<{ a: number }>().a, message.body.length], ['{"a":1}', 1, 7]);
  message.finish();
});

Deno.test("Message.finish() and requeue() answer a message once", async () => {
  await using nsqd = new FakeNsqd();
  await using consumer = consumerOf(nsqd, { backoff: false });

  const message = await first(consumer, nsqd, ["a"]);
  message.finish();
  message.finish();
  message.requeue();
  message.touch();

  await eventually("it is answered", () => nsqd.lines("FIN").length === 1);
  assertEquals([message.settled, nsqd.lines("REQ"), nsqd.lines("TOUCH")], [true, [], []]);
});

Deno.test("Message.requeue() waits longer with each attempt, but not without end", async () => {
  await using nsqd = new FakeNsqd();
  await using consumer = consumerOf(nsqd, {
    backoff: false,
    defaultRequeueDelayMs: 1000,
    maxRequeueDelayMs: 2500,
  });
  const running = take(consumer, 4, (message, i) => message.requeue(i === 3 ? { delayMs: 5 } : {}));
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);

  for (const attempts of [1, 2, 3, 4]) await nsqd.deliver(["a"], attempts);
  await running;

  await eventually("all are answered", () => nsqd.lines("REQ").length === 4);
  assertEquals(nsqd.lines("REQ"), [1000, 2000, 2500, 5].map((delay) => `REQ ${ID(0)} ${delay}`));
});

Deno.test("Message.touch() tells nsqd, and moves the time at which it is taken for lost", async () => {
  await using nsqd = new FakeNsqd();
  await using consumer = consumerOf(nsqd);
  const message = await first(consumer, nsqd, ["a"]);
  message.expiresMs = 0;

  message.touch();

  await eventually("it has come", () => nsqd.lines("TOUCH").length === 1);
  assert(message.expiresMs > performance.now());
  message.finish();
});

Deno.test("Consumer requeues the message that a loop is left at, and those that it has not come to", async () => {
  await using nsqd = new FakeNsqd();
  await using consumer = consumerOf(nsqd);
  const loop = consumer[Symbol.asyncIterator]();
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);
  await nsqd.deliver(["a", "b", "c"]);
  const { value } = await loop.next();

  await loop.return?.();

  await eventually("all are requeued", () => nsqd.lines("REQ").length === 3);
  assertEquals(value?.settled, true);
  assertEquals(nsqd.lines("REQ"), [0, 1, 2].map((i) => `REQ ${ID(i)} 0`));
  assertEquals(nsqd.lines("RDY"), ["RDY 200", "RDY 0"]);
});

Deno.test("Consumer can be iterated over again after a loop was left", async () => {
  await using nsqd = new FakeNsqd();
  await using consumer = consumerOf(nsqd);
  const loop = consumer[Symbol.asyncIterator]();
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);
  await loop.return?.();
  await eventually("it takes none", () => nsqd.lines("RDY").length === 2);

  const message = await first(consumer, nsqd, ["a"]);

  assertEquals(message.text(), "a");
  message.finish();
});

Deno.test("Consumer has one loop or handler at a time", async () => {
  await using nsqd = new FakeNsqd();
  await using consumer = consumerOf(nsqd);
  void consumer.run(() => {});

  assertThrows(
    () => consumer[Symbol.asyncIterator](),
    TypeError,
    "A consumer has one loop or one handler at a time",
  );
});

Deno.test("Consumer.run() handles no more at a time than it may", async () => {
  await using nsqd = new FakeNsqd();
  await using consumer = consumerOf(nsqd);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  void consumer.run((message) => {
    begun.push(message.text());
    return new Promise((resolve) => ends.push(resolve));
  }, { concurrency: 2 });
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);

  await nsqd.deliver(["a", "b", "c"]);
  await eventually("two are handled", () => begun.length === 2);
  ends[0]();
  await eventually("the third is handled", () => begun.length === 3);

  assertEquals(begun, ["a", "b", "c"]);
  await eventually("the first is finished", () => nsqd.lines("FIN").length === 1);
  for (const end of ends) end();
});

Deno.test("Consumer.run() tells of what a handler throws", async () => {
  await using nsqd = new FakeNsqd();
  await using consumer = consumerOf(nsqd);
  const watched = statuses(consumer, "handler-failed");
  const error = new Error("no");
  void consumer.run(() => Promise.reject(error));
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);

  await nsqd.deliver(["a"], 2);

  await eventually("it is requeued", () => nsqd.lines("REQ").length === 1);
  await consumer.close();
  assertEquals(await watched, [{ kind: "handler-failed", messageId: ID(0), attempts: 2, error }]);
});

Deno.test("Consumer.run() touches what takes long, if that is wanted", async () => {
  await using nsqd = new FakeNsqd({ info: { msg_timeout: 2000 } });
  await using consumer = consumerOf(nsqd);
  let end = () => {};
  void consumer.run(() => new Promise((resolve) => end = resolve), { autoTouch: true });
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);

  await nsqd.deliver(["a"]);

  await eventually("it is touched", () => nsqd.lines("TOUCH").length >= 1);
  end();
  await eventually("it is finished", () => nsqd.lines("FIN").length === 1);
});

Deno.test("Consumer holds back when messages fail, tests with one, and takes all again", async () => {
  await using nsqd = new FakeNsqd();
  await using consumer = consumerOf(nsqd, { backoff: { multiplierMs: 5 } });
  const watched = statuses(consumer, "backing-off", "testing", "backed-on");
  let failing = true;
  void consumer.run(() => {
    if (failing) throw new Error("no");
  });
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);

  await nsqd.deliver(["a"]);
  await eventually("it tests", () => nsqd.lines("RDY").length === 3);
  failing = false;
  await nsqd.deliver(["a"]);
  await eventually("it takes all", () => nsqd.lines("RDY").length === 4);

  assertEquals(nsqd.lines("RDY"), ["RDY 200", "RDY 0", "RDY 1", "RDY 200"]);
  await consumer.close();
  assertEquals((await watched).map(({ kind }) => kind), ["backing-off", "testing", "backed-on"]);
});

Deno.test("Consumer counts a refused FIN as a failure", async () => {
  await using nsqd = new FakeNsqd();
  await using consumer = consumerOf(nsqd);
  void consumer.run(() => {});
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);

  await nsqd.send("error", `E_FIN_FAILED FIN ${ID(0)} failed ID not in flight`);

  await eventually("it holds back", () => nsqd.lines("RDY").includes("RDY 0"));
  assertEquals([nsqd.connections, consumer.stats.backoffLevel], [1, 1]);
});

Deno.test("Consumer gives what was tried too often to whoever takes it, and finishes it", async () => {
  await using nsqd = new FakeNsqd();
  const given: string[] = [];
  await using consumer = consumerOf(nsqd, {
    giveUp: { attempts: 3, deadLetter: (message) => void given.push(message.text()) },
  });
  const handled: string[] = [];
  void consumer.run((message) => void handled.push(message.text()));
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);

  await nsqd.deliver(["last try"], 3);
  await nsqd.deliver(["too often"], 4);

  await eventually("both are finished", () => nsqd.lines("FIN").length === 2);
  assertEquals([handled, given], [["last try"], ["too often"]]);
});

Deno.test("Consumer publishes to a dead-letter topic what was tried too often", async () => {
  await using nsqd = new FakeNsqd();
  await using consumer = consumerOf(nsqd, { giveUp: { attempts: 1, deadLetter: "orders.dead" } });
  void consumer.run(() => {});
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);

  await nsqd.deliver(["a"], 2);

  await eventually("it is finished", () => nsqd.lines("FIN").length === 1);
  assertEquals(nsqd.commands.filter(({ line }) => line.startsWith("PUB")), [
    { line: "PUB orders.dead", bodies: ["a"] },
  ]);
});

Deno.test("Consumer requeues what cannot be given to whoever takes it", async () => {
  await using nsqd = new FakeNsqd({
    answer: ({ line }) => line.startsWith("PUB") ? "E_UNAUTHORIZED no" : undefined,
  });
  await using consumer = consumerOf(nsqd, {
    giveUp: { attempts: 1, deadLetter: "orders.dead" },
    defaultRequeueDelayMs: 10,
  });
  const watched = statuses(consumer, "give-up-failed");
  void consumer.run(() => {});
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);

  await nsqd.deliver(["a"], 2);

  await eventually("it is requeued", () => nsqd.lines("REQ").length === 1);
  assertEquals([nsqd.lines("REQ"), nsqd.lines("FIN")], [[`REQ ${ID(0)} 20`], []]);
  await consumer.close();
  assertEquals((await watched).length, 1);
});

Deno.test("Consumer forgets a message that nsqd has taken for lost, and does not hand it out", async () => {
  await using nsqd = new FakeNsqd({ info: { msg_timeout: 20 } });
  await using consumer = consumerOf(nsqd);
  const handled: string[] = [];
  let end = () => {};
  void consumer.run((message) => {
    handled.push(message.text());
    return new Promise((resolve) => end = resolve);
  }, { concurrency: 1 });
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);

  await nsqd.deliver(["a", "b"]);
  await eventually("both are lost", () => consumer.stats.received === 2 && consumer.stats.inFlight === 0);
  end();
  await eventually("the first is answered all the same", () => nsqd.lines("FIN").length === 1);

  assertEquals(handled, ["a"]);
});

Deno.test("Consumer.pause() takes no more messages, and resume() takes them again", async () => {
  await using nsqd = new FakeNsqd();
  await using consumer = consumerOf(nsqd, { maxInFlight: 5 });
  void consumer.run(() => {});
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);

  consumer.pause();
  await eventually("it takes none", () => nsqd.lines("RDY").length === 2);
  consumer.resume();
  await eventually("it takes all", () => nsqd.lines("RDY").length === 3);
  consumer.maxInFlight = 9;
  await eventually("it takes more", () => nsqd.lines("RDY").length === 4);

  assertEquals(nsqd.lines("RDY"), ["RDY 5", "RDY 0", "RDY 5", "RDY 9"]);
});

Deno.test("Consumer.starved is true while a node waits for answers", async () => {
  await using nsqd = new FakeNsqd();
  await using consumer = consumerOf(nsqd, { maxInFlight: 2 });
  const loop = consumer[Symbol.asyncIterator]();
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);

  await nsqd.deliver(["a"]);
  const one = await loop.next();
  assertEquals(consumer.starved, false);

  await nsqd.deliver(["b"]);
  const { value } = await loop.next();
  assertEquals(consumer.starved, true);
  one.value?.finish();
  value?.finish();
});

Deno.test("Consumer.close() waits for handlers, requeues what was not begun, and says goodbye", async () => {
  await using nsqd = new FakeNsqd();
  const consumer = consumerOf(nsqd);
  let end = () => {};
  const running = consumer.run(() => new Promise((resolve) => end = resolve), { concurrency: 1 });
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);
  await nsqd.deliver(["a", "b"]);
  await eventually("they have come", () => consumer.stats.received === 2);

  const closed = consumer.close();
  await eventually("the second is requeued", () => nsqd.lines("REQ").length === 1);
  assertEquals(nsqd.lines("FIN"), []);
  end();
  await closed;
  await running;

  assertEquals(nsqd.lines(), ["SUB orders billing", "RDY 200", `REQ ${ID(1)} 0`, "CLS", `FIN ${ID(0)}`]);
});

Deno.test("Consumer.close() requeues what is not answered in time, and tells the handler", async () => {
  await using nsqd = new FakeNsqd();
  const consumer = consumerOf(nsqd);
  let told: AbortSignal | undefined;
  void consumer.run((_, signal) => {
    told = signal;
    return new Promise(() => {});
  });
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);
  await nsqd.deliver(["a"]);
  await eventually("it has come", () => consumer.stats.received === 1);

  await consumer.close({ timeoutMs: 20 });

  assertEquals([nsqd.lines("REQ"), told?.aborted], [[`REQ ${ID(0)} 0`], true]);
  assertThrows(() => consumer.run(() => {}), ClosedError);
});

Deno.test("Consumer is closed by its signal, and ends its loop", async () => {
  await using nsqd = new FakeNsqd();
  const end = new AbortController();
  const consumer = consumerOf(nsqd, { signal: end.signal });
  const running = take(consumer, Infinity, () => {});
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);

  end.abort();
  await running;
  await consumer.close();

  assertEquals(nsqd.lines("CLS"), ["CLS"]);
});

Deno.test("Consumer connects again after a connection was lost; its messages cannot be answered any more", async () => {
  await using nsqd = new FakeNsqd();
  await using consumer = consumerOf(nsqd);
  const loop = consumer[Symbol.asyncIterator]();
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);
  await nsqd.deliver(["a"]);
  const { value } = await loop.next();

  nsqd.drop();
  await eventually("it is connected again", () => nsqd.lines("RDY").length === 2);

  assertEquals([value?.settled, consumer.stats.inFlight], [true, 0]);
});

Deno.test("Consumer tells of a subscription that is refused, and tries again", async () => {
  let refusals = 2;
  await using nsqd = new FakeNsqd({
    answer: ({ line }) => line.startsWith("SUB") && refusals-- > 0 ? "E_SUB_FAILED full" : undefined,
  });
  await using consumer = consumerOf(nsqd);
  const watched = statuses(consumer, "connect-failed", "connected");
  void consumer.run(() => {});

  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);
  await consumer.close();

  assertEquals((await watched).map((status) => "error" in status ? `${status.error}` : status.kind), [
    "NsqdError: E_SUB_FAILED full",
    "NsqdError: E_SUB_FAILED full",
    "connected",
  ]);
});

Deno.test("Consumer ends a connection on which nothing comes", async () => {
  await using nsqd = new FakeNsqd();
  await using consumer = consumerOf(nsqd, { readTimeoutMs: 40 });
  const watched = consumer.status();
  void consumer.run(() => {});

  for await (const status of watched) {
    if (status.kind !== "disconnected") continue;
    assertEquals(status.error?.message, `${nsqd.address}: nothing came for too long`);
    break;
  }
});

Deno.test("Consumer answers heartbeats", async () => {
  await using nsqd = new FakeNsqd();
  await using consumer = consumerOf(nsqd);
  void consumer.run(() => {});
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);

  await nsqd.send("response", "_heartbeat_");

  await eventually("it is answered", () => nsqd.lines("NOP").length === 1);
});

Deno.test("new Consumer() refuses names and numbers that are none", () => {
  const options = { nsqd: ["127.0.0.1:4150"] };
  assertThrows(() => new Consumer("a b", "c", options), TypeError, 'Not the name of a topic: "a b"');
  assertThrows(() => new Consumer("a", "", options), TypeError, 'Not the name of a channel: ""');
  assertThrows(() => new Consumer("a", "c", { ...options, maxInFlight: -1 }), RangeError, "maxInFlight");
  assertThrows(() => new Consumer("a", "c", { ...options, maxInFlight: 1.5 }), RangeError, "maxInFlight");
});

function consumerOf(nsqd: FakeNsqd, options: Partial<ConsumerOptions> = {}): Consumer {
  return new Consumer("orders", "billing", {
    nsqd: [nsqd.address],
    reconnect: { minMs: 1, maxMs: 5 },
    ...options,
  });
}

/** Gives the first message of those that are delivered; the loop goes on. */
async function first(consumer: Consumer, nsqd: FakeNsqd, bodies: string[], attempts = 1): Promise<Message> {
  const count = nsqd.lines("RDY").length;
  const loop = consumer[Symbol.asyncIterator]();
  await eventually("it is connected", () => nsqd.lines("RDY").length > count);
  await nsqd.deliver(bodies, attempts);
  const { value } = await loop.next();
  assert(value);
  return value;
}

async function take(
  consumer: Consumer,
  count: number,
  answer: (message: Message, i: number) => void,
): Promise<void> {
  let taken = 0;
  for await (const message of consumer) {
    answer(message, taken++);
    if (taken === count) break;
  }
}

async function statuses(consumer: Consumer, ...kinds: Status["kind"][]): Promise<Status[]> {
  const found: Status[] = [];
  for await (const status of consumer.status()) if (kinds.includes(status.kind)) found.push(status);
  return found;
}
