/**
 * What every queue must do: the HTTP API relies on it (src/nsqd/queue/queue.ts).
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { HttpError } from "../../src/http/http_error.ts";
import { TRACE_ATTRIBUTE_LENGTH, writeTraceAttribute } from "../../src/log/segment_image.ts";
import { parseLease } from "../../src/nsqd/queue/lease.ts";
import type { LeasedMessage, Place, Queue, ReceiveWish, StreamSink } from "../../src/nsqd/queue/queue.ts";
import { writeU32 } from "../../src/protocol/frames.ts";

/** A queue, and the time it goes by. */
export interface QueueUnderTest extends AsyncDisposable {
  readonly queue: Queue;
  /** Lets so much time pass, and everything happen that happens by then. */
  advance(ms: number): Promise<void>;
}

/** How the queue under test is made. */
export interface QueueFactory {
  /** An empty queue; messages can be in flight for 15 minutes at most. */
  make(limits?: QueueLimits): Promise<QueueUnderTest>;
}

/** As the options of those names say. */
export interface QueueLimits {
  readonly httpMaxLeases?: number;
  readonly httpMaxWaiters?: number;
  readonly httpMaxStreams?: number;
}

const PLACE: Place = { topic: "t", channel: "c" };
const TIMEOUT_MS = 60_000;
const NOW: Omit<ReceiveWish, "client"> = {
  max: 10,
  bytesMax: 1024 * 1024,
  waitMs: 0,
  timeoutMs: TIMEOUT_MS,
};
const EVERYTHING = { topics: new Set<string>(), channels: new Set<string>(), includeClients: true };

