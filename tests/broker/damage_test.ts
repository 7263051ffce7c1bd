/**
 * What a topic makes of files that a crash has torn or a disk has damaged: what is whole is delivered, what is not is
 * kept aside, and an operator is told once.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { CLOSING_BATCH_LENGTH, SEGMENT_HEADER_LENGTH } from "../../src/log/segment_image.ts";
import type { SegmentStore } from "../../src/log/segment_store.ts";
import { bytes, testBroker, TestConsumer, testTopic } from "../support/broker_setup.ts";
import { piecesOf, TestStores } from "../support/broker_stores.ts";

/** Three messages, each a batch of its own, of a segment that was being written. */
const { base: BASE, image: IMAGE } = unclosed("a", "bb", "ccc");
/** Where the header and each of the batches end. */
const ENDS = [16, 16 + 39, 16 + 39 + 40, 16 + 39 + 40 + 41] as const;
const WHERE = `TOPIC(t): segment ${BASE}`;

Deno.test("Topic delivers what is whole of a segment that was cut off, wherever, and says what it has cut off", async () => {
  assertEquals(IMAGE.length, ENDS[3]);
  for (let length = 0; length < IMAGE.length; length++) {
    const test = await Disk.with(IMAGE.subarray(0, length));

    const first = await test.start();

    const whole = ENDS.filter((end) => end <= length).length;
    const end = whole > 0 ? ENDS[whole - 1] : 0;
    const torn = length - end;
    const line = `WARNING: ${WHERE} ends in ${torn} bytes of an interrupted write at byte ${end}, cut off`;
    assertEquals(first.bodies, ["a", "bb", "ccc"].slice(0, Math.max(whole - 1, 0)), `${length} bytes`);
    assertEquals(first.lines, torn > 0 ? [line] : [], `${length} bytes`);
    assertEquals([test.stores.damages, test.stores.aside], [[], []], `${length} bytes`);
    assertEquals(await test.start(), { bodies: first.bodies, lines: [] }, `${length} bytes, again`);
  }
});

Deno.test("Topic takes zeros at the end of a segment for a write that was interrupted, however many", async () => {
  for (const zeros of [1, 4, 31, 32, 34, 100, 5000]) {
    const test = await Disk.with(IMAGE, new Uint8Array(zeros));

    const first = await test.start();

    assertEquals(first.bodies, ["a", "bb", "ccc"]);
    assertEquals(first.lines, [
      `WARNING: ${WHERE} ends in ${zeros} bytes of an interrupted write at byte 136, cut off`,
    ]);
    assertEquals([test.stores.damages, test.size()], [[], 136 + CLOSING_BATCH_LENGTH]);
    assertEquals(await test.start(), { bodies: first.bodies, lines: [] });
  }
});

Deno.test("Topic says nothing of a file in which nothing was written", async () => {
  for (const length of [0, 1, 15, 16, 4096]) {
    const test = await Disk.with(new Uint8Array(length));

    const { bodies, lines } = await test.start();

    assertEquals([bodies, test.stores.aside, test.size()], [[], [], undefined]);
    assertEquals(lines.length, length > 0 ? 1 : 0, `${length} bytes`);
    assertEquals(await test.start(), { bodies: [], lines: [] });
  }
});

Deno.test("Topic keeps a batch aside in which any bit is wrong, says so once, and delivers the others", async () => {
  for (let bit = 8 * ENDS[1]; bit < 8 * ENDS[2]; bit++) {
    const test = await Disk.with(flipped(IMAGE, bit));

    const first = await test.start();

    assertEquals(first.bodies, ["a", "ccc"], `bit ${bit}`);
    assertEquals(first.lines.map(withoutReason), [
      `ERROR: ${WHERE} is damaged at byte 55, 40 bytes are kept aside`,
    ], `bit ${bit}`);
    assertEquals(test.stores.damages, [`t ${BASE} 55 40`], `bit ${bit}`);
    assertEquals(await test.start(), { bodies: ["a", "ccc"], lines: [] }, `bit ${bit}, again`);
  }
});

