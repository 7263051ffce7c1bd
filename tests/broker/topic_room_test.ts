/**
 * Messages that are in memory only take room there, or are refused.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import { NoRoomError } from "../../src/broker/topic.ts";
import { blockOfTexts } from "../support/broker_messages.ts";
import { bytes, testBroker } from "../support/broker_setup.ts";

/** A topic without a store, where so many bytes are free. */
function setup(freeBytes: number) {
  const asked: number[] = [];
  const state = { freeBytes };
  const hasRoomFor = (sizeBytes: number) => {
    asked.push(sizeBytes);
    if (sizeBytes > state.freeBytes) return false;
    state.freeBytes -= sizeBytes;
    return true;
  };
  const { broker } = testBroker({ memory: { isShort: false, refusal: undefined, hasRoomFor } });
  return { broker, topic: broker.topic("t#ephemeral"), asked, state };
}

for (const [free, fits] of [[8, false], [9, true], [10, true]] as const) {
  Deno.test(`Topic.publish() of 9 bytes, with their size, ${fits ? "takes" : "does not take"} room of ${free}`, () => {
    const { topic, asked } = setup(free);

    if (fits) topic.publish(bytes("12345"));
    else assertThrows(() => topic.publish(bytes("12345")), NoRoomError, "out of memory");

    assertEquals([asked, topic.depth, topic.messageCount], [[9], fits ? 1 : 0, fits ? 1 : 0]);
  });
}

Deno.test("Topic.publish() that is refused leaves what was there, and takes no memory for itself", () => {
  const { topic, state } = setup(9);
  topic.publish(bytes("12345"));
  const { bytes: before } = topic.log;

  for (let i = 0; i < 3; i++) assertThrows(() => topic.publish(bytes("x")), NoRoomError);

  assertEquals([topic.depth, topic.log.bytes, topic.log.segments.length], [1, before, 1]);
  state.freeBytes = 5;
  topic.publish(bytes("y"));
  assertEquals(topic.depth, 2);
});

Deno.test("Topic.publishBatch() is kept as a whole or not at all", () => {
  const { topic } = setup(9);

  assertThrows(() => topic.publishBatch(blockOfTexts("123", "4567"), 2), NoRoomError);

  assertEquals(topic.depth, 0);
});

Deno.test("Topic.commit() refuses what was appended in a turn in which there was no room for all of it", () => {
  const { broker, topic, state } = setup(9);
  const block = blockOfTexts("12345");
  topic.append(block, 0, block.length, { count: 1, deferMs: 0 });
  topic.append(block, 0, block.length, { count: 1, deferMs: 0 });

  const { failed } = broker.commit();

  assertEquals([[...failed.keys()], topic.depth], [[topic], 0]);
  assertEquals(failed.get(topic) instanceof NoRoomError, true);
  state.freeBytes = 9;
  topic.append(block, 0, block.length, { count: 1, deferMs: 0 });
  assertEquals([broker.commit().failed.size, topic.depth], [0, 1]);
});

Deno.test("Topic asks for no room where it has a store", () => {
  const { broker, asked } = setup(0);

  broker.topic("t").publish(bytes("12345"));

  assertEquals(asked, []);
});
