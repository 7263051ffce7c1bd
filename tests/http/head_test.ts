import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  FIELDS_MAX,
  HEAD_SIZE_MAX,
  headEnd,
  isHost,
  parseHead,
  RefusedRequest,
  type RequestHead,
} from "../../src/http/head.ts";
import { bytesOf } from "../support/frames.ts";

function parse(...lines: readonly string[]): RequestHead {
  return parseHead(bytesOf(`${lines.join("\r\n")}\r\n\r\n`));
}

/** Status and message of the refusal. */
function refusalOf(...lines: readonly string[]): [number, string] {
  const error = assertThrows(() => parse(...lines), RefusedRequest);
  return [error.status, error.message];
}

/** `GET /`, with a Host and further lines. */
function get(...lines: readonly string[]): readonly string[] {
  return ["GET / HTTP/1.1", "Host: h", ...lines];
}

Deno.test("parseHead() reads the request line and the fields, whatever their case", () => {
  const head = parse(
    "POST /pub?topic=t HTTP/1.1",
    "HOST: h:4151",
    "X-One:  1 \t",
    "x-two:",
    "Content-Length: 5",
  );

  assertEquals([head.method, head.target, head.isOld], ["POST", "/pub?topic=t", false]);
  assertEquals(["host", "x-one", "x-two", "x-three"].map((name) => head.headers.get(name)), [
    "h:4151",
    "1",
    "",
    undefined,
  ]);
  assertEquals([head.bodyLength, head.keepAlive, head.waits], [5, true, false]);
});

Deno.test("parseHead() takes lines that end without CR, and lines that go on, as Go does", () => {
  const { headers } = parseHead(bytesOf("GET / HTTP/1.1\nHost: h\nX: a\n  b\r\n\n"));

  assertEquals([headers.get("host"), headers.get("x")], ["h", "a b"]);
});

Deno.test("parseHead() takes a URL, * and what CONNECT connects to for targets", () => {
  const targets = [
    parse("GET http://h/ping?x HTTP/1.1", "Host: h"),
    parse("OPTIONS * HTTP/1.1", "Host: h"),
    parse("CONNECT h:1 HTTP/1.1"),
  ];

  assertEquals(targets.map(({ target }) => target), ["http://h/ping?x", "*", "h:1"]);
});

const REFUSED: readonly (readonly [name: string, lines: readonly string[], refusal: [number, string]])[] = [
  ["a line without target", ["GET", "Host: h"], [400, ""]],
  ["a line without version", ["GET /", "Host: h"], [400, ""]],
  ["an empty method", [" / HTTP/1.1", "Host: h"], [400, ""]],
  ["a method that is no token", ["G(T / HTTP/1.1", "Host: h"], [400, ""]],
  ["a target with a space", ["GET /a b HTTP/1.1", "Host: h"], [400, ""]],
  ["a target that is no path", ["GET ping HTTP/1.1", "Host: h"], [400, ""]],
  ["a bad escape in the path", ["GET /%zz HTTP/1.1", "Host: h"], [400, ""]],
  ["a version that is none", ["GET / HTTP/x", "Host: h"], [400, ""]],
  ["HTTP/2", ["PRI * HTTP/2.0"], [505, "unsupported protocol version"]],
  ["no Host", ["GET / HTTP/1.1"], [400, "missing required Host header"]],
  ["two Hosts", get("Host: h"), [400, ""]],
  ["a Host with a path", ["GET / HTTP/1.1", "Host: a/b"], [400, "malformed Host header"]],
  ["a Host with a query", ["GET / HTTP/1.1", "Host: a?b"], [400, "malformed Host header"]],
  ["a Host with a user", ["GET / HTTP/1.1", "Host: a@b"], [400, "malformed Host header"]],
  ["a field without colon", get("X"), [400, ""]],
  ["a field whose name has a space", get("X : 1"), [400, ""]],
  ["a field without name", get(": 1"), [400, ""]],
  ["a first field that goes on", ["GET / HTTP/1.1", " Host: h"], [400, ""]],
  ["a NUL", get("X: \0"), [400, ""]],
  ["a CR alone", get("X: a\rY: b"), [400, ""]],
  ["a length with a sign", get("Content-Length: +5"), [400, ""]],
  ["a length below 0", get("Content-Length: -5"), [400, ""]],
  ["an empty length", get("Content-Length:"), [400, ""]],
  ["a length in hexadecimal", get("Content-Length: 0x5"), [400, ""]],
  ["a length of 20 digits", get("Content-Length: 10000000000000000000"), [400, ""]],
  ["a list of lengths", get("Content-Length: 5, 5"), [400, ""]],
  ["two lengths that are the same", get("Content-Length: 5", "Content-Length: 5"), [400, ""]],
  ["two lengths that differ", get("Content-Length: 5", "Content-Length: 6"), [400, ""]],
  ["a length and chunks", get("Content-Length: 5", "Transfer-Encoding: chunked"), [400, ""]],
  ["chunks and a length", get("Transfer-Encoding: chunked", "Content-Length: 5"), [400, ""]],
  ["chunks in HTTP/1.0", ["GET / HTTP/1.0", "Transfer-Encoding: chunked"], [400, ""]],
  ["another encoding", get("Transfer-Encoding: gzip"), [501, "Unsupported transfer encoding"]],
  ["an encoding before chunks", get("Transfer-Encoding: gzip, chunked"), [
    501,
    "Unsupported transfer encoding",
  ]],
  ["chunks twice", get("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), [
    501,
    "Unsupported transfer encoding",
  ]],
  ["chunks in disguise", get("Transfer-Encoding: \x0bchunked"), [400, ""]],
  ["an expectation that is unknown", get("Expect: miracles"), [417, ""]],
];

