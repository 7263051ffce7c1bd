import { assertEquals } from "@std/assert";
import { type Columns, PAGE_ROWS, tablePart, tableView } from "../../../src/nsqadmin/console/table.ts";

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
function shown(query: Record<string, string>, rows: readonly Row[] = ROWS) {
  const view = tableView(new Map(Object.entries(query)), COLUMNS);
  const part = tablePart(rows, view, { columns: COLUMNS, nameOf: ({ name }) => name });
  return { ...part, rows: part.rows.map(({ name }) => name), found: part.found.length };
}

Deno.test("tablePart() sorts by the first column, or by the one that is asked for, and then by name", () => {
  assertEquals(shown({}).rows, ["Ab", "b", "c"]);
  assertEquals(shown({ sort: "-name" }).rows, ["c", "b", "Ab"]);
  assertEquals(shown({ sort: "depth" }).rows, ["Ab", "b", "c"]);
  assertEquals(shown({ sort: "-depth" }).rows, ["c", "Ab", "b"]);
});

for (const sort of ["nope", "", "-", "toString", "__proto__", "--depth"]) {
  Deno.test(`tableView() sorts by the first column when ${JSON.stringify(sort)} is asked for`, () => {
    assertEquals(tableView(new Map([["sort", sort]]), COLUMNS).sort, "name");
  });
}

Deno.test("tablePart() shows what the filter is a part of, in any case", () => {
  assertEquals(shown({ filter: "B" }), {
    rows: ["Ab", "b"],
    found: 2,
    count: 2,
    countInAll: 3,
    page: 1,
    pages: 1,
  });
  assertEquals(shown({ filter: "none" }), { rows: [], found: 0, count: 0, countInAll: 3, page: 1, pages: 1 });
});

Deno.test("tablePart() shows a page at a time, and the last one for those behind it", () => {
  const rows = Array.from(
    { length: PAGE_ROWS + 1 },
    (_, i) => ({ name: String(i).padStart(4, "0"), depth: 0 }),
  );

  assertEquals(shown({}, rows.slice(1)).pages, 1);
  assertEquals([shown({}, rows).rows.length, shown({}, rows).pages], [PAGE_ROWS, 2]);
  assertEquals(shown({}, rows).found, PAGE_ROWS + 1);
  assertEquals(shown({ page: "2" }, rows).rows, ["0100"]);
  assertEquals([shown({ page: "99" }, rows).page, shown({ page: "99" }, rows).rows], [2, ["0100"]]);
});

for (const page of ["", "0", "-1", "1.5", "x", "1e400"]) {
  Deno.test(`tableView() shows the first page for page=${page}`, () => {
    assertEquals(tableView(new Map([["page", page]]), COLUMNS).page, 1);
  });
}
