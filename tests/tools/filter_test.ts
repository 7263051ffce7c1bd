import { assertEquals, assertThrows } from "@std/assert";
import { grep, parseFilter } from "../../src/tools/filter.ts";
import type { MessageFields } from "../../src/tools/message_form.ts";

function message(body: string | Uint8Array): MessageFields {
  return {
    topic: "orders",
    channel: "billing",
    node: "127.0.0.1:4150",
    id: "0123456789abcdef",
    attempts: 3,
    timestampNs: 1_700_000_000_123_456_789n,
    body: typeof body === "string" ? new TextEncoder().encode(body) : body,
  };
}

const ORDER = message('{"user":{"id":5,"name":"Ann"},"tags":["a","b"],"paid":false,"note":null,"a key":1}');

for (
  const [expression, expected] of [
    [".user.id == 5", true],
    [".user.id == 5.0", true],
    ['.user.id == "5"', false],
    [".user.id != 5", false],
    [".none != 5", true],
    [".none == .none", false],
    [".user.id >= 5 && .user.id < 6", true],
    [".user.id > 5 || .user.name == 'Ann'", true],
    ['.user.name < "B"', true],
    [".user.name < 5", false],
    ['.user.name =~ "^A"', true],
    [".user.id =~ '5'", false],
    [".tags[1] == 'b'", true],
    [".tags[2]", false],
    ['.["a key"] == 1', true],
    [".paid", false],
    ["!.paid && has(.paid)", true],
    [".note == null", true],
    ["has(.note)", true],
    ["has(.none)", false],
    ["!(.user.id == 5 || true)", false],
    ["true || false && false", true],
    ["(true || false) && false", false],
    ["attempts == 3 && topic == 'orders' && channel == 'billing'", true],
    ["timestamp > 1700000000122 && size < 100", true],
    ['id =~ "def$" && node =~ ":4150$"', true],
    ["body =~ 'Ann'", true],
    ["has(.)", true],
    ["-1 < 0", true],
    [".constructor", false],
    [".user.__proto__", false],
  ] as const
) {
  Deno.test(`parseFilter() reads ${expression}`, () => {
    assertEquals(parseFilter(expression)(ORDER), expected);
  });
}

Deno.test("parseFilter() finds nothing in a body that is no JSON, or no UTF-8", () => {
  assertEquals(parseFilter("has(.)")(message("not json")), false);
  assertEquals(parseFilter("has(.)")(message(Uint8Array.of(255))), false);
});

for (
  const [expression, problem] of [
    [
      "",
      "expected a path (.name), a value, or one of topic, channel, node, id, attempts, timestamp, body, size at position 0, found the end",
    ],
    [
      ".a ==",
      "expected a path (.name), a value, or one of topic, channel, node, id, attempts, timestamp, body, size at position 5, found the end",
    ],
    [".a = 5", 'expected the end at position 2, found "= 5"'],
    ["(.a", "expected ) at position 3, found the end"],
    ["has(5)", 'expected a path at position 4, found "5)"'],
    [".a =~ .b", 'expected a string with a regular expression at position 5, found ".b"'],
    [
      "constructor == 1",
      'expected a path (.name), a value, or one of topic, channel, node, id, attempts, timestamp, body, size at position 0, found "constructor == 1"',
    ],
    [`${"(".repeat(101)}1${")".repeat(101)}`, "more than 100 parentheses in one another"],
    [`${"!".repeat(101)}1`, "more than 100 parentheses in one another"],
  ]
) {
  Deno.test(`parseFilter() refuses ${JSON.stringify(expression.slice(0, 20))}`, () => {
    assertEquals(assertThrows(() => parseFilter(expression), SyntaxError).message, problem);
  });
}

Deno.test("parseFilter() takes 100 parentheses in one another", () => {
  assertEquals(parseFilter(`${"(".repeat(100)}1${")".repeat(100)}`)(ORDER), true);
});

Deno.test("parseFilter() and grep() refuse what is no regular expression", () => {
  assertThrows(() => parseFilter(".a =~ '('"), SyntaxError, "not a regular expression");
  assertThrows(() => grep("("), SyntaxError, "not a regular expression");
});

Deno.test("grep() looks anywhere in the body", () => {
  assertEquals(["^.user", "Ann", "^$"].map((pattern) => grep(pattern)(ORDER)), [false, true, false]);
});
