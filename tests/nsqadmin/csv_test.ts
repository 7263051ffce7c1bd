import { assertEquals } from "@std/assert";
import { csvLines } from "../../src/nsqadmin/csv.ts";

Deno.test("csvLines() quotes what separates cells, and takes from texts what would be a formula", () => {
  const text = Array.from(csvLines([
    ["a", "b"],
    [1, 'say "hi", then\ngo'],
    [-1, undefined],
    ["=1+1", "@x"],
    ["-t", "+t"],
    [Infinity, true],
  ])).join("");

  assertEquals(text, `a,b\r\n1,"say ""hi"", then\ngo"\r\n-1,\r\n'=1+1,'@x\r\n'-t,'+t\r\n,true\r\n`);
});