/** Registers the tests, under names that begin with the implementation's. */
export function testQueue(name: string, { make }: QueueFactory): void {
  function queueTest(
    what: string,
    test: (harness: Harness) => Promise<void>,
    limits: QueueLimits = {},
  ): void {
    Deno.test(`${name}: ${what}`, async () => {
      await using made = await make(limits);
      await test(new Harness(made));
    });
  }

  queueTest("A message that is published is received as it was", async (t) => {
    await t.queue.createTopic("t");
    await t.queue.createChannel(PLACE);
    await t.queue.publish("t", Uint8Array.of(0, 255, 10), { deferMs: 0 });

    const [message, ...others] = await t.receive();

    assertEquals(others, []);
    assertEquals(message.body, Uint8Array.of(0, 255, 10));
    assertEquals(message.attempts, 1);
    assertEquals(message.id.length, 16);
    assertEquals(message.expiresInMs, TIMEOUT_MS);
    assert(message.timestampNs > 1_500_000_000_000_000_000n);
    assertEquals(parseLease(message.lease), { id: message.id, attempt: 1, epoch: t.queue.epoch });
  });

  queueTest(
    "What is kept beside a message is no part of it, and nobody is told who has not asked",
    async (t) => {
      const attributes = new Uint8Array(TRACE_ATTRIBUTE_LENGTH);
      attributes.fill(0xab, writeTraceAttribute(attributes, 0));
      await t.publish();
      await t.queue.publish("t", new TextEncoder().encode("a"), { deferMs: 0, attributes });
      await t.queue.publishBatch("t", { block: blockOf(["b", "c"]), count: 2 }, { attributes });

      const messages = await t.receive();

      assertEquals(bodies(messages).sort(), ["a", "b", "c"]);
      assertEquals(messages.map(({ traceparent }) => traceparent), [undefined, undefined, undefined]);
    },
  );

  queueTest("A batch is received in its order, as many messages at a time as are asked for", async (t) => {
    await t.publish("a", "b", "c", "d", "e");

    assertEquals(bodies(await t.receive({ max: 2 })), ["a", "b"]);
    assertEquals(bodies(await t.receive({ max: 2 })), ["c", "d"]);
    assertEquals(bodies(await t.receive({ max: 2 })), ["e"]);
    assertEquals(bodies(await t.receive({ max: 2 })), []);
  });

  queueTest(
    "Bodies of an answer come to no more bytes than are asked for, but for a single one",
    async (t) => {
      await t.publish("x".repeat(100), "y".repeat(100), "z".repeat(1000));

      assertEquals((await t.receive({ bytesMax: 250 })).map(({ body }) => body.length), [100, 100]);
      assertEquals((await t.receive({ bytesMax: 250 })).map(({ body }) => body.length), [1000]);
    },
  );

  queueTest("Each channel gets every message, and a message goes to one who receives", async (t) => {
    const other = { topic: "t", channel: "d" };
    await t.queue.createTopic("t");
    await t.queue.createChannel(other);
    await t.publish("a", "b");

    const [one, two] = [await t.receive({ max: 1 }), await t.receive({ max: 1 })];

    assertEquals([...bodies(one), ...bodies(two)].sort(), ["a", "b"]);
    assertEquals(bodies(await t.receive({}, other)), ["a", "b"]);
  });

  queueTest("Who waits is answered when a message comes, with what there is", async (t) => {
    await t.publish();
    const waiting = t.receive({ waitMs: 20_000 });
    await t.advance(1000);
    await t.publish("late");

    assertEquals(bodies(await waiting), ["late"]);
  });

  queueTest("Who has waited long enough gets nothing", async (t) => {
    await t.publish();
    const waiting = t.receive({ waitMs: 20_000 });
    await t.advance(20_100);

    assertEquals(bodies(await waiting), []);
  });

  queueTest("Who has gone while waiting gets no message; it goes to the next", async (t) => {
    await t.publish();
    const gone = new AbortController();
    const first = t.receive({ waitMs: 20_000 }, PLACE, gone.signal);
    const second = t.receive({ waitMs: 20_000 });
    await t.advance(100);
    gone.abort();
    await t.publish("a");

    assertEquals(bodies(await first), []);
    assertEquals(bodies(await second), ["a"]);
  });

  queueTest("A deferred message is received when it is due", async (t) => {
    await t.publish();
    await t.queue.publish("t", new TextEncoder().encode("later"), { deferMs: 5000 });
    assertEquals(bodies(await t.receive()), []);
    await t.advance(5100);

    assertEquals(bodies(await t.receive()), ["later"]);
  });

  queueTest("What is finished is not received again, and finishing it again does no harm", async (t) => {
    await t.publish("a", "b");
    const [a] = await t.receive({ max: 1 });

    assertEquals(await t.queue.finish(PLACE, [a.lease]), { done: 1, failed: [] });
    assertEquals(await t.queue.finish(PLACE, [a.lease]), { done: 1, failed: [] });
    await t.advance(TIMEOUT_MS + 1000);
    assertEquals(bodies(await t.receive()), ["b"]);
  });

  queueTest("What is not finished in time is received again, as another attempt", async (t) => {
    await t.publish("a");
    await t.receive();
    assertEquals(bodies(await t.receive()), []);
    await t.advance(TIMEOUT_MS + 1000);
    const [again] = await t.receive();

    assertEquals(bodies([again]), ["a"]);
    assertEquals(again.attempts, 2);
  });

  queueTest("A late finish counts while nobody has had the message since", async (t) => {
    await t.publish("a");
    const [a] = await t.receive();
    await t.advance(TIMEOUT_MS + 1000);

    assertEquals(await t.queue.finish(PLACE, [a.lease]), { done: 1, failed: [] });
    assertEquals(bodies(await t.receive()), []);
  });

  queueTest("A lease is of no use once its message was delivered again", async (t) => {
    await t.publish("a");
    const [{ lease }] = await t.receive();
    await t.advance(TIMEOUT_MS + 1000);
    const [again] = await t.receive();
    const expired = { done: 0, failed: [{ lease, problem: "EXPIRED" as const }] };

    assertEquals(await t.queue.finish(PLACE, [lease]), expired);
    assertEquals(await t.queue.requeue(PLACE, [lease], { delayMs: 0 }), expired);
    assertEquals(await t.queue.touch(PLACE, [lease]), { ...expired, expiresInMs: undefined });
    assertEquals(await t.queue.finish(PLACE, [again.lease]), { done: 1, failed: [] });
  });

  queueTest("A lease whose time is over can be neither given back nor prolonged", async (t) => {
    await t.publish("a");
    const [{ lease }] = await t.receive();
    await t.advance(TIMEOUT_MS + 1000);
    const expired = { done: 0, failed: [{ lease, problem: "EXPIRED" as const }] };

    assertEquals(await t.queue.requeue(PLACE, [lease], { delayMs: 0 }), expired);
    assertEquals(await t.queue.touch(PLACE, [lease]), { ...expired, expiresInMs: undefined });
  });

  queueTest("What is given back is received again, at once or after its delay", async (t) => {
    await t.publish("a", "b");
    const [a, b] = await t.receive();

    assertEquals(await t.queue.requeue(PLACE, [a.lease], { delayMs: 0 }), { done: 1, failed: [] });
    assertEquals(await t.queue.requeue(PLACE, [b.lease], { delayMs: 3000 }), { done: 1, failed: [] });
    const [again] = await t.receive();
    assertEquals([bodies([again]), again.attempts], [["a"], 2]);
    await t.advance(3100);
    assertEquals(bodies(await t.receive()), ["b"]);
  });

  queueTest("What is finished can be neither given back nor prolonged", async (t) => {
    await t.publish("a");
    const [{ lease }] = await t.receive();
    await t.queue.finish(PLACE, [lease]);
    const finished = { done: 0, failed: [{ lease, problem: "FINISHED" as const }] };

    assertEquals(await t.queue.requeue(PLACE, [lease], { delayMs: 0 }), finished);
    assertEquals(await t.queue.touch(PLACE, [lease]), { ...finished, expiresInMs: undefined });
  });

  queueTest("A touch makes a lease valid for its time again", async (t) => {
    await t.publish("a");
    const [{ lease }] = await t.receive();
    await t.advance(40_000);

    assertEquals(await t.queue.touch(PLACE, [lease]), { done: 1, failed: [], expiresInMs: TIMEOUT_MS });
    await t.advance(40_000);
    assertEquals(bodies(await t.receive()), []);
    assertEquals(await t.queue.finish(PLACE, [lease]), { done: 1, failed: [] });
  });

  queueTest("No touch makes a message be in flight for longer than the longest time", async (t) => {
    await t.publish("a");
    const [{ lease }] = await t.receive();
    for (let minute = 0; minute < 17; minute++) {
      await t.advance(50_000);
      await t.queue.touch(PLACE, [lease]);
    }

    assertEquals(await t.queue.touch(PLACE, [lease]), { done: 1, failed: [], expiresInMs: 50_000 });
  });

  queueTest("Leases that are forged are unknown, and the others are answered", async (t) => {
    await t.publish("a", "b");
    const [a] = await t.receive({ max: 1 });
    const { id, epoch } = parseLease(a.lease) ?? { id: "", epoch: "" };
    const forged = [
      `${id}.1.otherepoch`,
      `${id}.2.${epoch}`,
      `${id}.65535.${epoch}`,
      `zzzzzzzzzzzzzzzz.1.${epoch}`,
      "",
      "x".repeat(10_000),
    ];

    const { done, failed } = await t.queue.finish(PLACE, [...forged, a.lease]);

    assertEquals(done, 1);
    assertEquals(failed, forged.map((lease) => ({ lease, problem: "UNKNOWN" })));
    assertEquals(bodies(await t.receive()), ["b"]);
  });

  queueTest("What is asked for in a topic or channel that is not there is refused", async (t) => {
    const absent = { topic: "absent", channel: "c" };
    await t.queue.createTopic("t");
    const noTopic = ["TOPIC_NOT_FOUND", 404];
    const noChannel = ["CHANNEL_NOT_FOUND", 404];
    const { queue } = t;

    for (
      const [refused, expected] of [
        [() => queue.finish(absent, []), noTopic],
        [() => queue.requeue(absent, [], { delayMs: 0 }), noTopic],
        [() => queue.touch(absent, []), noTopic],
        [() => queue.finish(PLACE, []), noChannel],
        [() => queue.deleteTopic("absent"), noTopic],
        [() => queue.emptyTopic("absent"), noTopic],
        [() => queue.pauseTopic("absent", true), noTopic],
        [() => queue.createChannel(absent), noTopic],
        [() => queue.deleteChannel(PLACE), noChannel],
        [() => queue.emptyChannel(PLACE), noChannel],
        [() => queue.pauseChannel(PLACE, true), noChannel],
      ] as const
    ) {
      const error = await assertRejects(refused, HttpError);
      assertEquals([error.message, error.status], expected);
    }
  });

  queueTest("A receive makes the topic and the channel", async (t) => {
    assertEquals(bodies(await t.receive({}, { topic: "new", channel: "c" })), []);
    const { topics } = await t.queue.stats(EVERYTHING);

    assertEquals(
      topics?.map(({ topic_name, channels }) => [topic_name, channels.map((c) => c.channel_name)]),
      [
        ["new", ["c"]],
      ],
    );
  });

  queueTest("A paused channel delivers nothing until it is paused no more", async (t) => {
    await t.publish("a");
    await t.queue.pauseChannel(PLACE, true);
    assertEquals(bodies(await t.receive()), []);
    const waiting = t.receive({ waitMs: 20_000 });
    await t.advance(100);
    await t.queue.pauseChannel(PLACE, false);
    await t.advance(100);

    assertEquals(bodies(await waiting), ["a"]);
  });

  queueTest("A paused topic keeps its messages back", async (t) => {
    await t.publish();
    await t.queue.pauseTopic("t", true);
    await t.publish("a");
    assertEquals(bodies(await t.receive()), []);
    await t.queue.pauseTopic("t", false);

    assertEquals(bodies(await t.receive()), ["a"]);
  });

  queueTest("An emptied channel has nothing left, in flight or not", async (t) => {
    await t.publish("a", "b", "c");
    const [a] = await t.receive({ max: 1 });
    await t.queue.emptyChannel(PLACE);
    await t.advance(TIMEOUT_MS + 1000);

    assertEquals(bodies(await t.receive()), []);
    assertEquals(await t.queue.finish(PLACE, [a.lease]), { done: 1, failed: [] });
  });

  queueTest("A deleted channel or topic is gone, and who waits gets nothing", async (t) => {
    await t.publish();
    const waiting = t.receive({ waitMs: 20_000 });
    await t.advance(100);
    await t.queue.deleteChannel(PLACE);
    assertEquals(bodies(await waiting), []);
    await t.queue.deleteTopic("t");

    assertEquals((await t.queue.stats(EVERYTHING)).topics, []);
  });

  queueTest("The statistics count what waits, what is in flight, and what is deferred", async (t) => {
    await t.publish("a", "b", "c", "d");
    const [a, b] = await t.receive({ max: 2 });
    await t.queue.finish(PLACE, [a.lease]);
    await t.queue.requeue(PLACE, [b.lease], { delayMs: 5000 });
    await t.receive({ max: 1 });
    const { topics } = await t.queue.stats(EVERYTHING);
    const [topic] = topics ?? [];
    const [{ depth, in_flight_count, deferred_count, message_count, requeue_count }] = topic.channels;

    assertEquals({ depth, in_flight_count, deferred_count, message_count, requeue_count }, {
      depth: 1,
      in_flight_count: 1,
      deferred_count: 1,
      message_count: 4,
      requeue_count: 1,
    });
    assertEquals([topic.message_count, topic.message_bytes], [4, 4]);
  });

  queueTest(
    "A channel with as many leases as there may be gives no more until one is answered",
    async (t) => {
      await t.publish("a", "b", "c");
      const [a, b] = await t.receive();
      assertEquals(bodies([a, b]), ["a", "b"]);
      const error = await assertRejects(() => t.receive(), HttpError);
      assertEquals([error.status, error.message], [429, "TOO_MANY_LEASES"]);
      await t.queue.finish(PLACE, [a.lease]);

      assertEquals(bodies(await t.receive()), ["c"]);
    },
    { httpMaxLeases: 2 },
  );

  queueTest("As many may wait as there may be, and one more is refused", async (t) => {
    await t.publish();
    const waiting = [t.receive({ waitMs: 20_000 }), t.receive({ waitMs: 20_000 })];
    await t.advance(100);
    const error = await assertRejects(() => t.receive({ waitMs: 20_000 }), HttpError);
    assertEquals([error.status, error.message], [429, "TOO_MANY_WAITERS"]);
    assertEquals(bodies(await t.receive()), []);
    await t.advance(20_100);
    assertEquals((await Promise.all(waiting)).flat(), []);

    const next = t.receive({ waitMs: 1000 });
    await t.advance(1100);
    assertEquals(await next, []);
  }, { httpMaxWaiters: 2 });

  queueTest(
    "A subscription is sent messages as they come, as many at a time as it has asked for",
    async (t) => {
      await t.publish("a", "b", "c");
      const sink = new TestSink();
      await t.subscribe(sink, { maxInFlight: 2 });
      await t.advance(100);
      assertEquals(sink.take(), ["a", "b"]);
      await t.queue.finish(PLACE, [sink.leases[0]]);
      await t.advance(100);
      assertEquals(sink.take(), ["c"]);
      await t.publish("d");
      await t.queue.finish(PLACE, [sink.leases[1]]);
      await t.advance(100);

      assertEquals(sink.take(), ["d"]);
    },
  );

  queueTest("Messages whose time is over leave a subscription's count, and come again", async (t) => {
    await t.publish("a", "b");
    const sink = new TestSink();
    await t.subscribe(sink, { maxInFlight: 1 });
    await t.advance(100);
    assertEquals(sink.take(), ["a"]);
    await t.advance(TIMEOUT_MS + 1000);
    assertEquals(sink.take(), ["b"]);
    await t.advance(TIMEOUT_MS + 1000);

    assertEquals(sink.take(), ["a"]);
  });

  queueTest("A subscription without room gets nothing, and goes on when it has some", async (t) => {
    const sink = new TestSink();
    sink.hasRoom = false;
    await t.publish("a");
    const subscription = await t.subscribe(sink, { maxInFlight: 5 });
    await t.advance(100);
    assertEquals(sink.take(), []);
    sink.hasRoom = true;
    subscription.awake();
    await t.advance(100);

    assertEquals(sink.take(), ["a"]);
  });

  queueTest("An automatic subscription finishes what it sends", async (t) => {
    await t.publish("a", "b", "c");
    const sink = new TestSink();
    await t.subscribe(sink, { maxInFlight: 1, isAutomatic: true });
    await t.advance(100);
    await t.advance(TIMEOUT_MS + 1000);

    assertEquals(sink.take(), ["a", "b", "c"]);
    assertEquals(bodies(await t.receive()), []);
  });

  queueTest("A subscription that has ended gets nothing more; its leases stay valid", async (t) => {
    await t.publish("a", "b");
    const sink = new TestSink();
    const subscription = await t.subscribe(sink, { maxInFlight: 1 });
    await t.advance(100);
    subscription.close();
    subscription.close();
    assertEquals(sink.take(), ["a"]);

    assertEquals(await t.queue.finish(PLACE, [sink.leases[0]]), { done: 1, failed: [] });
    assertEquals(bodies(await t.receive()), ["b"]);
    assertEquals(sink.take(), []);
    assertEquals(sink.ends, []);
  });

  queueTest("A subscription is told that its channel is deleted", async (t) => {
    const sink = new TestSink();
    await t.publish();
    await t.subscribe(sink, {});
    await t.queue.deleteChannel(PLACE);
    await t.advance(100);

    assertEquals(sink.ends, ["deleted"]);
  });

  queueTest("As many may subscribe as there may be, and one more is refused", async (t) => {
    const first = await t.subscribe(new TestSink(), {});
    const error = await assertRejects(() => t.subscribe(new TestSink(), {}), HttpError);
    assertEquals([error.status, error.message], [429, "TOO_MANY_STREAMS"]);
    first.close();

    await t.subscribe(new TestSink(), {});
  }, { httpMaxStreams: 1 });

  queueTest("When delivery stops, who waits gets nothing and streams end; answering goes on", async (t) => {
    await t.publish("a");
    const [a] = await t.receive();
    const waiting = t.receive({ waitMs: 20_000 });
    const sink = new TestSink();
    await t.subscribe(sink, {});
    await t.advance(100);
    t.queue.stopDelivery();
    assertEquals(bodies(await waiting), []);
    await t.advance(100);
    assertEquals(sink.ends, ["stopping"]);
    const error = await assertRejects(() => t.receive(), HttpError);
    assertEquals([error.status, error.message], [503, "EXITING"]);

    assertEquals(await t.queue.finish(PLACE, [a.lease]), { done: 1, failed: [] });
  });
}

