import { assertEquals } from "@std/assert";
import { Consumer, type Message, Producer } from "../../src/client/mod.ts";
import { countsOf, nsqdTest } from "../support/nsqd_in_process.ts";
import { eventually } from "../support/eventually.ts";

nsqdTest("Consumer in a loop gets what Producer.publish() has published, and finishes it", async (nsqd) => {
  await using producer = new Producer({ nsqd: [nsqd.tcpAddress] });
  await using consumer = new Consumer("orders", "billing", { nsqd: [nsqd.tcpAddress] });
  await Promise.all(["a", "b", "c"].map((body) => producer.publish("orders", body)));

  const bodies: string[] = [];
  for await (const message of consumer) {
    bodies.push(message.text());
    message.finish();
    if (bodies.length === 3) break;
  }

  assertEquals(bodies, ["a", "b", "c"]);
  await eventually("all is finished", () => {
    assertEquals(countsOf(nsqd, "orders", "billing"), { depth: 0, inFlight: 0, deferred: 0 });
    return true;
  });
});

nsqdTest(
  "Consumer.run() finishes what its handler returns from, and requeues what it throws on",
  async (nsqd) => {
    await using producer = new Producer({ nsqd: [nsqd.tcpAddress] });
    await using consumer = new Consumer("orders", "billing", {
      nsqd: [nsqd.tcpAddress],
      defaultRequeueDelayMs: 0,
      backoff: { multiplierMs: 1 },
    });
    const seen: string[] = [];
    const running = consumer.run((message: Message) => {
      seen.push(`${message.text()} ${message.attempts}`);
      if (message.text() === "bad" && message.attempts === 1) throw new Error("not yet");
    });

    await producer.publish("orders", "bad");

    await eventually("it is handled again", () => seen.length === 2);
    assertEquals(seen, ["bad 1", "bad 2"]);
    await consumer.close();
    await running;
  },
);
