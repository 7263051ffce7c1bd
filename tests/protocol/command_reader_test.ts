import { assert, assertEquals, assertLessOrEqual, assertThrows } from "@std/assert";
import { CommandReader, LINE_LENGTH_MAX, mpubCountMax } from "../../src/protocol/command_reader.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { copiedBytes } from "../support/copied_bytes.ts";
import { bytesOf, i32, join, mpub, pub, textOf, withBody } from "../support/frames.ts";
import { Random } from "../support/random.ts";

const LIMITS = { maxMsgSizeBytes: 10, maxBodySizeBytes: 44 };
const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * What a reader makes of the chunks: a text for each command, the error that ended it, and, when the end of the
 * input is given, what is said of a command that is cut off.
 */
function readAll(
  chunks: readonly Uint8Array[],
  options: { atEnd: boolean; limits?: typeof LIMITS },
): string[] {
  const reader = new CommandReader();
  const limits = options.limits ?? LIMITS;
  const read: string[] = [];
  for (const chunk of chunks) {
    put(reader, chunk);
    if (!takeCommands(reader, limits, read)) return read;
  }
  if (!options.atEnd) return read;
  reader.end();
  if (takeCommands(reader, limits, read) && reader.pendingBytes > 0) {
    read.push(`${reader.pendingBytes} bytes left`);
  }
  return read;
}

function put(reader: CommandReader, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    const space = reader.space();
    assert(space.length > 0, "there must always be space");
    const count = Math.min(space.length, bytes.length - at);
    space.set(bytes.subarray(at, at + count));
    reader.received(count);
    at += count;
  }
}

/** Takes every complete command; false after an error. */
function takeCommands(reader: CommandReader, limits: typeof LIMITS, read: string[]): boolean {
  try {
    while (reader.nextLine()) {
      const text = takeCommand(reader, limits);
      if (text === undefined) {
        reader.retry();
        return true;
      }
      read.push(text);
    }
    return true;
  } catch (error) {
    if (!(error instanceof ProtocolError) && !(error instanceof RangeError)) throw error;
    read.push(error instanceof RangeError ? `close: ${error.message}` : error.message);
    return false;
  }
}

function takeCommand(reader: CommandReader, limits: typeof LIMITS): string | undefined {
  const body = () => textOf(reader.bytes.subarray(reader.bodyStart, reader.bodyEnd));
  if (reader.paramIs(0, "PUB")) {
    const topic = reader.param(1);
    if (!reader.takeSize("E_BAD_MESSAGE", "no size")) return undefined;
    if (!reader.takeBody("E_BAD_MESSAGE", "no body")) return undefined;
    return `PUB ${topic}: ${body()}`;
  }
  if (reader.paramIs(0, "MPUB")) {
    const topic = reader.param(1);
    if (!reader.takeSize("E_BAD_BODY", "no size")) return undefined;
    if (!reader.takeMpub(limits)) return undefined;
    return `MPUB ${topic}: ${reader.messageCount} messages, ${reader.messageBytes} bytes: ${body()}`;
  }
  const words = Array.from(
    { length: Math.min(reader.paramCount, 4) },
    (_, i) => textOf(reader.paramBytes(i)),
  );
  return `${reader.paramCount} words: ${words.join("|")}`;
}

/** A line of that many bytes, its end included. */
function line(length: number): string {
  return `${"x".repeat(length - 1)}\n`;
}

/** Bodies of those sizes. */
function sized(...sizes: readonly number[]): string[] {
  return sizes.map((size) => "x".repeat(size));
}

/** Messages of those sizes, as an MPUB has them. */
function block(...sizes: readonly number[]): string {
  return textOf(join(...sized(...sizes).flatMap((body) => [i32(body.length), body])));
}

