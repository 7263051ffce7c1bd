import { assertEquals } from "@std/assert";
import { fuzzSegments } from "./segment_fuzz.ts";

/** Takes a second or two; a long campaign is `deno task fuzz`. */
const ROUNDS = 2000;

Deno.test("Segment reads whatever has become of golden files, or says why not", async () => {
  const { rounds, seen } = await fuzzSegments({ seed: 1, rounds: ROUNDS });

  assertEquals(rounds, ROUNDS);
  // It has been everywhere.
  const expected = [
    "refused",
    "whole",
    "closed",
    "closed, with an index",
    "no closing batch",
    "torn: torn batch",
    "torn: torn batch header",
    "damaged: wrong checksum",
    "damaged: no batch",
    "damaged: positions out of order",
    "damaged: messages that do not fill their batch",
    "damaged: attribute longer than its batch",
    "damaged: attributes longer than their batch",
    "damaged: batch of an unknown kind",
  ];
  assertEquals(expected.filter((what) => !seen.has(what)), []);
});
