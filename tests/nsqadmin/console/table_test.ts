import { assertEquals } from "@std/assert";
import { type Columns, PAGE_ROWS, tablePart, tableView } from "../../../src/nsqadmin/console/table.ts";
import { CountedSlice } from "../../support/counted_slice.ts";

interface Row {
  readonly name: string;
  readonly depth: number;
}

const COLUMNS: Columns<Row> = { name: ({ name }) => name, depth: ({ depth }) => depth };
const ROWS: readonly Row[] = [
  { name: "b", depth: 2 },
  { name: "Ab", depth: 2 },
  { name: "c", depth: 10 },
];

/** The names that a query shows of rows. */
async function shown(query: Record<string, string>, rows: readonly Row[] = ROWS) {
  const view = tableView(new Map(Object.entries(query)), COLUMNS);
  const part = await tablePart(rows, view, { columns: COLUMNS, nameOf: ({ name }) => name });
  const { all, ...shown } = part;
  return {
    ...shown,
    rows: part.rows.map(({ name }) => name),
    found: part.found.length,
    countInAll: all.length,
  };
}

Deno.test("tablePart() sorts by the first column, or by the one that is asked for, and then by name", async () => {
  assertEquals((await shown({})).rows, ["Ab", "b", "c"]);
  assertEquals((await shown({ sort: "-name" })).rows, ["c", "b", "Ab"]);
  assertEquals((await shown({ sort: "depth" })).rows, ["Ab", "b", "c"]);
  assertEquals((await shown({ sort: "-depth" })).rows, ["c", "Ab", "b"]);
});

for (const sort of ["nope", "", "-", "toString", "__proto__", "--depth"]) {
  Deno.test(`tableView() sorts by the first column when ${JSON.stringify(sort)} is asked for`, () => {
    assertEquals(tableView(new Map([["sort", sort]]), COLUMNS).sort, "name");
  });
}

Deno.test("tablePart() shows what the filter is a part of, in any case", async () => {
  assertEquals(await shown({ filter: "B" }), {
    rows: ["Ab", "b"],
    found: 2,
    count: 2,
    countInAll: 3,
    page: 1,
    pages: 1,
  });
  assertEquals(await shown({ filter: "none" }), {
    rows: [],
    found: 0,
    count: 0,
    countInAll: 3,
    page: 1,
    pages: 1,
  });
});

Deno.test("tablePart() shows a page at a time, and the last one for those behind it", async () => {
  const rows = Array.from(
    { length: PAGE_ROWS + 1 },
    (_, i) => ({ name: String(i).padStart(4, "0"), depth: 0 }),
  );

  assertEquals((await shown({}, rows.slice(1))).pages, 1);
  assertEquals([(await shown({}, rows)).rows.length, (await shown({}, rows)).pages], [PAGE_ROWS, 2]);
  assertEquals((await shown({}, rows)).found, PAGE_ROWS + 1);
  assertEquals((await shown({ page: "2" }, rows)).rows, ["0100"]);
  assertEquals([(await shown({ page: "99" }, rows)).page, (await shown({ page: "99" }, rows)).rows], [2, [
    "0100",
  ]]);
});

for (const page of ["", "0", "-1", "1.5", "x", "1e400"]) {
  Deno.test(`tableView() shows the first page for page=${page}`, () => {
    assertEquals(tableView(new Map([["page", page]]), COLUMNS).page, 1);
  });
}

Deno.test("tablePart() leaves others their turns, however many rows there are", async () => {
  const rows = Array.from({ length: 2000 }, (_, i) => ({ name: String(i), depth: i }));
  const view = tableView(new Map(), COLUMNS);
  const slice = new CountedSlice();

  const { found } = await tablePart(rows, view, { columns: COLUMNS, nameOf: ({ name }) => name }, slice);

  assertEquals([found.length, slice.turns >= 2000], [2000, true]);
});