Deno.test("Topic keeps a batch of a closed segment aside, and says so once, when it is needed", async () => {
  const closed = closedImage("a", "bb", "ccc");
  for (let bit = 8 * ENDS[1]; bit < 8 * ENDS[2]; bit += 3) {
    const test = await Disk.with(flipped(closed, bit));

    const first = await test.start();

    assertEquals(first.bodies, ["a", "ccc"], `bit ${bit}`);
    assertEquals(first.lines.map(withoutReason), [
      `ERROR: ${WHERE} is damaged at byte 55, 40 bytes are kept aside`,
    ], `bit ${bit}`);
    assertEquals(test.stores.damages, [`t ${BASE} 55 40`], `bit ${bit}`);
    assertEquals(await test.start(), { bodies: ["a", "ccc"], lines: [] }, `bit ${bit}, again`);
  }
});

Deno.test("Topic delivers every message of a segment in whose closing batch a bit is wrong, and says so once", async () => {
  const closed = closedImage("a", "bb", "ccc");
  assertEquals(closed.length, ENDS[3] + CLOSING_BATCH_LENGTH);
  for (let bit = 8 * ENDS[3]; bit < 8 * closed.length; bit++) {
    const test = await Disk.with(flipped(closed, bit));

    const first = await test.start();

    assertEquals([first.bodies, first.lines.length], [["a", "bb", "ccc"], 1], `bit ${bit}`);
    // It is closed again.
    assertEquals(test.size(), closed.length, `bit ${bit}`);
    assertEquals(await test.start(), { bodies: first.bodies, lines: [] }, `bit ${bit}, again`);
  }
});

Deno.test("Topic delivers the batches before the last one, in which a bit is wrong, and says so once", async () => {
  const length = 8 * (ENDS[2] + 8);
  for (let bit = 8 * ENDS[2]; bit < 8 * ENDS[3]; bit++) {
    const test = await Disk.with(flipped(IMAGE, bit));

    const first = await test.start();

    // A batch that seems to go on behind the end looks like a write that was interrupted.
    const torn = bit >= length && bit < length + 32 && (IMAGE[bit >> 3] >> (bit & 7) & 1) === 0;
    const line = torn
      ? `WARNING: ${WHERE} ends in 41 bytes of an interrupted write at byte 95, cut off`
      : `ERROR: ${WHERE} is damaged at byte 95, 41 bytes are kept aside`;
    assertEquals([first.bodies, first.lines.map(withoutReason)], [["a", "bb"], [line]], `bit ${bit}`);
    assertEquals(test.stores.damages, torn ? [] : [`t ${BASE} 95 41`], `bit ${bit}`);
    assertEquals(await test.start(), { bodies: ["a", "bb"], lines: [] }, `bit ${bit}, again`);
  }
});

Deno.test("Topic keeps the last batch aside of which only a part has reached the disk, with zeros behind it", async () => {
  for (let written = 1; written < 41; written++) {
    const image = IMAGE.slice().fill(0, ENDS[2] + written);
    // The last bytes of the batch are the body; a batch without them is not the same.
    const test = await Disk.with(image);

    const { bodies, lines } = await test.start();

    assertEquals([bodies, lines.length, test.stores.damages.length], [["a", "bb"], 1, 1], `${written} bytes`);
    assertEquals(await test.start(), { bodies: ["a", "bb"], lines: [] });
  }
});

Deno.test("Topic keeps every stretch of damage aside, each with a line of its own", async () => {
  const image = unclosed("a", "bb", "ccc", "dddd").image;
  image[ENDS[1] - 1] ^= 1;
  image[ENDS[3] - 1] ^= 1;
  const test = await Disk.with(image);

  const first = await test.start();

  assertEquals(first.bodies, ["bb", "dddd"]);
  assertEquals(first.lines, [
    `ERROR: ${WHERE} is damaged at byte 16, 39 bytes are kept aside - wrong checksum`,
    `ERROR: ${WHERE} is damaged at byte 95, 41 bytes are kept aside - wrong checksum`,
  ]);
  assertEquals(test.stores.damages, [`t ${BASE} 16 39`, `t ${BASE} 95 41`]);
  assertEquals(await test.start(), { bodies: ["bb", "dddd"], lines: [] });
});

