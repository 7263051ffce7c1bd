import { assertEquals } from "@std/assert";
import { LATE_MAX } from "../../../src/nsqd/kv/database.ts";
import { WRITES_MAX } from "../../../src/nsqd/kv/topic_writer.ts";
import { idle, kvQueue, type TestKvQueue, withKv } from "../../support/kv.ts";
import { CLIENT, PLACE, publish, receive, refusalOf, textsOf } from "../../support/kv_requests.ts";

const UNAVAILABLE = [503, "UNAVAILABLE"];
const X = new TextEncoder().encode("x");

/** A test with an instance that gives its database a short time, and what holds operations until it is let go. */
function faultsTest(
  name: string,
  test: (made: TestKvQueue, held: PromiseWithResolvers<void>) => Promise<void>,
): void {
  Deno.test(name, () =>
    withKv(":memory:", async (kv) => {
      const made = kvQueue(kv, { options: { kvTimeoutMs: 300 } });
      const held = Promise.withResolvers<void>();
      try {
        await test(made, held);
      } finally {
        made.kv.faults = {};
        held.resolve();
        await idle(made.kv);
        await made[Symbol.asyncDispose]();
      }
    }));
}

faultsTest(
  "A database that does not answer is a refusal within its time, and says when to ask again",
  async (made, held) => {
    await publish(made, "before");
    made.kv.faults = { before: () => held.promise };
    const { queue } = made;

    const error = await queue.publish("t", X, { deferMs: 0 }).catch((error) => error);
    assertEquals([error.status, error.message, error.headers], [503, "UNAVAILABLE", [["Retry-After", "1"]]]);
    assertEquals(await refusalOf(receive(made)), UNAVAILABLE);
    assertEquals(await refusalOf(queue.createTopic("new")), UNAVAILABLE);
    assertEquals(
      await refusalOf(queue.stats({ topics: new Set(), channels: new Set(), includeClients: true })),
      UNAVAILABLE,
    );
    assertEquals(queue.problem, "not answered within 300ms");
  },
);

faultsTest("A database that answers again is used again", async (made, held) => {
  await publish(made, "a");
  made.kv.faults = { before: () => held.promise };
  assertEquals(await refusalOf(receive(made)), UNAVAILABLE);
  made.kv.faults = {};
  held.resolve();
  await idle(made.kv);
  await made.advance(61_000);

  assertEquals(textsOf(await receive(made)), ["a"]);
  assertEquals(made.queue.problem, undefined);
});

faultsTest("Nothing is acknowledged that is not in the database", async (made) => {
  await publish(made);
  made.kv.faults = {
    before: (kind) => {
      if (kind === "commit") throw new TypeError("database is locked");
    },
  };
  assertEquals(await refusalOf(made.queue.publish("t", X, { deferMs: 0 })), UNAVAILABLE);
  const batch = { block: Uint8Array.of(0, 0, 0, 1, 120), count: 1 };
  assertEquals(await refusalOf(made.queue.publishBatch("t", batch)), UNAVAILABLE);
  assertEquals(made.queue.problem, "database is locked");
  made.kv.faults = {};

  assertEquals(textsOf(await receive(made)), []);
  assertEquals(made.lines.filter((line) => line.includes("KV: database is locked")).length, 1);
});

faultsTest(
  "A publish that was refused because its answer came late may be there all the same",
  async (made, held) => {
    await publish(made);
    made.kv.faults = { after: () => held.promise };
    assertEquals(await refusalOf(made.queue.publish("t", X, { deferMs: 0 })), UNAVAILABLE);
    made.kv.faults = {};

    assertEquals(textsOf(await receive(made)), ["x"]);
  },
);

faultsTest("A message whose lease was late comes again when its time is over", async (made, held) => {
  await publish(made, "a");
  made.kv.faults = { after: (kind) => kind === "commit" ? held.promise : undefined };
  assertEquals(await refusalOf(receive(made)), UNAVAILABLE);
  made.kv.faults = {};
  assertEquals(textsOf(await receive(made)), []);
  held.resolve();
  await made.advance(61_000);

  const [again] = await receive(made);
  assertEquals([textsOf([again]), again.attempts], [["a"], 2]);
});

