import { assertEquals, assertLessOrEqual, assertThrows } from "@std/assert";
import {
  decodePeerInfo,
  encodeLookupIdentify,
  encodeLookupLines,
  LOOKUP_MAGIC,
  LookupAnswers,
} from "../../src/protocol/lookup_requests.ts";
import { bytesOf, i32, join, textOf } from "../support/frames.ts";
import { Random } from "../support/random.ts";

const SIZE_MAX = 20_000;

/** Answers and their bytes. */
const ANSWERS: readonly (readonly [data: string, bytes: Uint8Array])[] = [
  ["OK", join("\0\0\0\x02", "OK")],
  ["", join("\0\0\0\0")],
  [
    "E_BAD_TOPIC REGISTER topic name 'a b' is not valid",
    join("\0\0\0\x32", "E_BAD_TOPIC REGISTER topic name 'a b' is not valid"),
  ],
  ["x".repeat(255), join("\0\0\0\xff", "x".repeat(255))],
  // Larger than the buffer that there is at first.
  ["y".repeat(10_000), join("\0\0\x27\x10", "y".repeat(10_000))],
  ["z".repeat(SIZE_MAX), join("\0\0\x4e\x20", "z".repeat(SIZE_MAX))],
];
const STREAM = join(...ANSWERS.map(([, bytes]) => bytes));
const DATA = ANSWERS.map(([data]) => data);

function read(chunks: Iterable<Uint8Array>): string[] {
  const answers = new LookupAnswers(SIZE_MAX);
  const found: string[] = [];
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const space = answers.space();
      const part = chunk.subarray(at, at + space.length);
      space.set(part);
      answers.received(part.length);
      at += part.length;
      for (let answer = answers.take(); answer !== undefined; answer = answers.take()) {
        found.push(textOf(answer));
      }
    }
  }
  return found;
}

function fed(bytes: Uint8Array): LookupAnswers {
  const answers = new LookupAnswers(SIZE_MAX);
  answers.space().set(bytes);
  answers.received(bytes.length);
  return answers;
}

Deno.test("LOOKUP_MAGIC is that of protocol V1", () => {
  assertEquals(LOOKUP_MAGIC, bytesOf("  V1"));
});

Deno.test("encodeLookupLines() ends each request with a newline", () => {
  assertEquals(textOf(encodeLookupLines(["PING"])), "PING\n");
  assertEquals(textOf(encodeLookupLines(["REGISTER t", "UNREGISTER t c"])), "REGISTER t\nUNREGISTER t c\n");
});

Deno.test("encodeLookupIdentify() puts the size in bytes before the JSON", () => {
  const bytes = encodeLookupIdentify({
    broadcast_address: "h\u00e9",
    hostname: "h",
    http_port: 4151,
    tcp_port: 4150,
    topology_region: "r",
    topology_zone: "z",
    version: "1.3.0",
  });

  const json = '{"broadcast_address":"h\xc3\xa9","hostname":"h","http_port":4151,"tcp_port":4150,' +
    '"topology_region":"r","topology_zone":"z","version":"1.3.0"}';
  assertEquals(textOf(bytes), `IDENTIFY\n\0\0\0\x87${json}`);
});

Deno.test("LookupAnswers takes answers that come at once", () => {
  assertEquals(read([STREAM]), DATA);
});

Deno.test("LookupAnswers takes answers that come byte by byte", () => {
  assertEquals(read(Array.from(STREAM, (byte) => Uint8Array.of(byte))), DATA);
});

Deno.test("LookupAnswers takes answers that come in random pieces", () => {
  for (let seed = 0; seed < 20; seed++) {
    assertEquals(read(new Random(seed).chunks(STREAM, 5000)), DATA, `seed ${seed}`);
  }
});

Deno.test("LookupAnswers takes nothing of an answer that has not all come", () => {
  for (let length = 0; length < 6; length++) {
    const answers = fed(join(i32(2), "OK").subarray(0, length));

    assertEquals(answers.take(), undefined);
    assertEquals(answers.empty, length === 0);
  }
});

Deno.test("LookupAnswers grows with what has come, not with what was announced", () => {
  const answers = new LookupAnswers(2 ** 30);
  const announcement = i32(2 ** 30);
  answers.space().set(announcement);
  answers.received(announcement.length);
  let received = announcement.length;

  for (let i = 0; i < 100; i++) {
    answers.take();
    const count = Math.min(answers.space().length, 1000);
    answers.received(count);
    received += count;
    assertLessOrEqual(answers.space().length, Math.max(8 * 1024, received));
  }
});

Deno.test("LookupAnswers is empty when everything has been taken", () => {
  const answers = fed(join(i32(2), "OK"));

  answers.take();

  assertEquals(answers.empty, true);
});

Deno.test("LookupAnswers refuses an answer of one byte more than it may have, before it comes", () => {
  assertThrows(
    () => fed(i32(SIZE_MAX + 1)).take(),
    RangeError,
    "response body size (20001) is greater than limit (20000)",
  );
});

Deno.test("LookupAnswers refuses a negative size", () => {
  assertThrows(() => fed(i32(-1)).take(), RangeError, "response body size (-1) is negative");
});

Deno.test("decodePeerInfo() reads what nsqlookupd answers", () => {
  const json =
    '{"broadcast_address":"b","hostname":"h","http_port":4161,"tcp_port":4160,"version":"1.3.0","more":[]}';

  assertEquals(decodePeerInfo(bytesOf(json)), {
    tcpPort: 4160,
    httpPort: 4161,
    version: "1.3.0",
    broadcastAddress: "b",
  });
});

Deno.test("decodePeerInfo() takes fields that are missing or null for empty", () => {
  assertEquals(decodePeerInfo(bytesOf('{"tcp_port":null}')), {
    tcpPort: 0,
    httpPort: 0,
    version: "",
    broadcastAddress: "",
  });
});

Deno.test("decodePeerInfo() refuses everything else with a SyntaxError", () => {
  const others = [
    "",
    "OK",
    "E_INVALID",
    "null",
    "[]",
    '"x"',
    '{"tcp_port":"1"}',
    '{"http_port":1.5}',
    '{"version":1}',
  ];
  for (const other of others) {
    assertThrows(() => decodePeerInfo(bytesOf(other)), SyntaxError, undefined, other);
  }
});