/** Bytes, and what is read from them up to the end of the input. */
const STREAMS: readonly (readonly [name: string, bytes: Uint8Array, read: readonly string[]])[] = [
  ["nothing", join(), []],
  ["a command", join("NOP\n"), ["1 words: NOP"]],
  ["a command with CRLF", join("NOP\r\n"), ["1 words: NOP"]],
  ["an empty line", join("\n"), ["1 words: "]],
  ["an empty line with CRLF", join("\r\n"), ["1 words: "]],
  ["two CRs", join("NOP\r\r\n"), ["1 words: NOP\r"]],
  ["a CR inside", join("N\rOP\n"), ["1 words: N\rOP"]],
  ["words", join("SUB topic channel\n"), ["3 words: SUB|topic|channel"]],
  ["empty words", join(" SUB  a \n"), ["5 words: |SUB||a"]],
  ["more words than are kept", join("A b c d e f\n"), ["6 words: A|b|c|d"]],
  ["bytes that are no text", join("\xff\x00 \x80\n"), ["2 words: \xff\x00|\x80"]],
  ["commands in a row", join("NOP\nRDY 5\r\nCLS\n"), ["1 words: NOP", "2 words: RDY|5", "1 words: CLS"]],
  ["a line that is cut off", join("NOP\nFIN 0123"), ["1 words: NOP", "8 bytes left"]],

  ["a PUB", pub("t", "body"), ["PUB t: body"]],
  ["a PUB with CRLF", withBody("PUB t\r", "body"), ["PUB t: body"]],
  ["a body of line ends", join(pub("t", "\n\r\n"), "NOP\n"), ["PUB t: \n\r\n", "1 words: NOP"]],
  ["PUBs in a row", join(pub("a", "1"), pub("b", "2")), ["PUB a: 1", "PUB b: 2"]],
  ["an empty body", pub("t", ""), ["PUB t: "]],
  ["a PUB without size", join("PUB t\n"), ["E_BAD_MESSAGE no size"]],
  ["a PUB with half a size", join("PUB t\n\0\0"), ["E_BAD_MESSAGE no size"]],
  ["a PUB without body", join("PUB t\n", i32(4)), ["E_BAD_MESSAGE no body"]],
  ["a PUB with half a body", join("PUB t\n", i32(4), "bo"), ["E_BAD_MESSAGE no body"]],
  ["a PUB cut off in its line", join("PUB t"), ["5 bytes left"]],

  ["an MPUB", mpub("t", ["one", "2"]), [
    "MPUB t: 2 messages, 4 bytes: \0\0\0\x03one\0\0\0\x012",
  ]],
  ["an MPUB and more", join(mpub("t", ["a"]), "NOP\n"), [
    "MPUB t: 1 messages, 1 bytes: \0\0\0\x01a",
    "1 words: NOP",
  ]],
  ["two MPUBs", join(mpub("t", ["a"]), mpub("t", ["bc"])), [
    "MPUB t: 1 messages, 1 bytes: \0\0\0\x01a",
    "MPUB t: 1 messages, 2 bytes: \0\0\0\x02bc",
  ]],
  ["an MPUB whose size says too little", join("MPUB t\n", i32(1), i32(1), i32(1), "a", "NOP\n"), [
    "MPUB t: 1 messages, 1 bytes: \0\0\0\x01a",
    "1 words: NOP",
  ]],
  ["an MPUB whose size says too much", join("MPUB t\n", i32(40), i32(1), i32(1), "a", "NOP\n"), [
    "MPUB t: 1 messages, 1 bytes: \0\0\0\x01a",
    "1 words: NOP",
  ]],
  ["an MPUB without size", join("MPUB t\n\0"), ["E_BAD_BODY no size"]],
  ["an MPUB without count", join("MPUB t\n", i32(4), "\0\0"), [
    "E_BAD_BODY MPUB failed to read message count",
  ]],
  ["an MPUB without messages", join("MPUB t\n", i32(4), i32(2)), [
    "E_BAD_MESSAGE MPUB failed to read message(0) body size",
  ]],
  ["an MPUB with one message too few", join("MPUB t\n", i32(9), i32(2), i32(1), "a"), [
    "E_BAD_MESSAGE MPUB failed to read message(1) body size",
  ]],
  ["an MPUB cut off in a message", join("MPUB t\n", i32(9), i32(1), i32(2), "a"), [
    "E_BAD_MESSAGE MPUB failed to read message body",
  ]],
  ["an MPUB of count 0", join("MPUB t\n", i32(4), i32(0)), ["E_BAD_BODY MPUB invalid message count 0"]],
  ["an MPUB of count -1", join("MPUB t\n", i32(4), i32(-1)), ["E_BAD_BODY MPUB invalid message count -1"]],
  ["an MPUB message of size 0", join("MPUB t\n", i32(9), i32(2), i32(1), "a", i32(0)), [
    "E_BAD_MESSAGE MPUB invalid message(1) body size 0",
  ]],
  ["an MPUB message of size -5", join("MPUB t\n", i32(9), i32(1), i32(-5)), [
    "E_BAD_MESSAGE MPUB invalid message(0) body size -5",
  ]],

  // Limits: max - 1, max, max + 1.
  ["an MPUB message one below the limit", mpub("t", ["123456789"]), [
    "MPUB t: 1 messages, 9 bytes: \0\0\0\x09123456789",
  ]],
  ["an MPUB message at the limit", mpub("t", ["1234567890"]), [
    "MPUB t: 1 messages, 10 bytes: \0\0\0\x0a1234567890",
  ]],
  ["an MPUB message above the limit", mpub("t", ["12345678901"]), [
    "E_BAD_MESSAGE MPUB message too big 11 > 10",
  ]],
  ["an MPUB one below the limit of messages", mpub("t", Array(7).fill("a")), [
    `MPUB t: 7 messages, 7 bytes: ${"\0\0\0\x01a".repeat(7)}`,
  ]],
  ["an MPUB at the limit of messages", mpub("t", Array(8).fill("a")), [
    `MPUB t: 8 messages, 8 bytes: ${"\0\0\0\x01a".repeat(8)}`,
  ]],
  ["an MPUB above the limit of messages", mpub("t", Array(9).fill("a")), [
    "E_BAD_BODY MPUB invalid message count 9",
  ]],
  ["an MPUB whose messages are one byte below the limit together", mpub("t", sized(10, 10, 6, 1)), [
    `MPUB t: 4 messages, 27 bytes: ${block(10, 10, 6, 1)}`,
  ]],
  ["an MPUB whose messages are at the limit together", mpub("t", sized(10, 10, 7, 1)), [
    `MPUB t: 4 messages, 28 bytes: ${block(10, 10, 7, 1)}`,
  ]],
  ["an MPUB whose messages are above the limit together", mpub("t", sized(10, 10, 7, 2)), [
    "E_BAD_BODY MPUB body too big 45 > 44",
  ]],
  ["a line one byte below the limit", join(line(LINE_LENGTH_MAX - 1)), [
    `1 words: ${"x".repeat(LINE_LENGTH_MAX - 2)}`,
  ]],
  ["a line at the limit", join(line(LINE_LENGTH_MAX)), [`1 words: ${"x".repeat(LINE_LENGTH_MAX - 1)}`]],
  ["a line above the limit", join(line(LINE_LENGTH_MAX + 1)), ["close: Cannot read command: buffer full"]],
  ["a line far above the limit", join(line(3 * LINE_LENGTH_MAX)), [
    "close: Cannot read command: buffer full",
  ]],
  ["no line end up to the limit", join("x".repeat(LINE_LENGTH_MAX - 1)), ["16383 bytes left"]],
  ["no line end at the limit", join("x".repeat(LINE_LENGTH_MAX)), [
    "close: Cannot read command: buffer full",
  ]],
];

