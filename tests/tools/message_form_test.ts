import { assertEquals, assertThrows } from "@std/assert";
import { Output } from "../../src/net/output.ts";
import { jsonForm, type MessageFields, type MessageForm, parseFormat } from "../../src/tools/message_form.ts";

const MESSAGE: MessageFields = {
  topic: "orders",
  channel: "billing",
  node: "127.0.0.1:4150",
  id: "0123456789abcdef",
  attempts: 3,
  timestampNs: 1_700_000_000_123_456_789n,
  body: new TextEncoder().encode('{"user":{"id":5,"name":"Ann"},"tags":["a","b"]}'),
};

function bytesOf(form: MessageForm, message: Partial<MessageFields> = {}): Uint8Array {
  const output = new Output();
  form({ ...MESSAGE, ...message }, output);
  return output.take().slice();
}

function textOf(format: string, message: Partial<MessageFields> = {}): string {
  return new TextDecoder().decode(bytesOf(parseFormat(format), message));
}

for (
  const [format, text] of [
    ["%t/%c %i %a %n", "orders/billing 0123456789abcdef 3 127.0.0.1:4150"],
    ["%d", "2023-11-14T22:13:20.123456789Z"],
    ["%d{rfc3339}", "2023-11-14T22:13:20.123456789Z"],
    ["%d{ns} %d{us} %d{ms} %d{s}", "1700000000123456789 1700000000123456 1700000000123 1700000000"],
    [
      "%d{%Y/%m/%d %H-%M-%S.%L %N %s %F %T %%}",
      "2023/11/14 22-13-20.123 123456789 1700000000 2023-11-14 22:13:20 %",
    ],
    ["%V bytes", "47 bytes"],
    ["%k{.user.name} %k{.user.id} %k{tags} %k{.tags[1]} %k{.none}|", 'Ann 5 ["a","b"] b |'],
    ["100%% \\t\\r\\\\ \\x41 ü", "100% \t\r\\ A ü"],
    ["", ""],
  ]
) {
  Deno.test(`parseFormat() reads ${JSON.stringify(format)}`, () => {
    assertEquals(textOf(format), text);
  });
}

Deno.test("parseFormat() knows bodies as they are, in hexadecimal, base64 and JSON", () => {
  const body = Uint8Array.of(0, 34, 255);

  assertEquals([...bytesOf(parseFormat("%v\\0"), { body })], [0, 34, 255, 0]);
  assertEquals(textOf("%v{hex} %v{base64} %v{json}", { body }), '0022ff ACL/ "\\u0000\\"\ufffd"');
});

Deno.test("parseFormat() knows lengths as numbers of bytes", () => {
  const body = new Uint8Array(258);

  assertEquals([...bytesOf(parseFormat("%V{big4}"), { body })], [0, 0, 1, 2]);
  assertEquals([...bytesOf(parseFormat("%V{little4}"), { body })], [2, 1, 0, 0]);
  assertEquals([...bytesOf(parseFormat("%V{big8}"), { body })], [0, 0, 0, 0, 0, 0, 1, 2]);
});

for (
  const [format, problem] of [
    ["%q", "has the unknown token %q; there is: %t %c %n %i %a %d %v %V %k{.path} %%"],
    ["%", "has the unknown token %; there is: %t %c %n %i %a %d %v %V %k{.path} %%"],
    ["%v{rot13}", "has the unknown form %v{rot13}; there is: {hex} {base64} {json}"],
    ["%t{hex}", "has the unknown form %t{hex}; there is: {json}"],
    ["%d{day}", "has the unknown form %d; there is: {ns} {us} {ms} {s} {rfc3339} {%Y-%m-%d}"],
    ["%d{%Q}", "has the unknown time %Q; there is: %Y %m %d %H %M %S %L %N %s %F %T %%"],
    ["%k", "has %k without a path: %k{.name}"],
    ["%k{.a b}", 'not a path into JSON: ".a b"'],
    ["\\q", "has the unknown escape \\q; write \\\\ for a backslash"],
    ["\\", "has the unknown escape \\; write \\\\ for a backslash"],
  ]
) {
  Deno.test(`parseFormat() refuses ${JSON.stringify(format)}`, () => {
    assertEquals(assertThrows(() => parseFormat(format), SyntaxError).message, problem);
  });
}

Deno.test("jsonForm writes an object in a line", () => {
  assertEquals(JSON.parse(new TextDecoder().decode(bytesOf(jsonForm))), {
    topic: "orders",
    channel: "billing",
    id: "0123456789abcdef",
    timestamp: "1700000000123456789",
    attempts: 3,
    node: "127.0.0.1:4150",
    body: '{"user":{"id":5,"name":"Ann"},"tags":["a","b"]}',
  });
});

Deno.test("jsonForm writes a body that is no UTF-8 as base64", () => {
  const { body, body_base64 } = JSON.parse(
    new TextDecoder().decode(bytesOf(jsonForm, { body: Uint8Array.of(255, 10) })),
  );

  assertEquals([body, body_base64], [undefined, "/wo="]);
});
