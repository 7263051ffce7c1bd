import { assertEquals } from "@std/assert";
import { Seldom } from "../../src/base/seldom.ts";

Deno.test("Seldom says the first at once, and then one a second, with the number of those left out", () => {
  const said: string[] = [];
  let nowMs = 0;
  const seldom = new Seldom((text) => said.push(text), () => nowMs);
  const sayAt = (ms: number, text: string) => {
    nowMs = ms;
    seldom.say(text);
  };

  sayAt(0, "a");
  sayAt(0, "b");
  sayAt(999, "c");
  sayAt(1000, "d");
  sayAt(1001, "e");
  sayAt(5000, "f");
  sayAt(6000, "g");

  assertEquals(said, ["a", "d (and 2 more like it before)", "f (and 1 more like it before)", "g"]);
});
