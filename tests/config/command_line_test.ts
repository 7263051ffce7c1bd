import { assertEquals, assertThrows } from "@std/assert";
import { parseCommandLine } from "../../src/config/command_line.ts";
import { bool, int, string, stringList } from "../../src/config/kind.ts";
import { option, OptionError } from "../../src/config/option.ts";

const TABLE = {
  count: option({ flag: "count", kind: int, default: 0, description: "" }),
  name: option({ flag: "name", kind: string, default: "", description: "" }),
  fast: option({ flag: "fast", kind: bool, default: false, description: "" }),
  hosts: option({ flag: "host", kind: stringList, default: [], description: "" }),
};

function valuesOf(...args: string[]): Record<string, readonly string[]> {
  return Object.fromEntries(parseCommandLine(TABLE, args).values);
}

// Forms of a flag

Deno.test("parseCommandLine() takes a value behind an equal sign or as the next argument", () => {
  assertEquals(valuesOf("--count=5", "--name", "x"), { count: ["5"], name: ["x"] });
});

Deno.test("parseCommandLine() takes one dash for two", () => {
  assertEquals(valuesOf("-count=5", "-name", "x", "-fast"), { count: ["5"], name: ["x"], fast: ["true"] });
});

Deno.test("parseCommandLine() takes a next argument that starts with a dash for the value", () => {
  assertEquals(valuesOf("--count", "-1", "--name", "--fast"), { count: ["-1"], name: ["--fast"] });
});

Deno.test("parseCommandLine() takes two dashes for the value where one is due", () => {
  assertEquals(valuesOf("--name", "--", "--fast"), { name: ["--"], fast: ["true"] });
});

Deno.test("parseCommandLine() keeps an empty value", () => {
  assertEquals(valuesOf("--name=", "--host", ""), { name: [""], host: [""] });
});

Deno.test("parseCommandLine() keeps equal signs, line ends and what looks like a number", () => {
  assertEquals(valuesOf("--name=a=b\nc", "--host=007"), { name: ["a=b\nc"], host: ["007"] });
});

Deno.test("parseCommandLine() keeps the text of a bool for its kind to judge", () => {
  assertEquals(valuesOf("--fast=maybe"), { fast: ["maybe"] });
});

Deno.test("parseCommandLine() gathers the values of a repeated flag in their order", () => {
  assertEquals(valuesOf("--host=b", "--count=1", "-host", "a", "--count=2"), {
    count: ["1", "2"],
    host: ["b", "a"],
  });
});

// Where flags end

Deno.test("parseCommandLine() ends at the first argument that is no flag", () => {
  assertEquals(parseCommandLine(TABLE, ["-fast", "false", "--no-such-flag"]), {
    wantsHelp: false,
    values: new Map([["fast", ["true"]]]),
    rest: ["false", "--no-such-flag"],
  });
});

Deno.test("parseCommandLine() ends at two dashes, which are no argument", () => {
  assertEquals(parseCommandLine(TABLE, ["--", "--count=1"]).rest, ["--count=1"]);
});

Deno.test("parseCommandLine() takes a lone dash for an argument", () => {
  assertEquals(parseCommandLine(TABLE, ["-", "--count=1"]).rest, ["-", "--count=1"]);
});

// Help

for (const arg of ["--help", "-help", "-h", "--h", "--help=x"]) {
  Deno.test(`parseCommandLine() takes ${arg} for a question`, () => {
    assertEquals(parseCommandLine(TABLE, ["--count=1", arg, "--no-such-flag"]).wantsHelp, true);
  });
}

// Refusals

for (const arg of ["--no-such-flag", "-no-such-flag=1", "--__proto__=x", "--constructor", "--no-fast"]) {
  Deno.test(`parseCommandLine() refuses ${arg} by its name`, () => {
    const name = arg.replace(/^--?/, "--").replace(/=.*/, "");
    assertThrows(() => parseCommandLine(TABLE, [arg]), OptionError, `Unknown flag: ${name}`);
  });
}

Deno.test("parseCommandLine() names the flag that was meant, if one is near", () => {
  assertThrows(() => parseCommandLine(TABLE, ["--cuont=1"]), OptionError, "did you mean --count?");
  const far = assertThrows(() => parseCommandLine(TABLE, ["--zzzz"]), OptionError);
  assertEquals(far.message, "Unknown flag: --zzzz");
});

for (const arg of ["---count=1", "--=1", "-=1"]) {
  Deno.test(`parseCommandLine() refuses ${arg} as malformed`, () => {
    assertThrows(() => parseCommandLine(TABLE, [arg]), OptionError, `Malformed flag: ${arg}`);
  });
}

Deno.test("parseCommandLine() refuses a flag whose value is missing", () => {
  assertThrows(() => parseCommandLine(TABLE, ["--count"]), OptionError, "Flag --count needs a value");
});