for (const [name, lines, refusal] of REFUSED) {
  Deno.test(`parseHead() refuses ${name}`, () => {
    assertEquals(refusalOf(...lines), refusal);
  });
}

Deno.test("parseHead() takes FIELDS_MAX fields, and no more", () => {
  const fields = Array.from({ length: FIELDS_MAX - 1 }, (_, i) => `x-${i}: ${i}`);

  assertEquals(parse(...get(...fields)).headers.get("x-4998"), "4998");
  assertEquals(refusalOf(...get(...fields, "y: 1")), [431, ""]);
});

const KEPT: readonly (readonly [lines: readonly string[], keepAlive: boolean])[] = [
  [get(), true],
  [get("Connection: close"), false],
  [get("Connection: x, Close"), false],
  [get("Connection: closed"), true],
  [["GET / HTTP/1.0"], false],
  [["GET / HTTP/1.0", "Connection: keep-alive"], true],
  [["GET / HTTP/1.0", "Connection: keep-alive, close"], false],
];

for (const [lines, keepAlive] of KEPT) {
  Deno.test(`parseHead() ${keepAlive ? "keeps" : "does not keep"} ${JSON.stringify(lines)}`, () => {
    assertEquals(parse(...lines).keepAlive, keepAlive);
  });
}

Deno.test("parseHead() knows a client that waits with its body, unless it sends none", () => {
  const waits = (...lines: readonly string[]) => parse(...get("Expect: 100-Continue", ...lines)).waits;

  assertEquals([
    waits("Content-Length: 5"),
    waits("Transfer-Encoding: Chunked"),
    waits(),
    waits("Content-Length: 0"),
  ], [
    true,
    true,
    false,
    false,
  ]);
});

Deno.test("isHost() knows names and addresses, with a port and without", () => {
  const hosts = [
    "",
    "h",
    "h:1",
    "h:",
    "1.2.3.4:80",
    "[::1]",
    "[::1]:80",
    "[fe80::1%25eth0]:80",
    "a_b.c-d.",
    "ü%20",
  ];
  const others = [
    "a b",
    "a/b",
    "a:b",
    "a:1:2",
    "::1",
    "[::1",
    "[x]",
    "a@b",
    "a#b",
    "a?b",
    "a\\b",
    'a"b',
    "[::1]x",
  ];

  assertEquals(hosts.filter((host) => !isHost(host)), ["ü%20"]);
  assertEquals(others.filter(isHost), []);
});

Deno.test("isHost() and parseHead() take no longer for the longest of heads than for others of its size", () => {
  const size = HEAD_SIZE_MAX - 100;
  const long = [`[${":".repeat(size)}`, `${"1".repeat(size)}:`, `a:${"1".repeat(size)}x`];

  assertEquals(long.map(isHost), [false, true, false]);
  assert(parse(...get(`Connection: ${", ".repeat(size / 2)}`)).keepAlive);
});

const ENDS: readonly (readonly [text: string, end: number])[] = [
  ["", -1],
  ["GET / HTTP/1.1\r\n", -1],
  ["GET / HTTP/1.1\r\n\r", -1],
  ["GET / HTTP/1.1\r\n\r\n", 18],
  ["GET / HTTP/1.1\n\nx", 16],
  ["GET / HTTP/1.1\n\r\nx", 17],
  ["\r\n\r\n", 4],
];

for (const [text, end] of ENDS) {
  Deno.test(`headEnd() is ${end} of ${JSON.stringify(text)}`, () => {
    const bytes = bytesOf(`##${text}`);

    const found = headEnd(bytes, 2, bytes.length);

    assertEquals(found < 0 ? found : found - 2, end);
  });
}

Deno.test("headEnd() looks at nothing behind the end", () => {
  assertEquals(headEnd(bytesOf("a\r\n\r\n"), 0, 4), -1);
});
