import { assertEquals } from "@std/assert";
import { csvText } from "../../src/nsqadmin/csv.ts";

Deno.test("csvText() quotes what separates cells, and takes from texts what would be a formula", () => {
  const text = csvText([["a", "b"], [1, 'say "hi", then\ngo'], [-1, undefined], ["=1+1", "@x"], [
    "-t",
    "+t",
  ]]);

  assertEquals(text, `a,b\r\n1,"say ""hi"", then\ngo"\r\n-1,\r\n'=1+1,'@x\r\n'-t,'+t\r\n`);
});
