import { assert, assertEquals } from "@std/assert";
import { fuzzCompressed } from "./compressed_fuzz.ts";

/** Takes a second or two. */
const ROUNDS = 1000;

Deno.test("Session ends with a broken compressed stream, never fails otherwise, and others go on", async () => {
  const { rounds, frames, reasons } = await fuzzCompressed({ seed: 1, rounds: ROUNDS });

  assertEquals(rounds, ROUNDS);
  // The streams lead deep enough to be of use.
  assert(frames > ROUNDS, `only ${frames} frames`);
  const expected = ["no stream identifier", "wrong checksum", "corrupt block", "invalid block type"];
  assertEquals(expected.filter((reason) => !reasons.has(reason)), []);
});