for (const [name, bytes, read] of STREAMS) {
  Deno.test(`CommandReader reads ${name}`, () => {
    assertEquals(readAll([bytes], { atEnd: true }), read);
  });

  Deno.test(`CommandReader reads ${name}, byte by byte`, () => {
    assertEquals(readAll(Array.from(bytes, (byte) => Uint8Array.of(byte)), { atEnd: true }), read);
  });

  Deno.test(`CommandReader reads ${name}, in random chunks`, () => {
    for (let seed = 0; seed < 20; seed++) {
      const chunks = new Random(seed).chunks(bytes, Math.max(bytes.length >> seed % 5, 1));
      assertEquals(readAll(chunks, { atEnd: true }), read, `seed ${seed}`);
    }
  });
}

Deno.test("CommandReader reads all streams of the table as one, however it is cut", () => {
  const unfinished = /cut off|without|half|too few|no line end|above|count|size [0-]/;
  const complete = STREAMS.filter(([name]) =>
    !unfinished.test(name) || /limit/.test(name) && !/above|no line/.test(name)
  );
  const bytes = join(...complete.map(([, bytes]) => bytes));
  const read = complete.flatMap(([, , read]) => read);

  assertEquals(readAll([bytes], { atEnd: true }), read);
  for (let seed = 0; seed < 20; seed++) {
    const chunks = new Random(seed).chunks(bytes, 1 + 400 * seed);
    assertEquals(readAll(chunks, { atEnd: true }), read, `seed ${seed}`);
  }
});