Deno.test("Topic tells of damage and of a torn tail of the same segment", async () => {
  const image = IMAGE.slice(0, -1);
  image[ENDS[1] - 1] ^= 1;
  const test = await Disk.with(image);

  const first = await test.start();

  assertEquals(first.bodies, ["bb"]);
  assertEquals(first.lines, [
    `ERROR: ${WHERE} is damaged at byte 16, 39 bytes are kept aside - wrong checksum`,
    `WARNING: ${WHERE} ends in 40 bytes of an interrupted write at byte 95, cut off`,
  ]);
  assertEquals(await test.start(), { bodies: ["bb"], lines: [] });
});

Deno.test("Topic delivers every message of a segment whose file has lost what it begins with", async () => {
  for (const lost of ["a bit", "zeros"]) {
    for (const image of [IMAGE, closedImage("a", "bb", "ccc")]) {
      const test = await Disk.with(lost === "zeros" ? image.slice().fill(0, 0, 16) : flipped(image, 3));

      const first = await test.start();

      assertEquals(first.bodies, ["a", "bb", "ccc"], lost);
      assertEquals(first.lines, [
        `ERROR: ${WHERE} is damaged at byte 0, 16 bytes are kept aside - no batch`,
      ]);
      assertEquals(await test.start(), { bodies: first.bodies, lines: [] });
    }
  }
});

Deno.test("Topic delivers what follows a sector that is lost", async () => {
  const image = unclosed(...Array.from({ length: 40 }, (_, i) => `${i}`.padStart(20, "x"))).image;
  const test = await Disk.with(image.fill(0xff, 0, 512));

  const { bodies, lines } = await test.start();

  // 16 bytes of header and 58 of each message: the ninth is the first that is whole.
  assertEquals(
    bodies.map((body) => Number(body.replaceAll("x", ""))),
    Array.from({ length: 31 }, (_, i) => i + 9),
  );
  assertEquals(lines, [`ERROR: ${WHERE} is damaged at byte 0, 538 bytes are kept aside - no batch`]);
});

Deno.test("Topic sets a segment of another version, or of another name, aside and says so once", async () => {
  for (let bit = 8 * 6; bit < 8 * SEGMENT_HEADER_LENGTH; bit++) {
    const test = await Disk.with(flipped(IMAGE, bit));

    const first = await test.start();

    assertEquals([first.bodies, first.lines.length], [[], 1], `bit ${bit}`);
    assertEquals(
      withoutReason(first.lines[0]),
      `ERROR: ${WHERE} is damaged at byte 0, 136 bytes are kept aside`,
    );
    assertEquals([test.stores.aside, test.size()], [[`t ${BASE}`], undefined], `bit ${bit}`);
    assertEquals(await test.start(), { bodies: [], lines: [] }, `bit ${bit}, again`);
  }
});

Deno.test("Topic sets the file of another program aside, and says so once", async () => {
  const test = await Disk.with(bytes("a file of something else, which is as long as that"));

  const { lines } = await test.start();

  assertEquals(lines, [`ERROR: ${WHERE} is damaged at byte 0, 50 bytes are kept aside - Not a segment file`]);
  assertEquals(await test.start(), { bodies: [], lines: [] });
});

Deno.test("Topic goes on publishing after damage, and delivers what is new", async () => {
  const test = await Disk.with(flipped(IMAGE, 8 * ENDS[1]));
  await test.start({ publish: ["new"] });

  const { bodies, lines } = await test.start();

  assertEquals([bodies, lines], [["a", "ccc", "new"], []]);
});

Deno.test("Topic sets a state aside that it cannot read, and says so once", async () => {
  const test = await Disk.with(IMAGE);
  const store = test.stores.open("t");
  await store.writeState(piecesOf(bytes("NSQSTA and something else")));

  const first = await test.start();

  assertEquals(first, {
    bodies: ["a", "bb", "ccc"],
    lines: [
      "ERROR: TOPIC(t): state of 25 bytes cannot be used, messages may be delivered again" +
      " - State file of version 8289, this program knows 5",
    ],
  });
  assertEquals([test.stores.aside, store.readState()], [["t state"], undefined]);
  assertEquals(await test.start(), { bodies: ["a", "bb", "ccc"], lines: [] });
});

