import { assert, assertEquals } from "@std/assert";
import { fuzz } from "./command_reader_fuzz.ts";

/** Takes a second or two; a long campaign is `deno task fuzz`. */
const ROUNDS = 200;

Deno.test("Session answers random streams the same however they are cut, and never fails otherwise", async () => {
  const report = await fuzz({ seed: 1, rounds: ROUNDS });

  assertEquals(report.rounds, ROUNDS);
  // The streams lead deep enough to be of use.
  assert(report.frames > ROUNDS, `only ${report.frames} frames`);
  const codes = ["E_BAD_BODY", "E_BAD_MESSAGE", "E_BAD_PROTOCOL", "E_BAD_TOPIC", "E_FIN_FAILED", "E_INVALID"];
  assertEquals(codes.filter((code) => !report.codes.has(code)), []);
});
