import { assertEquals } from "@std/assert";
import { FINISHED, Page, UNTOUCHED } from "../../src/broker/page.ts";
import { Segment } from "../../src/log/segment.ts";
import { Random } from "../support/random.ts";

Deno.test("Page begins without messages where the channel begins", () => {
  const page = new Page(emptySegment(), 7);

  assertEquals([page.start, page.end, page.next], [7, 7, 7]);
  assertEquals([page.unfinished, page.waiting], [0, 0]);
});

Deno.test("Page counts every message as waiting and unfinished that nothing was said of", () => {
  const page = pageOf(7, 107);

  assertEquals([page.unfinished, page.waiting, page.state(7), page.state(106)], [
    100,
    100,
    UNTOUCHED,
    UNTOUCHED,
  ]);
});

Deno.test("Page.setState() takes a message out of those that wait, once", () => {
  const page = pageOf(0, 40);

  page.setState(39, 5);
  page.setState(39, 6);

  assertEquals([page.waiting, page.unfinished, page.state(39), page.state(38)], [39, 40, 6, UNTOUCHED]);
});

Deno.test("Page.finish() counts a message as finished, whether it waited or not", () => {
  const page = pageOf(0, 4);
  page.setState(3, 5);

  page.finish(3);
  page.finish(1);

  assertEquals([page.state(3), page.state(1)], [FINISHED, FINISHED]);
  assertEquals([page.waiting, page.unfinished], [2, 2]);
});

Deno.test("Page.skip() moves the cursor over a message that does not wait", () => {
  const page = pageOf(0, 4);
  page.finish(0);

  page.skip();

  assertEquals([page.next, page.waiting], [1, 3]);
});

Deno.test("Page does not count messages behind the cursor as waiting, whatever becomes of them", () => {
  const page = pageOf(0, 4);

  page.next = 2;
  page.setState(0, 1);
  page.finish(1);

  assertEquals([page.waiting, page.unfinished], [2, 3]);
});

Deno.test("Page.slots() gives the slots of what is outstanding, in order", () => {
  const page = pageOf(10, 50);
  for (const [index, slot] of [[45, 3], [12, 0], [20, 7]]) page.setState(index, slot + 1);
  page.finish(30);

  assertEquals([...page.slots()], [0, 7, 3]);
});

Deno.test("Page keeps what an array for every message would keep", () => {
  for (let seed = 0; seed < 20; seed++) {
    const random = new Random(seed);
    const page = new Page(emptySegment(), 5);
    const naive: number[] = [];
    for (let i = 0; i < 300; i++) {
      if (naive.length < 3 || random.oneIn(4)) {
        naive.push(UNTOUCHED);
        page.end++;
      }
      const at = random.below(naive.length);
      if (naive[at] === FINISHED) continue;
      if (random.oneIn(2)) {
        naive[at] = FINISHED;
        page.finish(5 + at);
      } else {
        naive[at] = 1 + random.below(1000);
        page.setState(5 + at, naive[at]);
      }
      while (page.next < page.end && page.state(page.next) !== UNTOUCHED) page.skip();
    }
    const waiting = naive.filter((state, i) => state === UNTOUCHED && 5 + i >= page.next);
    assertEquals(naive.map((_, i) => page.state(5 + i)), naive, `seed ${seed}`);
    assertEquals(page.waiting, waiting.length, `seed ${seed}`);
    assertEquals(page.unfinished, naive.filter((state) => state !== FINISHED).length, `seed ${seed}`);
  }
});

function emptySegment(): Segment {
  return new Segment({ base: 1000, capacityBytes: 0, stored: false });
}

function pageOf(start: number, end: number): Page {
  const page = new Page(emptySegment(), start);
  page.end = end;
  return page;
}
