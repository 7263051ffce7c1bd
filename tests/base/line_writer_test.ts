import { assertEquals } from "@std/assert";
import { LineWriter, type LineWriterOptions } from "../../src/base/line_writer.ts";
import { TestTarget } from "../support/byte_target.ts";
import { settle } from "../support/settle.ts";

function writerTo(target: TestTarget, options: Partial<LineWriterOptions> = {}): LineWriter {
  return new LineWriter({ target, droppedLine: (count) => `(${count} dropped)`, ...options });
}

function write(writer: LineWriter, ...lines: readonly string[]): void {
  for (const line of lines) writer.write(line);
}

Deno.test("LineWriter.write() sends the lines of one turn in one write", async () => {
  const target = new TestTarget();
  const writer = writerTo(target);

  write(writer, "one", "zwei é \u{1f600}", "");
  await settle();

  assertEquals(target.offered, "one\nzwei é \u{1f600}\n\n");
  target.takeAll();
  assertEquals(await writer.flush(1000), true);
});

Deno.test("LineWriter.write() does not wait for a target that takes nothing, and loses no line in its buffer", async () => {
  const target = new TestTarget();
  const writer = writerTo(target);

  write(writer, "one");
  await settle();
  write(writer, "two", "three");
  await settle();
  target.takeAll();
  await writer.flush(1000);

  assertEquals(target.text, "one\ntwo\nthree\n");
});

Deno.test("LineWriter.write() goes on where a write has taken a part only", async () => {
  const target = new TestTarget();
  const writer = writerTo(target);

  write(writer, "one", "two");
  await settle();
  target.take({ bytes: 2 });
  await settle();
  target.takeAll();
  await writer.flush(1000);

  assertEquals(target.text, "one\ntwo\n");
});

// Of "aaa", "bbb" and "cc", each with its line end.
const BY_ROOM: readonly (readonly [bytesMax: number, written: string])[] = [
  [7, "aaa\n(2)\n"],
  [8, "aaa\nbbb\n(1)\n"],
  [10, "aaa\nbbb\n(1)\n"],
  [11, "aaa\nbbb\ncc\n"],
];

for (const [bytesMax, written] of BY_ROOM) {
  Deno.test(`LineWriter.write() keeps lines of 4, 4 and 3 bytes as far as there is room for ${bytesMax}`, async () => {
    const target = new TestTarget();
    const writer = writerTo(target, { bytesMax, droppedLine: (count) => `(${count})` });

    write(writer, "aaa", "bbb", "cc");
    await settle();
    target.takeAll();
    await writer.flush(1000);

    assertEquals(target.text, written);
  });
}

Deno.test("LineWriter.write() counts what is being written against the room", async () => {
  const target = new TestTarget();
  const writer = writerTo(target, { bytesMax: 8, droppedLine: (count) => `(${count})` });

  write(writer, "aaa");
  await settle();
  write(writer, "bbb", "c");
  target.takeAll();
  await writer.flush(1000);

  assertEquals(target.text, "aaa\nbbb\n(1)\n");
});

Deno.test("LineWriter.write() drops all lines of a gap, and says how many before the next one", async () => {
  const target = new TestTarget();
  const writer = writerTo(target, { bytesMax: 32 });

  write(writer, "a".repeat(20), "b".repeat(20), "c", "d");
  assertEquals(writer.dropped, 3);
  target.takeAll();
  await writer.flush(1000);
  write(writer, "e");
  await writer.flush(1000);

  assertEquals(target.text, `${"a".repeat(20)}\n(3 dropped)\ne\n`);
  assertEquals(writer.dropped, 0);
});

Deno.test("LineWriter.write() drops and counts what a target refuses, and says so when it works again", async () => {
  const target = new TestTarget();
  const changes: unknown[] = [];
  const writer = writerTo(target, { onChange: (error) => changes.push(error) });
  const full = new Deno.errors.NotFound("disk full");

  write(writer, "one", "two");
  await settle();
  target.take({ error: full });
  await writer.flush(1000);
  write(writer, "three");
  await settle();
  assertEquals(target.offered, "(2 dropped)\nthree\n");
  target.take({ error: full });
  await writer.flush(1000);
  write(writer, "four");
  target.open = true;
  await writer.flush(1000);

  assertEquals(target.text, "(3 dropped)\nfour\n");
  assertEquals(changes, [full, undefined]);
});

Deno.test("LineWriter.write() ends a line that was written in part before anything else", async () => {
  const target = new TestTarget();
  const writer = writerTo(target);

  write(writer, "one", "two");
  await settle();
  target.take({ bytes: 6 });
  await settle();
  target.take({ error: new Deno.errors.BrokenPipe() });
  await writer.flush(1000);
  write(writer, "three");
  target.open = true;
  await writer.flush(1000);

  assertEquals(target.text, "one\ntw\n(1 dropped)\nthree\n");
});

Deno.test("LineWriter.write() tries again where somebody has made the target non-blocking", async () => {
  const target = new TestTarget();
  const writer = writerTo(target);

  write(writer, "one");
  await settle();
  target.take({ error: new Deno.errors.WouldBlock() });
  target.open = true;
  await writer.flush(1000);

  assertEquals(target.text, "one\n");
});

Deno.test("LineWriter.flush() gives up when the target takes nothing in time", async () => {
  const target = new TestTarget();
  const writer = writerTo(target);

  write(writer, "one");

  assertEquals(await writer.flush(1), false);
  target.takeAll();
});

Deno.test("LineWriter.redirect() lets what comes next go to another target", async () => {
  const [old, next] = [new TestTarget(), new TestTarget()];
  const writer = writerTo(old);
  next.open = true;

  write(writer, "one");
  await settle();
  let isOver = false;
  const redirected = writer.redirect(next).then(() => isOver = true);
  write(writer, "two");
  await settle();
  assertEquals(isOver, false);
  old.takeAll();
  await redirected;
  await writer.flush(1000);

  assertEquals([old.text, next.text], ["one\n", "two\n"]);
});
