import { assertEquals } from "@std/assert";
import { Timings } from "../../src/tools/timings.ts";
import { ToolLog } from "../../src/tools/tool_log.ts";

/** The lines that so many messages make, which take 1, 2, 3 … ms, in turns to these destinations. */
async function linesOf(every: number, destinations: readonly string[], count: number): Promise<string[]> {
  let out = "";
  const target = {
    write(bytes: Uint8Array) {
      out += new TextDecoder().decode(bytes);
      return Promise.resolve(bytes.length);
    },
  };
  const log = new ToolLog({ target, isTerminal: false, quiet: false });
  const timings = new Timings(log, every, destinations);
  for (let i = 1; i <= count; i++) timings.add(destinations[i % destinations.length], i);
  await log.flush();
  return out.trimEnd().split("\n").map((line) => line.slice(20));
}

Deno.test("Timings says after so many messages how long they took, as NSQ's tools do", async () => {
  assertEquals(await linesOf(100, ["a"], 250), [
    "[aggregate]: finished 100 - 99th: 100.00ms - 95th: 97.00ms - avg: 50.50ms",
    "[aggregate]: finished 100 - 99th: 200.00ms - 95th: 197.00ms - avg: 150.50ms",
  ]);
});

Deno.test("Timings tells several destinations apart", async () => {
  assertEquals((await linesOf(100, ["a", "b"], 200)).map((line) => line.split(" ", 3).join(" ")), [
    "[aggregate]: finished 100",
    "[b]: finished 100",
    "[aggregate]: finished 100",
    "[a]: finished 100",
  ]);
});

Deno.test("Timings warns where percentiles are of too few", async () => {
  assertEquals(await linesOf(99, ["a"], 0), [
    "Warning: use more than 100 status values for accurate percentiles (configured with 99)",
  ]);
});

Deno.test("Timings says nothing at 0", async () => {
  assertEquals(await linesOf(0, ["a"], 300), [""]);
});
