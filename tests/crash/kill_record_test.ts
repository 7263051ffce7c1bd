import { assertEquals } from "@std/assert";
import type { MessageFrame } from "../support/frames.ts";
import type { Fate, SentMessage } from "./kill_fate.ts";
import { KillRecord } from "./kill_record.ts";

/** A record with one durable topic `t` that has the channel `c`; times are in ms. */
function testRecord({ durable = true } = {}) {
  const record = new KillRecord();
  record.addTopic("t", { durable });
  const make = (channel: string, nowMs: number) => {
    record.channelBegun("t", channel, nowMs);
    record.channelMade("t", channel, nowMs);
  };
  make("c", 1);
  return {
    record,
    make,
    publish(nowMs: number, deferMs = 0): SentMessage {
      const message = record.send("t", { nowMs, deferMs, padding: "" });
      record.acked(message, nowMs);
      return message;
    },
    deliver(
      message: SentMessage,
      nowMs: number,
      options: { attempts?: number; channel?: string } = {},
    ): Fate {
      const { attempts = 1, channel = "c" } = options;
      const fate = record.delivered("t", channel, frameOf(message.body, attempts), nowMs);
      if (!fate) throw new Error("A message that was never sent");
      return fate;
    },
    /** What does not hold, without the details. */
    problems: () =>
      record.violations.map((text) => / ([a-z].*?)[;:]|\) (was never sent)/.exec(text)?.slice(1).join("")),
  };
}

function frameOf(body: string, attempts: number): MessageFrame {
  return { type: "message", id: body, attempts, timestampNs: 0n, body };
}

Deno.test("KillRecord misses an acknowledged message until it is finished, over a kill too", () => {
  const { record, publish, deliver } = testRecord();
  const message = publish(1000);
  assertEquals(record.missing(1000).map((fate) => fate.channel), ["c"]);

  record.ended({ intervalMs: 2000, inOrder: false });
  assertEquals(record.missing(3000).length, 1);
  record.finished(deliver(message, 3000), 3000);

  assertEquals([record.missing(3000), record.violations], [[], []]);
});

Deno.test("KillRecord does not miss what was never acknowledged, or what was in memory when the server was killed", () => {
  const { record, publish } = testRecord({ durable: false });
  record.send("t", { nowMs: 1000, deferMs: 0, padding: "" });
  publish(1000);

  record.ended({ intervalMs: 2000, inOrder: false });

  assertEquals(record.missing(3000), []);
});

Deno.test("KillRecord misses what was in memory when the server was stopped in order", () => {
  const { record, publish } = testRecord({ durable: false });
  publish(1000);

  record.ended({ intervalMs: 2000, inOrder: true });

  assertEquals(record.missing(3000).length, 1);
});

Deno.test("KillRecord misses a message again when its FIN has failed", () => {
  const { record, publish, deliver } = testRecord();
  const fin = record.finished(deliver(publish(1000), 1000), 1000);

  fin.failed = true;

  assertEquals(record.missing(1000).length, 1);
});

Deno.test("KillRecord lets a message come back when its FIN was not flushed", () => {
  const { record, publish, deliver } = testRecord();
  const message = publish(1000);
  record.finished(deliver(message, 1000), 1000);

  record.ended({ intervalMs: 999, inOrder: false });
  deliver(message, 3000, { attempts: 1 });

  assertEquals(record.violations, []);
});

Deno.test("KillRecord notices that a message comes back whose FIN was flushed", () => {
  const { record, publish, deliver, problems } = testRecord();
  const message = publish(1000);
  record.finished(deliver(message, 1000), 1000);

  record.ended({ intervalMs: 1000, inOrder: false });
  deliver(message, 3000, { attempts: 2 });

  assertEquals(problems(), ["came back, though its FIN was flushed"]);
});

Deno.test("KillRecord notices that a message comes back whose FIN is in the saved state", () => {
  const { record, publish, deliver, problems } = testRecord();
  const message = publish(1000);
  record.finished(deliver(message, 1000), 1000);

  record.ended({ intervalMs: 0, savedMs: new Map([["t", 1000]]), inOrder: false });
  deliver(message, 3000, { attempts: 2 });

  assertEquals(problems(), ["came back, though its FIN was flushed"]);
});

Deno.test("KillRecord notices that a finished message comes back without a kill", () => {
  const { record, publish, deliver, problems } = testRecord();
  const message = publish(1000);
  record.finished(deliver(message, 1000), 1000);

  deliver(message, 10_000, { attempts: 2 });

  assertEquals(problems(), ["came back, though it was finished and the server was not killed"]);
});