Deno.test("CommandReader asks for more before the end of the input, whatever is cut off", () => {
  for (const [name, bytes, read] of STREAMS) {
    const chunks = Array.from(bytes, (byte) => Uint8Array.of(byte));
    const expected = read.filter((text) => !/^E_\w+ (no |MPUB failed)|bytes left$/.test(text));
    assertEquals(readAll(chunks, { atEnd: false }), expected, name);
  }
});

Deno.test("CommandReader.takeMagic() needs four bytes, and leaves what follows", () => {
  const reader = new CommandReader();

  put(reader, bytesOf("  V"));
  assertEquals(reader.takeMagic(), undefined);
  put(reader, bytesOf("2NOP\n"));
  assertEquals(reader.takeMagic(), "  V2");
  assertEquals(reader.nextLine(), true);
  assertEquals(reader.param(0), "NOP");
});

Deno.test("CommandReader.takeMagic() gives whatever the four bytes are", () => {
  const reader = new CommandReader();

  put(reader, Uint8Array.of(0x47, 0xff, 0x00, 0x0a));

  assertEquals(reader.takeMagic(), "G\xff\0\n");
});

Deno.test("CommandReader.nextLine() drops what the command before has not taken only when it was taken", () => {
  const reader = new CommandReader();
  put(reader, join("PUB t\n", i32(3), "abc", "NOP\n"));

  reader.nextLine();
  reader.takeSize("E_BAD_MESSAGE", "");
  reader.retry();
  reader.nextLine();
  reader.takeSize("E_BAD_MESSAGE", "");
  reader.takeBody("E_BAD_MESSAGE", "");
  reader.nextLine();

  assertEquals(reader.param(0), "NOP");
});

const NUMBERS: readonly (readonly [text: string, value: number])[] = [
  ["0", 0],
  ["5", 5],
  ["2500", 2500],
  ["0007", 7],
  ["", 0],
  ["3600000", 3_600_000],
  ["9007199254740991", 9_007_199_254_740_991],
  ["18446744073709551616", 2 ** 64],
  ["-1", -1],
  ["+1", -1],
  ["1.5", -1],
  ["1e3", -1],
  ["0x10", -1],
  [" ", 0],
  ["5a", -1],
  ["\xb2", -1],
];

for (const [text, value] of NUMBERS) {
  Deno.test(`CommandReader.paramNumber() takes ${JSON.stringify(text)} for ${value}`, () => {
    const reader = new CommandReader();
    put(reader, join(`RDY ${text}\n`));

    reader.nextLine();

    assertEquals(reader.paramNumber(1), value);
  });
}

Deno.test("CommandReader.paramIs() compares the whole word, and case", () => {
  const reader = new CommandReader();
  put(reader, join("PUB t\n"));

  reader.nextLine();

  const names = ["PUB", "MPUB", "PU", "PUBS", "pub", ""];
  assertEquals(names.map((name) => reader.paramIs(0, name)), [true, false, false, false, false, false]);
});

Deno.test("CommandReader gives a word in several forms", () => {
  const reader = new CommandReader();
  put(reader, join("NOP\nPUB t\xe9st\n"));

  reader.nextLine();
  reader.nextLine();

  assertEquals(reader.param(1), "t\xe9st");
  assertEquals(reader.paramBytes(1), bytesOf("t\xe9st"));
  assertEquals(reader.paramLength(1), 4);
  assertEquals(reader.bytes.slice(reader.paramStart(1), reader.paramStart(1) + 4), bytesOf("t\xe9st"));
  assertEquals(reader.paramEquals(1, bytesOf("t\xe9st")), true);
  assertEquals(reader.paramEquals(1, bytesOf("t\xe9sx")), false);
  assertEquals(reader.paramEquals(1, bytesOf("t\xe9s")), false);
  assertEquals(reader.line(), "[PUB t\xe9st]");
});

for (const length of [0, 15, 17]) {
  Deno.test(`CommandReader.idStart() refuses a word of ${length} bytes`, () => {
    const reader = new CommandReader();
    put(reader, join(`FIN ${"0".repeat(length)}\n`));

    reader.nextLine();

    assertThrows(() => reader.idStart(1), ProtocolError, "E_INVALID invalid message ID");
  });
}

