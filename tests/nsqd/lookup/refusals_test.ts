import { assertEquals } from "@std/assert";
import { LONGEST_WAIT, Refusals } from "../../../src/nsqd/lookup/refusals.ts";

const EXISTS = () => true;

Deno.test("Refusals.add() lets a name wait twice as long each time, but not longer than an hour of heartbeats", () => {
  const refusals = new Refusals();

  const waits = Array.from({ length: 8 }, () => refusals.add("t", "E_INVALID full"));

  assertEquals(waits, [4, 8, 16, 32, 64, 128, 240, 240]);
  assertEquals(LONGEST_WAIT * 15, 60 * 60);
});

Deno.test("Refusals.heartbeat() returns a name when its wait is over, and again until it is accepted or refused", () => {
  const refusals = new Refusals();
  refusals.add("t", "E_INVALID full");

  const due = Array.from({ length: 5 }, () => refusals.heartbeat(EXISTS));
  assertEquals(refusals.remove("t"), true);

  assertEquals(due, [[], [], [], ["t"], ["t"]]);
  assertEquals([refusals.has("t"), refusals.remove("t"), refusals.heartbeat(EXISTS)], [false, false, []]);
});

Deno.test("Refusals.heartbeat() forgets names that are no more", () => {
  const refusals = new Refusals();
  refusals.add("t", "E_INVALID full");
  refusals.add("u", "E_BAD_TOPIC");

  refusals.heartbeat((name) => name !== "t" && name !== "u");

  assertEquals([refusals.has("t"), refusals.has("u")], [false, false]);
});

for (
  const [answer, isForGood] of [["E_BAD_TOPIC x", true], ["E_BAD_CHANNEL x", true], [
    "E_BAD_BODY x",
    false,
  ]] as const
) {
  Deno.test(`Refusals.add() of a name that was refused with "${answer}" is ${isForGood ? "" : "not "}for good`, () => {
    assertEquals(new Refusals().add("t", answer) === Infinity, isForGood);
  });
}