/** A queue under test, asked as tests ask it. */
class Harness {
  readonly queue: Queue;
  readonly #made: QueueUnderTest;

  constructor(made: QueueUnderTest) {
    this.#made = made;
    this.queue = made.queue;
  }

  advance(ms: number): Promise<void> {
    return this.#made.advance(ms);
  }

  /** Publishes a batch to a channel, which is made if there is none. */
  async publish(...bodies: readonly string[]): Promise<void> {
    await this.queue.createTopic("t");
    await this.queue.createChannel(PLACE);
    if (bodies.length > 0) {
      await this.queue.publishBatch("t", { block: blockOf(bodies), count: bodies.length });
    }
  }

  receive(
    wish: Partial<ReceiveWish> = {},
    place = PLACE,
    signal = new AbortController().signal,
  ): Promise<readonly LeasedMessage[]> {
    return this.queue.receive(place, { ...NOW, client: clientWith(signal), ...wish });
  }

  subscribe(sink: StreamSink, wish: { readonly maxInFlight?: number; readonly isAutomatic?: boolean }) {
    const client = clientWith(new AbortController().signal);
    const asked = { maxInFlight: 1, timeoutMs: TIMEOUT_MS, isAutomatic: false, client, ...wish };
    return this.queue.subscribe(PLACE, asked, sink);
  }
}