Deno.test("CommandReader.idStart() takes a word of 16 bytes", () => {
  const reader = new CommandReader();
  put(reader, join("FIN 0123456789abcdef\n"));

  reader.nextLine();

  assertEquals(reader.idStart(1), 4);
});

Deno.test("CommandReader reads an MPUB of 5 MiB in pieces of 64 KiB, and gives the memory back", () => {
  const count = 5 * KIB;
  const body = "b".repeat(KIB - 4);
  const bytes = join(mpub("t", Array(count).fill(body)), "NOP\n");
  const limits = { maxMsgSizeBytes: MIB, maxBodySizeBytes: 5 * MIB + 4 };
  const reader = new CommandReader();
  const read: string[] = [];
  let sizeMost = 0;

  for (let at = 0; at < bytes.length; at += 64 * KIB) {
    put(reader, bytes.subarray(at, at + 64 * KIB));
    sizeMost = Math.max(sizeMost, reader.bytes.length);
    takeCommands(reader, limits, read);
  }
  reader.space();

  assertEquals(read.map((text) => text.slice(0, 45)), [
    "MPUB t: 5120 messages, 5222400 bytes: \0\0\x03\xfcbbb",
    "1 words: NOP",
  ]);
  assertLessOrEqual(sizeMost, 8 * MIB);
  assertEquals(reader.bytes.length, 256 * KIB);
});

Deno.test("CommandReader grows with what has come, not with what was announced", () => {
  const limits = { maxMsgSizeBytes: 1024 * MIB, maxBodySizeBytes: 2047 * MIB };
  const announced: readonly Uint8Array[] = [
    join("PUB t\n", i32(1024 * MIB), "ab"),
    join("MPUB t\n", i32(2047 * MIB), i32(2), i32(1024 * MIB), "ab"),
  ];
  for (const bytes of announced) {
    const reader = new CommandReader();
    const read: string[] = [];

    put(reader, bytes);
    takeCommands(reader, limits, read);
    for (let i = 0; i < 100; i++) {
      put(reader, bytesOf("x"));
      takeCommands(reader, limits, read);
    }

    assertEquals(read, []);
    assertLessOrEqual(reader.bytes.length, 8 * KIB);
  }
});

Deno.test("CommandReader never takes more than four times what has come", () => {
  const limits = { maxMsgSizeBytes: 100 * MIB, maxBodySizeBytes: 100 * MIB };
  const reader = new CommandReader();
  let sent = 0;

  const send = (bytes: Uint8Array) => {
    put(reader, bytes);
    takeCommands(reader, limits, []);
    sent += bytes.length;
    assertLessOrEqual(reader.bytes.length, Math.max(4 * sent, 4 * KIB));
  };
  send(join("PUB t\n", i32(100 * MIB)));
  const piece = new Uint8Array(10_000);
  while (sent < 2 * MIB) send(piece);
});

/** Puts MPUBs into a reader in pieces, takes them when they are whole, and counts the bytes that the reader copies. */
function countCopied(reader: CommandReader, bytes: Uint8Array, pieceMax: number): number {
  const limits = { maxMsgSizeBytes: MIB, maxBodySizeBytes: 100 * MIB };
  const copied = copiedBytes(() => {
    for (let at = 0; at < bytes.length;) {
      const space = reader.space();
      const count = Math.min(space.length, pieceMax, bytes.length - at);
      space.set(bytes.subarray(at, at + count));
      reader.received(count);
      at += count;
      while (reader.nextLine()) {
        if (reader.takeSize("E_BAD_BODY", "") && reader.takeMpub(limits)) continue;
        reader.retry();
        break;
      }
    }
  });
  // Without those that were put there.
  return copied - bytes.length;
}

