/**
 * Guards the hand-written types of `@std` (src/base/std.d.ts). Were they lost, every one of these imports would be
 * `any`, all wrong uses would pass the type check, and each `@ts-expect-error` below would fail it as unused.
 *
 * @module
 */

import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";
import { STATUS_TEXT } from "@std/http/status";
import { LimitedBytesTransformStream, TextLineStream, toBytes } from "@std/streams";
import { parse } from "@std/toml";

/** Wrong uses, a line each; never called. */
export function wrongUses(stream: ReadableStream<Uint8Array>): unknown[] {
  return [
    // @ts-expect-error needs two arguments
    assertEquals(1),
    // @ts-expect-error the second is a class
    assertThrows(() => {}, "Error"),
    // @ts-expect-error the first is a list
    parseArgs("--verbose"),
    // @ts-expect-error a status is a number
    STATUS_TEXT["OK"],
    // @ts-expect-error the result is a promise of bytes
    toBytes(stream).length,
    // @ts-expect-error the limit is a number
    new LimitedBytesTransformStream("1"),
    // @ts-expect-error there is no such option
    new TextLineStream({ keepCR: true }),
    // @ts-expect-error the value may be anything
    parse("x = 1").x.length,
  ];
}

Deno.test("@std/toml parse() and @std/http STATUS_TEXT are what their types say", () => {
  assertEquals(parse('x = 1\ny = "z"'), { x: 1, y: "z" });
  assertEquals(STATUS_TEXT[404], "Not Found");
});

Deno.test("@std/cli parseArgs() gives what its type says", () => {
  const parsed = parseArgs(["--x=1", "--", "y"], { "--": true, string: ["x"] });

  assertEquals(parsed, { _: [], x: "1", "--": ["y"] });
});

Deno.test("@std/streams toBytes() and LimitedBytesTransformStream give what their types say", async () => {
  const limited = ReadableStream.from([Uint8Array.of(1, 2), Uint8Array.of(3, 4)])
    .pipeThrough(new LimitedBytesTransformStream(3));

  assertEquals(await toBytes(limited), Uint8Array.of(1, 2));
});

Deno.test("@std/streams TextLineStream gives what its type says", async () => {
  const lines = ReadableStream.from(["a\nb", "c\n"]).pipeThrough(new TextLineStream());

  assertEquals(await Array.fromAsync(lines), ["a", "bc"]);
});

Deno.test("@std/assert AssertionError is what failed assertions throw", () => {
  const error = assertThrows(() => assertEquals(1, 2));

  assertInstanceOf(error, Error);
  assertEquals(error.name, "AssertionError");
});
