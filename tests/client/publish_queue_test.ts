import { assertEquals } from "@std/assert";
import { type Group, type Item, PLAIN, PublishQueue, split } from "../../src/client/publish_queue.ts";
import { bytesOf, textOf } from "../support/frames.ts";

const LIMITS = { messages: 3, bytes: 100 };

Deno.test("PublishQueue.take() puts together what follows one another, up to so many messages", () => {
  const queue = queueOf("a", "b", "c", "d");

  assertEquals([taken(queue), taken(queue), taken(queue)], [["a", "b", "c"], ["d"], []]);
  assertEquals(queue.empty, true);
});

Deno.test("PublishQueue.take() puts no more bytes together than it may, but takes one that is larger by itself", () => {
  const queue = queueOf("x".repeat(60), "y".repeat(40), "z", "w".repeat(101));

  assertEquals([taken(queue), taken(queue), taken(queue)].map((batch) => batch.map(({ length }) => length)), [
    [60, 40],
    [1],
    [101],
  ]);
});

Deno.test("PublishQueue.take() lets topics take turns", () => {
  const queue = new PublishQueue<Item>();
  for (const body of ["a1", "a2", "a3", "a4"]) queue.push(itemOf(body, { topic: "a" }));
  queue.push(itemOf("b1", { topic: "b" }));

  assertEquals([taken(queue), taken(queue), taken(queue)], [["a1", "a2", "a3"], ["b1"], ["a4"]]);
});

Deno.test("PublishQueue.take() takes deferred messages and whole batches alone, where they stand", () => {
  const queue = new PublishQueue<Item>();
  queue.push(itemOf("a"));
  queue.push(itemOf("deferred", { group: { deferMs: 10, whole: false } }));
  queue.push(itemOf("b"));
  const whole: Group = { deferMs: 0, whole: true };
  queue.push({ ...itemOf("w1", { group: whole }), bodies: [bytesOf("w1"), bytesOf("w2")] });
  queue.push(itemOf("c"));

  assertEquals([1, 2, 3, 4, 5].map(() => taken(queue)), [["a"], ["deferred"], ["b"], ["w1", "w2"], ["c"]]);
});

Deno.test("PublishQueue.take() leaves out what nobody waits for any more", () => {
  const queue = new PublishQueue<Item>();
  const [a, b] = [itemOf("a"), itemOf("b")];
  queue.push(a);
  queue.push(b);
  a.over = true;

  assertEquals(taken(queue), ["b"]);
});

Deno.test("PublishQueue.putBack() puts items before those that came later", () => {
  const queue = queueOf("a", "b", "c", "d");
  const batch = queue.take(LIMITS);

  queue.putBack(batch);

  assertEquals([taken(queue), taken(queue)], [["a", "b", "c"], ["d"]]);
});

Deno.test("split() lets both halves of a refused batch go out by themselves, until the bad one is alone", () => {
  const queue = queueOf("a", "b", "bad", "d", "e");
  const limits = { messages: 10, bytes: 100 };
  const sent: string[][] = [];

  for (let batch = queue.take(limits); batch.length > 0; batch = queue.take(limits)) {
    const bodies = batch.map((item) => textOf(item.bodies[0]));
    sent.push(bodies);
    if (!bodies.includes("bad") || batch.length === 1) continue;
    split(batch);
    queue.putBack(batch);
  }

  assertEquals(sent, [["a", "b", "bad", "d", "e"], ["a", "b"], ["bad", "d", "e"], ["bad"], ["d", "e"]]);
});

Deno.test("PublishQueue keeps its order over very many messages", () => {
  const queue = new PublishQueue<Item>();
  const bodies = Array.from({ length: 5000 }, (_, i) => `${i}`);
  for (const body of bodies) queue.push(itemOf(body));

  const all: string[] = [];
  for (let batch = taken(queue); batch.length > 0; batch = taken(queue)) all.push(...batch);

  assertEquals(all, bodies);
});

function queueOf(...bodies: string[]): PublishQueue<Item> {
  const queue = new PublishQueue<Item>();
  for (const body of bodies) queue.push(itemOf(body));
  return queue;
}

function itemOf(body: string, { topic = "t", group = PLAIN }: { topic?: string; group?: Group } = {}): Item {
  const bodies = [bytesOf(body)];
  return {
    topic,
    bodies,
    bytes: body.length,
    deadlineMs: 0,
    group,
    attempts: 0,
    ambiguous: false,
    over: false,
  };
}

function taken(queue: PublishQueue<Item>): string[] {
  return queue.take(LIMITS).flatMap(({ bodies }) => bodies.map(textOf));
}