/** An MPUB of so many bytes in all, about, whose size may be another than it says. */
function mpubOf(sizeBytes: number, options: { messageBytes: number; announced?: number }): Uint8Array {
  const { messageBytes } = options;
  const count = Math.floor(sizeBytes / (4 + messageBytes));
  const blockBytes = count * (4 + messageBytes);
  const line = bytesOf("MPUB t\n");
  const bytes = new Uint8Array(line.length + 8 + blockBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(line);
  view.setUint32(line.length, options.announced ?? 4 + blockBytes);
  view.setUint32(line.length + 4, count);
  for (let i = 0; i < count; i++) view.setUint32(line.length + 8 + i * (4 + messageBytes), messageBytes);
  return bytes;
}

for (const [sizeMib, pieceKib] of [[1, 64], [5, 16], [5, 64], [5, 1024], [20, 64]] as const) {
  Deno.test(`CommandReader copies an MPUB of ${sizeMib} MiB at most twice, in pieces of ${pieceKib} KiB`, () => {
    const bytes = mpubOf(sizeMib * MIB, { messageBytes: 200 });
    const reader = new CommandReader();

    const copied = countCopied(reader, bytes, pieceKib * KIB);

    assertEquals(reader.bodyEnd - reader.bodyStart, bytes.length - 15);
    assertLessOrEqual(copied, 2 * bytes.length);
  });
}

for (const announced of [1, MIB, 90 * MIB]) {
  Deno.test(`CommandReader copies an MPUB of 5 MiB at most twice that announces ${announced} bytes`, () => {
    const bytes = mpubOf(5 * MIB, { messageBytes: 200, announced });
    const reader = new CommandReader();

    const copied = countCopied(reader, bytes, 64 * KIB);

    assertEquals(reader.messageCount, 25_700);
    assertLessOrEqual(copied, 2 * bytes.length);
  });
}

Deno.test("CommandReader copies MPUBs in a row at most twice", () => {
  const one = mpubOf(MIB + 1000, { messageBytes: 200 });
  const bytes = join(...Array<Uint8Array>(10).fill(one));
  const reader = new CommandReader();

  const copied = countCopied(reader, bytes, 64 * KIB);

  assertLessOrEqual(copied, 2 * bytes.length);
});

Deno.test("CommandReader has no more room for an MPUB than it has announced", () => {
  const bytes = mpubOf(5 * MIB, { messageBytes: 200 });
  const reader = new CommandReader();

  countCopied(reader, bytes.subarray(0, -1), 64 * KIB);

  assertLessOrEqual(reader.bytes.length, bytes.length + 4 * KIB);
});

Deno.test("CommandReader gives the memory of a large command back when the next one has begun to come", () => {
  const reader = new CommandReader();

  countCopied(reader, join(mpubOf(5 * MIB, { messageBytes: 200 }), "MPUB t\n", i32(100), i32(1)), 64 * KIB);
  reader.space();

  assertEquals(reader.bytes.length, 256 * KIB);
  assertEquals(reader.pendingBytes, 15);
});

Deno.test("CommandReader.shrink() gives back what a large command has left, with the next space()", () => {
  const reader = new CommandReader();
  countCopied(reader, mpubOf(MIB, { messageBytes: 200 }), 64 * KIB);
  const space = reader.space();

  reader.shrink();
  // The read that was under way.
  space.set(bytesOf("NOP\n"));
  reader.received(4);

  assertEquals(reader.nextLine(), true);
  assertEquals(reader.param(0), "NOP");
  assertEquals(reader.nextLine(), false);
  assertEquals(reader.space().length, 4 * KIB);
  assertEquals(reader.bytes.length, 4 * KIB);
});

Deno.test("CommandReader.shrink() leaves the room that an unfinished command needs", () => {
  const limits = { maxMsgSizeBytes: MIB, maxBodySizeBytes: MIB };
  const reader = new CommandReader();
  const read: string[] = [];
  put(reader, join("PUB t\n", i32(100 * KIB), "b".repeat(50 * KIB)));
  takeCommands(reader, limits, read);

  reader.shrink();
  put(reader, bytesOf("b".repeat(50 * KIB)));
  takeCommands(reader, limits, read);

  assertEquals(read, [`PUB t: ${"b".repeat(100 * KIB)}`]);
});

Deno.test("CommandReader starts with a small buffer, which grows up to 256 KiB when reads fill it", () => {
  const reader = new CommandReader();
  const sizes = [reader.bytes.length];

  for (let i = 0; i < 5; i++) {
    const space = reader.space();
    space.fill(10);
    reader.received(space.length);
    while (reader.nextLine());
    sizes.push(reader.bytes.length);
  }

  assertEquals(sizes, [4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, 256 * KIB, 256 * KIB]);
});

Deno.test("mpubCountMax() leaves room for the count, and five bytes for each message", () => {
  assertEquals([4, 8, 9, 13, 14, 5 * MIB].map(mpubCountMax), [0, 0, 1, 1, 2, 1_048_575]);
});