Deno.test("KillRecord notices that a message comes back of which nothing was left", () => {
  const { record, publish, deliver } = testRecord();
  const message = publish(1000);
  record.finished(deliver(message, 1000), 1000);
  record.drained(10_000);
  record.ended({ intervalMs: 11_000, inOrder: false });

  const fate = record.delivered("t", "c", frameOf(message.body, 1), 12_000);

  assertEquals([fate, record.violations], [undefined, [
    't/c: "t.0:" (attempt 1) came back: nothing was left of it 2000 ms ago, flushed by the interval, 1000 ms before the line',
  ]]);
});

Deno.test("KillRecord lets a message come back of which nothing was left, if that was not flushed, over two kills", () => {
  const { record, publish, deliver } = testRecord();
  const message = publish(1000);
  record.finished(deliver(message, 1000), 1000);
  record.drained(10_000);
  record.ended({ intervalMs: 999, inOrder: false });
  record.ended({ intervalMs: 20_000, inOrder: false });

  deliver(message, 21_000);

  assertEquals(record.violations, []);
});

Deno.test("KillRecord notices a message that was never sent", () => {
  const { record } = testRecord();

  record.delivered("t", "c", frameOf("what?", 1), 1000);

  assertEquals(record.violations, ['t/c: "what?" (attempt 1) was never sent']);
});

Deno.test("KillRecord notices a deferred message that comes before its time", () => {
  const { publish, deliver, problems } = testRecord();
  const message = publish(1000, 500);

  deliver(message, 1400);

  assertEquals(problems(), ["came 100 ms before it was due"]);
});

Deno.test("KillRecord notices a requeued message that comes too early, if that was flushed", () => {
  const { record, publish, deliver, problems } = testRecord();
  const [flushed, not] = [publish(1000), publish(1000)];
  record.requeued(deliver(flushed, 1000), { nowMs: 1000, delayMs: 5000 });
  record.requeued(deliver(not, 2000), { nowMs: 2000, delayMs: 5000 });
  record.ended({ intervalMs: 1500, inOrder: false });

  deliver(not, 3000, { attempts: 2 });
  assertEquals(problems(), []);
  deliver(flushed, 3000, { attempts: 2 });

  assertEquals(problems(), ["came 3000 ms before the end of its requeue"]);
});

Deno.test("KillRecord notices attempts that are no more than what was flushed", () => {
  const { record, publish, deliver, problems } = testRecord();
  const message = publish(1000);
  deliver(message, 1000, { attempts: 1 });
  deliver(message, 2000, { attempts: 2 });
  record.ended({ intervalMs: 1500, inOrder: false });

  deliver(message, 3000, { attempts: 2 });
  assertEquals(problems(), []);
  record.ended({ intervalMs: 4000, inOrder: false });
  deliver(message, 5000, { attempts: 2 });

  assertEquals(problems(), ["has not more attempts than were flushed"]);
});

Deno.test("KillRecord notices an attempt that comes twice", () => {
  const { publish, deliver, problems } = testRecord();
  const message = publish(1000);

  deliver(message, 1000);
  deliver(message, 1001);

  assertEquals(problems(), ["came twice as the same attempt"]);
});

Deno.test("KillRecord expects what waits in a topic in its first channel, and only there", () => {
  const record = new KillRecord();
  record.addTopic("t", { durable: true });
  const message = record.send("t", { nowMs: 1000, deferMs: 0, padding: "" });
  record.acked(message, 1000);
  for (const channel of ["first", "second"]) {
    record.channelBegun("t", channel, 2000);
    record.channelMade("t", channel, 2000);
  }

  assertEquals(record.missing(3000).map(({ channel }) => channel), ["first"]);
});

Deno.test("KillRecord does not expect in a first channel what was lost before there was one", () => {
  const record = new KillRecord();
  record.addTopic("t", { durable: false });
  record.acked(record.send("t", { nowMs: 1000, deferMs: 0, padding: "" }), 1000);
  record.ended({ intervalMs: 2000, inOrder: false });

  record.channelBegun("t", "c", 3000);
  record.channelMade("t", "c", 3000);

  assertEquals(record.missing(4000), []);
});

Deno.test("KillRecord notices a message in a channel that is younger", () => {
  const { record, make, publish, deliver, problems } = testRecord();
  const message = publish(1000);
  make("younger", 2000);
  record.ended({ intervalMs: 3000, inOrder: false });

  deliver(message, 4000, { channel: "younger" });

  assertEquals(problems(), ["is older than the channel"]);
});

Deno.test("KillRecord.notDue() counts deferred messages: those acknowledged, and all", () => {
  const { record, publish } = testRecord();
  publish(1000, 500);
  record.send("t", { nowMs: 1000, deferMs: 500, padding: "" });

  assertEquals(record.notDue("t", "c", 1499), { min: 1, max: 2 });
  assertEquals(record.notDue("t", "c", 1500), { min: 0, max: 0 });
});
