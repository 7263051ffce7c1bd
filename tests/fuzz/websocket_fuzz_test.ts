import { assert, assertEquals } from "@std/assert";
import { fuzzWebSockets } from "./websocket_fuzz.ts";

/** Takes a second or two. */
const ROUNDS = 1000;

Deno.test("WebSocketConnection reads what is sound as it is, and ends with whatever is broken", async () => {
  const { rounds, seen } = await fuzzWebSockets({ seed: 1, rounds: ROUNDS });

  assertEquals(rounds, ROUNDS);
  // The frames lead deep enough to be of use.
  assert(seen.size >= 6, [...seen].join("\n"));
});
