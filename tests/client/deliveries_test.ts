import { assertEquals } from "@std/assert";
import { type Handler, HandlerRuns, MessageLoop } from "../../src/client/deliveries.ts";
import { Message, type MessageSource } from "../../src/client/message.ts";
import { bytesOf } from "../support/frames.ts";

Deno.test("HandlerRuns handles very many messages that wait for one, one after the other", async () => {
  const answers = new Answers();
  let end = () => {};
  const first = new Promise<void>((resolve) => end = resolve);
  const runs = runsOf((message) => message.text() === "0" ? first : undefined);
  for (let i = 0; i < 50_000; i++) runs.deliver(answers.message(`${i}`));
  assertEquals(answers.finished, 0);

  end();
  await first;
  await Promise.resolve();

  assertEquals(answers.finished, 50_000);
});

Deno.test("HandlerRuns finishes a message whatever its handler returns", () => {
  const answers = new Answers();
  const handler = (() => 7) as unknown as Handler;

  runsOf(handler).deliver(answers.message("a"));

  assertEquals(answers.finished, 1);
});

Deno.test("HandlerRuns.stop() requeues what waits and what still comes", () => {
  const answers = new Answers();
  const runs = runsOf(() => new Promise(() => {}));
  for (const body of ["a", "b", "c"]) runs.deliver(answers.message(body));

  runs.stop();
  runs.deliver(answers.message("d"));

  assertEquals(answers.requeued, ["b", "c", "d"]);
});

Deno.test("HandlerRuns and MessageLoop leave out what nsqd has taken for lost", async () => {
  const answers = new Answers();
  const loop = new MessageLoop(() => {});
  const [a, b] = [answers.message("a"), answers.message("b")];
  loop.deliver(a);
  loop.deliver(b);
  a.expired = true;

  const { value } = await loop.next();

  assertEquals(value, b);
});

Deno.test("MessageLoop.next() can be called ahead, and ends with the loop", async () => {
  const answers = new Answers();
  const loop = new MessageLoop(() => {});
  const nexts = [loop.next(), loop.next()];
  const message = answers.message("a");

  loop.deliver(message);
  loop.stop();

  assertEquals(await Promise.all(nexts), [{ value: message, done: false }, { value: undefined, done: true }]);
});

/** Keeps the answers to messages. */
class Answers {
  finished = 0;
  readonly requeued: string[] = [];
  readonly #source: MessageSource = {
    node: "node",
    topic: "t",
    channel: "c",
    msgTimeoutMs: 1000,
    finish: () => this.finished++,
    requeue: (message) => this.requeued.push(message.text()),
    touch: () => {},
  };

  message(body: string): Message {
    const bytes = bytesOf(`\0\0\0\0\0\0\0\x01\0\x010123456789abcdef${body}`);
    return new Message(this.#source, bytes, 0, bytes.length, 0);
  }
}

function runsOf(handler: Handler): HandlerRuns {
  return new HandlerRuns(handler, {
    concurrency: () => 1,
    signal: new AbortController().signal,
    failed: (_, error) => {
      throw error;
    },
  });
}
