import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { bytes, testTopic } from "../support/broker_setup.ts";

Deno.test("Topic says once why the store refuses messages, until it works again", () => {
  const { topic, stores, errors } = testTopic({ durability: "disk" });
  const refusal = "ERROR: TOPIC(t) ERROR: failed to write message to backend - disk full";
  stores.fault = () => "fails";
  assertThrows(() => topic.publish(bytes("a")));
  assertThrows(() => topic.publish(bytes("b")));
  assertEquals(errors, [refusal]);

  stores.fault = () => undefined;
  topic.publish(bytes("c"));
  stores.fault = () => "fails";
  assertThrows(() => topic.publish(bytes("d")));

  assertEquals(errors, [refusal, refusal]);
});

Deno.test("Topic says once why syncing fails, until it works again", async () => {
  const { topic, stores, errors } = testTopic({ durability: "fsync" });
  const publish = async (body: string) => {
    topic.publish(bytes(body));
    await topic.kept();
  };
  stores.syncFault = () => true;
  await assertRejects(() => publish("a"));
  await assertRejects(() => publish("b"));
  assertEquals(errors.length, 1);

  stores.syncFault = () => false;
  await publish("c");
  stores.syncFault = () => true;
  await assertRejects(() => publish("d"));

  assertEquals(errors.length, 2);
});

Deno.test("Topic does not take a sync for a sign of health while the store refuses messages", async () => {
  const { topic, broker, stores, stored } = testTopic({ durability: "fsync" });
  topic.publish(bytes("a"));
  await topic.kept();
  assertEquals(stored.splice(0), [undefined]);

  stores.fault = () => "fails";
  assertThrows(() => topic.publish(bytes("b")));
  // The turn in which an HTTP request has published ends with a commit of its own.
  for (const kept of broker.commit().pending.values()) await kept;

  assertEquals(stored.map(String), ["Error: disk full"]);
});