Deno.test("Topic names a segment that the state knows and nobody can find, once", async () => {
  const stores = await stopped(["a", "bb"]);
  const [{ base }] = stores.open("t").list();
  stores.open("t").remove(base);
  const test = new Disk(stores);

  const first = await test.start({ flush: true });

  assertEquals(first, {
    bodies: [],
    lines: [
      `WARNING: TOPIC(t): from segment ${base} on 2 messages are missing - finished since the last flush, or lost`,
    ],
  });
  assertEquals(await test.start(), { bodies: [], lines: [] });
});

Deno.test("Topic has one line for all segments that nobody can find, and delivers the others", async () => {
  const stores = await stopped(["a", "bb"], ["ccc"], ["dddd"], ["eeeee"]);
  const store = stores.open("t");
  const bases = store.list().map(({ base }) => base);
  for (const at of [0, 2]) store.remove(bases[at]);
  const test = new Disk(stores);

  const first = await test.start({ flush: true });

  assertEquals(first, {
    bodies: ["ccc", "eeeee"],
    lines: [
      `WARNING: TOPIC(t): from segment ${
        bases[0]
      } on 3 messages are missing - finished since the last flush, or lost`,
    ],
  });
  assertEquals(await test.start(), { bodies: ["ccc", "eeeee"], lines: [] });
});

Deno.test("Topic misses no segment that was finished and removed before the state was saved", async () => {
  const stores = await stopped(["a"], ["bb"]);
  const broker = testBroker({ stores, durability: "disk" }).broker;
  const topic = broker.recoverTopic("t");
  topic.channel("c");
  topic.start();
  topic.empty();
  topic.channel("c").empty();
  await broker.idle();
  assertEquals(stores.open("t").list(), []);
  await topic.maintain();

  assertEquals(await new Disk(stores).start(), { bodies: [], lines: [] });
});

Deno.test("Topic counts no loss where nothing is lost", async () => {
  assertEquals(await afterStop(() => {}), [0, "a bb ccc dddd eeeee f", []]);
  // Without the closing batch, which is written again.
  assertEquals(await afterStop(cut(ENDS[3])), [0, "a bb ccc dddd eeeee f", []]);
});

Deno.test("Topic counts messages that are missing at the end of a segment which had been closed", async () => {
  // At the end of a batch: one of the three is left.
  assertEquals(await afterStop(cut(ENDS[1])), [2, "a dddd eeeee f", [
    `ERROR: ${WHERE} has lost its end, with 2 messages`,
  ]]);
  // Empty, and its head only.
  for (const length of [0, 7, 16]) {
    assertEquals(await afterStop(cut(length)), [3, "dddd eeeee f", [
      aside(length),
      `ERROR: ${WHERE} has lost its end, with 3 messages`,
    ]]);
  }
});

Deno.test("Topic counts the messages of segments that are not there after a stop in order", async () => {
  const remove = async (store: SegmentStore, bases: readonly number[]) => {
    await store.remove(bases[0]);
    await store.remove(bases[1]);
  };
  const missing = `TOPIC(t): from segment ${BASE} on 4 messages are missing`;

  assertEquals(await afterStop(remove), [4, "eeeee f", [`ERROR: ${missing}`]]);
  // They may have been finished: nobody had the time to write that down.
  assertEquals(await afterStop(remove, { wasStopped: false }), [0, "eeeee f", [`WARNING: ${missing}`]]);
  assertEquals(await afterStop(remove, { state: false }), [0, "eeeee f", []]);
});

Deno.test("Topic counts messages that are damaged", async () => {
  const flip = (length: number) => (store: SegmentStore, [base]: readonly number[]) =>
    replace(store, base, flipped(store.readSync(base).slice(0, length), 8 * ENDS[1]));
  const damaged = `ERROR: ${WHERE} is damaged at byte 55, 40 bytes are kept aside`;

  assertEquals(await afterStop(flip(1e9)), [1, "a ccc dddd eeeee f", [damaged]]);
  // Not closed.
  assertEquals(await afterStop(flip(ENDS[3]), { state: false }), [1, "a ccc dddd eeeee f", [damaged]]);
  // No segment any more.
  assertEquals(
    await afterStop((store, [base]) => replace(store, base, new Uint8Array(200).fill(7))),
    [3, "dddd eeeee f", [aside(200)]],
  );
});

/** What a start of the topic has come to. */
interface Start {
  readonly bodies: string[];
  /** Of the log. */
  readonly lines: string[];
}