/** Writes down what it is sent. */
class TestSink implements StreamSink {
  hasRoom = true;
  readonly leases: string[] = [];
  readonly ends: string[] = [];
  readonly #sent: LeasedMessage[] = [];
  readonly #flushed: string[] = [];

  send(message: LeasedMessage): void {
    this.leases.push(message.lease);
    this.#sent.push(message);
  }

  flush(): void {
    this.#flushed.push(...bodies(this.#sent.splice(0)));
  }

  end(reason: string): void {
    this.ends.push(reason);
  }

  /** The bodies that have gone out since the last call. */
  take(): string[] {
    return this.#flushed.splice(0);
  }
}

function clientWith(signal: AbortSignal) {
  return { remoteAddress: "127.0.0.1:1234", userAgent: "test/1", name: undefined, signal };
}

function bodies(messages: readonly LeasedMessage[]): string[] {
  return messages.map(({ body }) => new TextDecoder().decode(body));
}

/** The bodies, each after its size. */
function blockOf(texts: readonly string[]): Uint8Array {
  const encoded = texts.map((text) => new TextEncoder().encode(text));
  const block = new Uint8Array(encoded.reduce((sum, { length }) => sum + 4 + length, 0));
  let end = 0;
  for (const body of encoded) {
    writeU32(block, end, body.length);
    block.set(body, end + 4);
    end += 4 + body.length;
  }
  return block;
}
