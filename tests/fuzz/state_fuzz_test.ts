import { assertEquals } from "@std/assert";
import { fuzzStates } from "./state_fuzz.ts";

/** Takes a second or two; a long campaign is `deno task fuzz`. */
const ROUNDS = 5000;

Deno.test("decodeTopicState() reads whatever has become of golden files, or says why not", async () => {
  const { rounds, seen } = await fuzzStates({ seed: 1, rounds: ROUNDS });

  assertEquals(rounds, ROUNDS);
  // It has been everywhere.
  const expected = [
    "read version 3",
    "read version 4",
    "refused: Not a state file",
    "refused: Wrong checksum",
    "refused: State file ends too early",
    "refused: State file without an end",
    "refused: State file of version #, this program knows 5",
    "refused: Number out of range",
    "refused: Segments that overlap",
  ];
  assertEquals(expected.filter((what) => !seen.has(what)), []);
});
