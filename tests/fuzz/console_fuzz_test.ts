import { assertEquals } from "@std/assert";
import { fuzzConsole } from "./console_fuzz.ts";

/** Takes a second or two; a long campaign is `deno task fuzz`. */
const ROUNDS = 60;

Deno.test("Pages are sound whatever daemons and browsers say", async () => {
  const { rounds, seen } = await fuzzConsole({ seed: 1, rounds: ROUNDS });

  assertEquals(rounds, ROUNDS);
  // It has been everywhere.
  const expected = ["GET 200", "GET 400", "GET 404", "POST 200", "POST 303", "POST 400", "POST 502"];
  assertEquals(expected.filter((what) => !seen.has(what)), []);
});
