/**
 * A topic on files that a crash has torn or a disk has damaged: what is in its folder afterwards. What is delivered
 * and what is said of it is in tests/broker/damage_test.ts.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../src/base/logger.ts";
import { Broker } from "../../src/broker/broker.ts";
import { FileStores } from "../../src/storage/file_stores.ts";
import { bytes, TestConsumer, WIDE_LIMITS } from "../support/broker_setup.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** The first position of the fake clock's time in hexadecimal digits. */
const NAME = "04ee23fa2c4000";
/** A batch of a message that begins there. */
const FIRST = { offset: 16, length: 34 + 4 + 3 };

Deno.test("Topic keeps damaged bytes in a file beside the segment, once", async () => {
  await withTopic(async (test) => {
    const file = `${test.folder}/${NAME}.seg`;
    const image = Deno.readFileSync(file);
    image[FIRST.offset + 40] ^= 1;
    Deno.writeFileSync(file, image);

    for (let start = 0; start < 3; start++) assertEquals(await test.start(), ["two"]);

    assertEquals(test.names(), [`${NAME}.16.bad`, `${NAME}.seg`]);
    const kept = Deno.readFileSync(`${test.folder}/${NAME}.16.bad`);
    assertEquals(kept, image.slice(FIRST.offset, FIRST.offset + FIRST.length));
    assertEquals(test.lines.length, 1);
  });
});

Deno.test("Topic cuts a torn tail off its file, and keeps no other", async () => {
  await withTopic(async (test) => {
    const file = `${test.folder}/${NAME}.seg`;
    const image = Deno.readFileSync(file);
    Deno.writeFileSync(file, image.subarray(0, -1));

    for (let start = 0; start < 3; start++) assertEquals(await test.start(), ["one"]);

    assertEquals(test.names(), [`${NAME}.seg`]);
    // Up to the end of the first batch, and the batch that closes it.
    assertEquals(Deno.statSync(file).size, FIRST.offset + FIRST.length + 100);
    assertEquals(test.lines.length, 1);
  });
});

Deno.test("Topic sets a file aside that a newer version has written, as it is", async () => {
  await withTopic(async (test) => {
    const file = `${test.folder}/${NAME}.seg`;
    const image = Deno.readFileSync(file);
    image[7] = 9;
    Deno.writeFileSync(file, image);

    for (let start = 0; start < 3; start++) assertEquals(await test.start(), []);

    assertEquals(test.names(), [`${NAME}.seg.bad`]);
    assertEquals(Deno.readFileSync(`${file}.bad`), image);
    assertEquals(test.lines.length, 1);
  });
});

Deno.test("Topic tells what is lost with a file that somebody has removed, once, and goes on", async () => {
  await withTopic(async (test) => {
    const remove = () => Deno.removeSync(`${test.folder}/${NAME}.seg`);

    assertEquals(await test.start({ before: remove, publish: "three" }), ["three"]);

    assertEquals(test.lines.map((line) => line.slice(27)), [
      "ERROR: TOPIC(t): segment 1387738195312640 is missing, with 2 messages - somebody has removed it",
    ]);
    assertEquals([await test.start(), test.lines.length], [["three"], 1]);
  });
});

/** A topic's folder, in which the program has been killed with two messages, each a batch of its own. */
interface Killed {
  readonly folder: string;
  /** Warnings and errors of all starts. */
  readonly lines: string[];
  /** Starts the program, takes all messages, finishes none, and kills it. */
  start(options?: { before?: () => void; publish?: string }): Promise<string[]>;
  /** The files, but for the state. */
  names(): string[];
}

async function withTopic(use: (test: Killed) => Promise<void>): Promise<void> {
  const dataPath = Deno.makeTempDirSync();
  const folder = `${dataPath}/t.topic`;
  const lines: string[] = [];
  const stores = new FileStores(dataPath);
  const opened: { close(): void }[] = [];
  const program = () => {
    const clock = new FakeClock();
    const broker = new Broker({
      clock,
      logger: new Logger({ prefix: "", level: LOG_LEVELS.warn, write: (line) => lines.push(line) }),
      limits: WIDE_LIMITS,
      stores: {
        open(topic) {
          const store = stores.open(topic);
          opened.push(store);
          return store;
        },
      },
      durabilityOf: () => "disk",
      syncEvery: Infinity,
      newLatency: () => undefined,
      wasStopped: () => false,
      keeping: () => undefined,
      keepingFailure: () => undefined,
      onWork: () => {},
      othersFirst: () => Promise.resolve(),
      onFault(error) {
        throw error;
      },
      onChange: () => {},
      onStored: () => {},
    });
    const topic = broker.recoverTopic("t");
    const consumer = new TestConsumer(topic.channel("c"), { readyCount: 0 });
    topic.start();
    return { broker, clock, topic, consumer };
  };
  try {
    const { topic } = program();
    for (const body of ["one", "two"]) topic.publish(bytes(body));
    await use({
      folder,
      lines,
      async start({ before, publish } = {}) {
        const { broker, clock, topic, consumer } = program();
        before?.();
        if (publish !== undefined) topic.publish(bytes(publish));
        consumer.consumer.readyCount = 100;
        consumer.channel.awake(consumer.consumer);
        for (let i = 0; i < 6; i++) {
          broker.pump(clock.monotonicMs());
          await broker.idle();
        }
        return consumer.take();
      },
      names: () =>
        [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name !== "state").sort(),
    });
  } finally {
    // Their files; a killed program's are closed by the system.
    for (const store of opened) store.close();
    Deno.removeSync(dataPath, { recursive: true });
  }
}
