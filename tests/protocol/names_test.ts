import { assertEquals } from "@std/assert";
import { isEphemeral, isValidChannelName, isValidTopicName } from "../../src/protocol/names.ts";

const VALID: readonly string[] = [
  "a",
  "test",
  "Test-1.2_3",
  "0",
  "...",
  "-",
  "test#ephemeral",
  "a".repeat(63),
  "a".repeat(64),
  "a".repeat(54) + "#ephemeral",
];

const INVALID: readonly string[] = [
  "",
  "a".repeat(65),
  "a".repeat(55) + "#ephemeral",
  "#ephemeral",
  "test#",
  "test#Ephemeral",
  "test#ephemeral ",
  "test#ephemeral#ephemeral",
  "te#ephemeralst",
  "a b",
  " a",
  "a\n",
  "\na",
  "a/b",
  "a:b",
  "ä",
  "a\0",
];

for (const name of VALID) {
  Deno.test(`isValidTopicName() and isValidChannelName() accept ${JSON.stringify(name)}`, () => {
    assertEquals([isValidTopicName(name), isValidChannelName(name)], [true, true]);
  });
}

for (const name of INVALID) {
  Deno.test(`isValidTopicName() and isValidChannelName() refuse ${JSON.stringify(name)}`, () => {
    assertEquals([isValidTopicName(name), isValidChannelName(name)], [false, false]);
  });
}

Deno.test("isEphemeral() is about the end of the name", () => {
  assertEquals(["t#ephemeral", "ephemeral", "t#ephemeralx", "t"].map(isEphemeral), [
    true,
    false,
    false,
    false,
  ]);
});