faultsTest("A finish that was late is done when it is asked for again", async (made, held) => {
  await publish(made, "a", "b");
  const [{ lease }] = await receive(made, { max: 1 });
  made.kv.faults = { after: (kind) => kind === "commit" ? held.promise : undefined };
  assertEquals(await refusalOf(made.queue.finish(PLACE, [lease])), UNAVAILABLE);
  made.kv.faults = {};

  assertEquals(await made.queue.finish(PLACE, [lease]), { done: 1, failed: [] });
  assertEquals(textsOf(await receive(made)), ["b"]);
});

faultsTest("A commit that fails after it was made is not made twice to a message", async (made) => {
  await publish(made, "a", "b");
  let isBroken = true;
  made.kv.faults = {
    after: (kind) => {
      if (kind !== "commit" || !isBroken) return;
      isBroken = false;
      throw new TypeError("connection reset");
    },
  };
  assertEquals(await refusalOf(receive(made, { max: 1 })), UNAVAILABLE);

  // The one that was leased is left to whoever may have got it.
  assertEquals(textsOf(await receive(made)), ["b"]);
});

faultsTest("A database that works again is known to, although nobody asks", async (made) => {
  made.kv.faults = {
    before: () => {
      throw new TypeError("connection refused");
    },
  };
  assertEquals(await refusalOf(made.queue.createTopic("t")), UNAVAILABLE);
  await made.advance(1100);
  assertEquals(made.queue.problem, "connection refused");
  made.kv.faults = {};
  await made.advance(1100);

  assertEquals(made.queue.problem, undefined);
});

faultsTest("Publishers that wait for one another are refused together", async (made, held) => {
  await publish(made);
  const before = made.kv.counts.commit;
  made.kv.faults = { before: () => held.promise };
  const large = new Uint8Array(60_000);
  const asked = Array.from({ length: 9 }, () => refusalOf(made.queue.publish("t", large, { deferMs: 0 })));

  assertEquals(await Promise.all(asked), asked.map(() => [503, "UNAVAILABLE"]));
  assertEquals(made.kv.counts.commit - before, WRITES_MAX);
});

faultsTest(
  "What another program has put in the place of a chunk is told of, and the instance goes on",
  async (made) => {
    await publish(made, "a");
    await made.damage(["nsq", 1, "i", "t", "00000000000000000001"], "no entry");
    await made.advance(31_000);
    assertEquals(made.lines.filter((line) => line.includes("KV: The entry of a chunk")).length, 1);

    await made.queue.publish("u", X, { deferMs: 0 });
    assertEquals(textsOf(await receive(made, {}, { topic: "u", channel: "c" })), ["x"]);
  },
);

faultsTest("So many operations that are late are waited for, and no more are begun", async (made, held) => {
  await publish(made, "a");
  made.kv.faults = { before: () => held.promise };
  const asked = Array.from({ length: LATE_MAX }, (_, i) => made.queue.createTopic(`t${i}`));
  await Promise.allSettled(asked);
  const before = { ...made.kv.counts };

  assertEquals(await refusalOf(made.queue.createTopic("more")), UNAVAILABLE);
  assertEquals(made.kv.counts, before);
  assertEquals(made.queue.problem, `${LATE_MAX} operations have not been answered`);

  made.kv.faults = {};
  held.resolve();
  await idle(made.kv);
  await made.queue.createTopic("more");
});

faultsTest(
  "A request that waits is refused when the database cannot be used, and a stream goes on later",
  async (made) => {
    await publish(made);
    const sent: string[] = [];
    await made.queue.subscribe(
      PLACE,
      { maxInFlight: 1, timeoutMs: 60_000, isAutomatic: true, client: CLIENT },
      {
        hasRoom: true,
        send: (message) => sent.push(...textsOf([message])),
        flush: () => {},
        end: () => {},
      },
    );
    const waiting = receive(made, { waitMs: 20_000 });
    await made.advance(100);
    made.kv.faults = {
      before: (kind) => {
        if (kind !== "commit") throw new TypeError("connection refused");
      },
    };
    const refusal = refusalOf(waiting);
    await made.queue.publish("t", X, { deferMs: 0 });
    assertEquals(await refusal, UNAVAILABLE);
    made.kv.faults = {};
    await made.advance(1000);

    assertEquals(sent, ["x"]);
  },
);
