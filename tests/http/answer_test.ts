import { assertEquals, assertMatch } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { Answer, encodeAnswer, encodeRefusal, HeaderBlock } from "../../src/http/answer.ts";

const KEPT = { isOld: false, keepAlive: true, isHead: false };
const BLOCK = new HeaderBlock([["Content-Type", "text/plain"]]);

/** As it is sent, without the date. */
function encoded(answer: Answer, form: Partial<typeof KEPT> = {}): string {
  return dateless(concat(encodeAnswer(answer, { ...KEPT, ...form })));
}

function dateless(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replace(/Date: [^\r]*/, "Date: #");
}

Deno.test("encodeAnswer() spells headers as Go does, in Go's order", () => {
  assertEquals(
    encoded(new Answer(200, BLOCK, "OK")),
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: #\r\nContent-Length: 2\r\n\r\nOK",
  );
});

const FORMS: readonly (readonly [form: Partial<typeof KEPT>, start: string, connection: string])[] = [
  [{}, "HTTP/1.1", ""],
  [{ keepAlive: false }, "HTTP/1.1", "Connection: close\r\n"],
  [{ isOld: true }, "HTTP/1.0", "Connection: keep-alive\r\n"],
  [{ isOld: true, keepAlive: false }, "HTTP/1.0", "Connection: close\r\n"],
];

for (const [form, start, connection] of FORMS) {
  Deno.test(`encodeAnswer() says how the connection goes on: ${JSON.stringify(form)}`, () => {
    assertEquals(
      encoded(new Answer(200, BLOCK, "OK"), form),
      `${start} 200 OK\r\nContent-Type: text/plain\r\nDate: #\r\nContent-Length: 2\r\n${connection}\r\nOK`,
    );
  });
}

for (const text of ["größer ☃", "x".repeat(1024), "x".repeat(1025), `${"x".repeat(2000)}☃`]) {
  Deno.test(`encodeAnswer() tells the length in bytes of ${text.length} characters, to HEAD, too`, () => {
    const answer = new Answer(200, BLOCK, text);
    const { length } = new TextEncoder().encode(text);

    const [whole, head] = [encoded(answer), encoded(answer, { isHead: true })];

    assertMatch(whole, new RegExp(`\\r\\nContent-Length: ${length}\\r\\n`));
    assertEquals([whole, whole.slice(head.length)], [head + text, text]);
  });
}

for (const parts of [["größer", " ☃"], ["one"], []]) {
  Deno.test(`encodeAnswer() tells the length of ${parts.length} pieces, and sends none to HEAD`, () => {
    const answer = new Answer(200, BLOCK, parts.map((part) => new TextEncoder().encode(part)));
    const text = parts.join("");
    const { length } = new TextEncoder().encode(text);

    const [whole, head] = [encoded(answer), encoded(answer, { isHead: true })];

    assertMatch(whole, new RegExp(`\\r\\nContent-Length: ${length}\\r\\n`));
    assertEquals([whole, whole.slice(head.length)], [head + text, text]);
  });
}

Deno.test("encodeAnswer() copies none of several pieces, and makes one write of what has one", () => {
  const pieces = [Uint8Array.of(1), Uint8Array.of(2)];

  const [, ...sent] = encodeAnswer(new Answer(200, BLOCK, pieces), KEPT);

  assertEquals(sent.map((piece, i) => piece === pieces[i]), [true, true]);
  assertEquals(encodeAnswer(new Answer(200, BLOCK, [Uint8Array.of(1)]), KEPT).length, 1);
});

Deno.test("Answer.with() adds headers, and leaves the answer as it was", () => {
  const answer = new Answer(405, BLOCK);

  const more = answer.with(["Allow", "GET"]);

  assertEquals([answer.headers.list.length, more.headers.text], [
    1,
    "Content-Type: text/plain\r\nAllow: GET\r\n",
  ]);
});

const REFUSALS: readonly (readonly [status: number, message: string, text: string])[] = [
  [
    400,
    "",
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request",
  ],
  [
    400,
    "malformed Host header",
    "HTTP/1.1 400 Bad Request: malformed Host header\r\nContent-Type: text/plain; charset=utf-8\r\n" +
    "Connection: close\r\n\r\n400 Bad Request: malformed Host header",
  ],
  [
    501,
    "Unsupported transfer encoding",
    "HTTP/1.1 501 Not Implemented\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" +
    "Unsupported transfer encoding",
  ],
  [
    417,
    "",
    "HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nDate: #\r\nContent-Length: 0\r\n\r\n",
  ],
];

for (const [status, message, text] of REFUSALS) {
  Deno.test(`encodeRefusal() says ${status} ${message} in Go's form`, () => {
    assertEquals(dateless(encodeRefusal(status, message)), text);
  });
}

Deno.test("encodeAnswer() tells short answers apart by status, headers, body and form", () => {
  const answer = new Answer(200, BLOCK, "OK");
  const first = encoded(answer);

  const others = [
    encoded(new Answer(201, BLOCK, "OK")),
    encoded(new Answer(200, new HeaderBlock([["Content-Type", "text/html"]]), "OK")),
    encoded(new Answer(200, BLOCK, "KO")),
    encoded(answer, { isOld: true }),
    encoded(answer, { keepAlive: false }),
    encoded(answer, { isHead: true }),
  ];

  assertEquals(new Set([first, ...others]).size, 7);
  assertEquals(encoded(answer), first);
});
