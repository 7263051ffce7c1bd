import { assert, assertEquals } from "@std/assert";
import type { Page } from "../../src/broker/page.ts";
import { PageList } from "../../src/broker/page_list.ts";

Deno.test("PageList finds the page of a position and of a segment, and none where there is none", () => {
  const pages = listOf([10, 5], [20, 5], [30, 5]);

  assertEquals([10, 14, 20, 34].map((position) => pages.at(position)?.segment.base), [10, 10, 20, 30]);
  assertEquals([0, 9, 15, 19, 35].map((position) => pages.at(position)), Array(5).fill(undefined));
  assertEquals([10, 20, 11].map((base) => pages.of(base)?.segment.base), [10, 20, undefined]);
});

Deno.test("PageList keeps the order of positions, whatever the order in which pages come and go", () => {
  const pages = listOf([30, 5], [10, 5], [20, 5]);
  const bases = () => pages.all.map(({ segment }) => segment.base);
  assertEquals(bases(), [10, 20, 30]);

  for (const base of [20, 10]) {
    const page = pages.at(base);
    if (page) pages.remove(page);
    assertEquals(pages.at(base), undefined);
  }
  pages.add(pageAt(25, 5));

  assertEquals(bases(), [25, 30]);
});

Deno.test("PageList looks at few of many pages to find one, and at one to find what is in the same", () => {
  const looked = new Set<number>();
  const pages = new PageList();
  for (let i = 0; i < 100_000; i++) pages.add(pageAt(10 * i, 10, () => looked.add(i)));
  looked.clear();

  assertEquals(pages.at(777_777)?.segment.base, 777_770);
  assert(looked.size <= 17, `${looked.size} looked at`);
  looked.clear();
  assertEquals(pages.at(777_778)?.segment.base, 777_770);

  assertEquals([...looked], [77_777]);
});

function listOf(...segments: readonly (readonly [base: number, count: number])[]): PageList {
  const pages = new PageList();
  for (const [base, count] of segments) pages.add(pageAt(base, count));
  return pages;
}

/** As much of a page as the list uses; `onLook` is called when its segment is asked for. */
function pageAt(base: number, count: number, onLook: () => void = () => {}): Page {
  const page = {
    get segment() {
      onLook();
      return { base, end: base + count };
    },
  };
  return page as unknown as Page;
}
