import { assertEquals, assertThrows } from "@std/assert";
import {
  batchBody,
  getAddress,
  parseHeaders,
  retryAfterMs,
  statusSet,
} from "../../../src/tools/to_http/forms.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("batchBody() puts each message into a line, and line ends in one into JSON", () => {
  const bodies = ['{"a":1}', "text", '{\n "b": 2\n}', "two\nlines"].map(bytesOf);

  assertEquals(textOf(batchBody("ndjson", bodies)), '{"a":1}\ntext\n{"b":2}\n"two\\nlines"\n');
});

Deno.test("batchBody() makes an array of JSON, in which what is no JSON is a string", () => {
  assertEquals(textOf(batchBody("json", ['{"a":1}', "text", "5"].map(bytesOf))), '[{"a":1},"text",5]');
});

Deno.test("getAddress() escapes as Go's url.QueryEscape does", () => {
  assertEquals(
    getAddress("http://h/?a=100%%&m=%s", bytesOf("a b&c/d?é-_.~%s$&")),
    "http://h/?a=100%&m=a+b%26c%2Fd%3F%C3%A9-_.~%25s%24%26",
  );
});

Deno.test("parseHeaders() takes names and values, the last of a name", () => {
  assertEquals(parseHeaders(["X-One: 1", "X-Two:  two words ", "X-Three:a:b", "X-One: 2"]), {
    "X-One": "2",
    "X-Two": "two words",
    "X-Three": "a:b",
  });
});

for (const text of ["nocolon", ": value", "Name:", "Na me: x", "Name: a\r\nOther: b"]) {
  Deno.test(`parseHeaders() refuses ${JSON.stringify(text)}`, () => {
    assertThrows(() => parseHeaders([text]), SyntaxError, "format should be 'Name: value'");
  });
}

for (
  const [value, expected] of [
    ["120", 120_000],
    ["0", 0],
    ["Thu, 01 Jan 1970 00:01:00 GMT", 59_000],
    ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
    ["soon", undefined],
    ["-5", undefined],
    [undefined, undefined],
  ] as const
) {
  Deno.test(`retryAfterMs(${value}) is ${expected}`, () => {
    assertEquals(retryAfterMs(value, 1000), expected);
  });
}

Deno.test("statusSet knows statuses by number and by class", () => {
  const set = statusSet.fromFlag(["400, 5xx"]);

  assertEquals([400, 401, 500, 599, 200].map((status) => set?.has(status)), [true, false, true, true, false]);
});

for (const text of ["abc", "4x", "600", "400,"]) {
  Deno.test(`statusSet refuses ${text}`, () => {
    assertThrows(() => statusSet.fromFlag([text]), SyntaxError, "must be statuses such as 400,422 or 4xx");
  });
}