/** A store with one segment, on which the program is started again and again; it is killed each time. */
class Disk {
  readonly stores: TestStores;

  constructor(stores: TestStores) {
    this.stores = stores;
  }

  static async with(...parts: readonly Uint8Array[]): Promise<Disk> {
    const stores = new TestStores();
    const image = Uint8Array.from(parts.flatMap((part) => [...part]));
    await stores.open("t").replace(BASE, image, () => true);
    return new Disk(stores);
  }

  /** Starts the program and takes all messages, but finishes none. */
  async start(options: { publish?: readonly string[]; flush?: boolean } = {}): Promise<Start> {
    const { stores } = this;
    const { broker, clock, lines } = testBroker({ stores, durability: "disk" });
    const topic = broker.recoverTopic("t");
    const consumer = new TestConsumer(topic.channel("c"));
    topic.start();
    for (const body of options.publish ?? []) topic.publish(bytes(body));
    for (let i = 0; i < 6; i++) {
      broker.pump(clock.monotonicMs());
      await topic.log.idle();
    }
    assertEquals(consumer.channel.depth + consumer.channel.deferredCount, 0, "depth");
    if (options.flush) await topic.maintain();
    return { bodies: consumer.take(), lines };
  }

  /** Bytes of the segment; undefined when there is none. */
  size(): number | undefined {
    return this.stores.open("t").list()[0]?.size;
  }
}

/**
 * What a program says and delivers that starts on what another has left, which was stopped in order, and on what has become
 * of that since: how many messages are lost, those that are there, and the log.
 */
async function afterStop(
  change: (store: SegmentStore, bases: readonly number[]) => Promise<void> | void,
  { wasStopped = true, state = true }: { wasStopped?: boolean; state?: boolean } = {},
): Promise<[number, string, string[]]> {
  const stores = await stopped(["a", "bb", "ccc"], ["dddd"], ["eeeee", "f"]);
  const store = stores.open("t");
  await change(store, store.list().map(({ base }) => base));
  if (!state) store.setStateAside();
  const test = testBroker({ stores, durability: "disk", wasStopped });
  const topic = test.broker.recoverTopic("t");
  const consumer = new TestConsumer(topic.channel("c"));
  topic.start();
  for (let i = 0; i < 6; i++) {
    test.broker.pump(test.clock.monotonicMs());
    await topic.log.idle();
  }
  return [topic.lostCount, consumer.take().join(" "), test.lines.map(withoutReason)];
}

/** Cuts the first segment off. */
function cut(length: number): (store: SegmentStore, bases: readonly number[]) => void {
  return (store, [base]) => store.truncate(base, length);
}

async function replace(store: SegmentStore, base: number, image: Uint8Array): Promise<void> {
  await store.replace(base, image, () => true);
}

function aside(length: number): string {
  return `ERROR: ${WHERE} is damaged at byte 0, ${length} bytes are kept aside`;
}

/** What a program has left that was stopped in order, with these messages in segments. */
async function stopped(...segments: readonly (readonly string[])[]): Promise<TestStores> {
  const { topic, stores, publish } = testTopic({ durability: "disk" });
  topic.channel("c");
  for (const bodies of segments) {
    publish(...bodies);
    topic.log.seal();
  }
  await topic.close();
  return stores;
}

function unclosed(...bodies: readonly string[]): { base: number; image: Uint8Array } {
  const { topic, stores, clock } = testTopic({ durability: "disk" });
  topic.channel("c");
  for (const body of bodies) {
    topic.publish(bytes(body));
    clock.advance(0.125);
  }
  const [{ base }] = topic.log.segments;
  return { base, image: stores.open("t").readSync(base) };
}

function closedImage(...bodies: readonly string[]): Uint8Array {
  const { topic, stores, publish } = testTopic({ durability: "disk" });
  topic.channel("c");
  publish(...bodies);
  topic.log.seal();
  return stores.open("t").readSync(BASE);
}

function flipped(image: Uint8Array, bit: number): Uint8Array {
  const copy = image.slice();
  copy[bit >> 3] ^= 1 << (bit & 7);
  return copy;
}

function withoutReason(line: string): string {
  return line.replace(/ - .*/, "");
}
