import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { LINE_LENGTH_MAX } from "../../src/protocol/command_reader.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { type LookupCommand, LookupCommandReader, MAGIC_V1 } from "../../src/protocol/lookup_commands.ts";
import { encodeLookupIdentify, LOOKUP_MAGIC } from "../../src/protocol/lookup_requests.ts";
import { copiedBytes } from "../support/copied_bytes.ts";
import { bytesOf, i32, join } from "../support/frames.ts";
import { identifyNode, NODE } from "../support/lookup_frames.ts";
import { Random } from "../support/random.ts";

const MAX_BODY_SIZE = 200;
const LIMITS = { maxBodySizeBytes: MAX_BODY_SIZE };
const INFO = { ...NODE, topology_zone: "", topology_region: "" };
const IDENTIFY: LookupCommand = { name: "IDENTIFY", info: INFO };
const PING: LookupCommand = { name: "PING" };

interface Outcome {
  readonly commands: readonly LookupCommand[];
  /** Of the refusal that ended it. */
  readonly error?: string;
}

/** What a reader makes of the chunks. */
function read(chunks: readonly Uint8Array[], options: { readonly end?: boolean } = {}): Outcome {
  const reader = new LookupCommandReader(LIMITS);
  const commands: LookupCommand[] = [];
  const takeAll = () => {
    for (let command = reader.next(); command; command = reader.next()) commands.push(command);
  };
  try {
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.length;) {
        const space = reader.space();
        const part = chunk.subarray(at, at + space.length);
        space.set(part);
        reader.received(part.length);
        at += part.length;
        takeAll();
      }
    }
    if (options.end) reader.end();
    takeAll();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { commands, error: error.message };
  }
  return { commands };
}

/** The same, whatever the pieces in which the bytes come. */
function readInPieces(bytes: Uint8Array, options: { readonly end?: boolean } = {}): Outcome {
  const whole = read([bytes], options);
  assertEquals(read(Array.from(bytes, (byte) => Uint8Array.of(byte)), options), whole);
  for (let seed = 0; seed < 5; seed++) {
    assertEquals(read(new Random(seed).chunks(bytes, 40), options), whole);
  }
  return whole;
}

function register(topic: string, channel?: string): LookupCommand {
  return { name: "REGISTER", topic, channel };
}

const COMMANDS: readonly [name: string, bytes: Uint8Array, commands: readonly LookupCommand[]][] = [
  ["PING", bytesOf("PING\n"), [PING]],
  ["PING before and after IDENTIFY", join("PING\n", identifyNode(), "PING\n"), [PING, IDENTIFY, PING]],
  ["white space around a line", bytesOf("PING\r\n \t PING \v\f\r\nPING   \n"), [PING, PING, PING]],
  ["REGISTER of a topic", join(identifyNode(), "REGISTER t\n"), [IDENTIFY, register("t")]],
  ["REGISTER of a channel", join(identifyNode(), "REGISTER t c\n"), [IDENTIFY, register("t", "c")]],
  ["an empty channel", join(identifyNode(), "REGISTER t  c\n"), [IDENTIFY, register("t")]],
  ["words that are too many", join(identifyNode(), "REGISTER t c d $ e\n"), [IDENTIFY, register("t", "c")]],
  [
    "ephemeral names",
    join(identifyNode(), "REGISTER t#ephemeral c#ephemeral\n"),
    [IDENTIFY, register("t#ephemeral", "c#ephemeral")],
  ],
  ["UNREGISTER", join(identifyNode(), "UNREGISTER t c\nUNREGISTER t\n"), [
    IDENTIFY,
    { name: "UNREGISTER", topic: "t", channel: "c" },
    { name: "UNREGISTER", topic: "t", channel: undefined },
  ]],
  ["a line without its end", join(identifyNode(), "REGISTER t"), [IDENTIFY]],
  ["nothing", new Uint8Array(0), []],
];

for (const [name, bytes, commands] of COMMANDS) {
  Deno.test(`LookupCommandReader.next() takes ${name}, in whatever pieces`, () => {
    assertEquals(readInPieces(bytes), { commands });
  });
}

const LONG = "x".repeat(65);

const REFUSED: readonly [name: string, bytes: Uint8Array, error: string][] = [
  ["an unknown command", bytesOf("WAT now\n"), "E_INVALID invalid command WAT"],
  ["a command in small letters", bytesOf("ping\n"), "E_INVALID invalid command ping"],
  ["an empty line", bytesOf("\n"), "E_INVALID invalid command "],
  ["bytes that are no text", join(Uint8Array.of(0xff, 0x80), "\n"), "E_INVALID invalid command \xff\x80"],
  ["REGISTER before IDENTIFY", bytesOf("REGISTER t\n"), "E_INVALID client must IDENTIFY"],
  ["UNREGISTER before IDENTIFY", bytesOf("UNREGISTER $\n"), "E_INVALID client must IDENTIFY"],
  ["a second IDENTIFY", join(identifyNode(), "IDENTIFY\n"), "E_INVALID cannot IDENTIFY again"],
  ["no topic", join(identifyNode(), "REGISTER\n"), "E_INVALID REGISTER insufficient number of params"],
  [
    "an empty topic",
    join(identifyNode(), "UNREGISTER  c\n"),
    "E_BAD_TOPIC UNREGISTER topic name '' is not valid",
  ],
  [
    "a bad topic",
    join(identifyNode(), "REGISTER b$d c\n"),
    "E_BAD_TOPIC REGISTER topic name 'b$d' is not valid",
  ],
  [
    "a long topic",
    join(identifyNode(), `REGISTER ${LONG}\n`),
    `E_BAD_TOPIC REGISTER topic name '${LONG}' is not valid`,
  ],
  [
    "a bad channel",
    join(identifyNode(), "UNREGISTER t b$d\n"),
    "E_BAD_CHANNEL UNREGISTER channel name 'b$d' is not valid",
  ],
  ["a negative size", join("IDENTIFY\n", i32(-1)), "E_BAD_BODY IDENTIFY invalid body size -1"],
  [
    "the smallest size",
    join("IDENTIFY\n", i32(-(2 ** 31))),
    "E_BAD_BODY IDENTIFY invalid body size -2147483648",
  ],
  ["a size over the limit", join("IDENTIFY\n", i32(201)), "E_BAD_BODY IDENTIFY body too big 201 > 200"],
  ["an empty body", join("IDENTIFY\n", i32(0)), "E_BAD_BODY IDENTIFY failed to decode JSON body"],
];

for (const [name, bytes, error] of REFUSED) {
  Deno.test(`LookupCommandReader.next() refuses ${name}, in whatever pieces`, () => {
    assertEquals(readInPieces(bytes).error, error);
  });
}

const CUT_OFF: readonly [name: string, bytes: Uint8Array, error: string | undefined][] = [
  ["a line", bytesOf("PI"), undefined],
  [
    "a body's size",
    join("IDENTIFY\n", i32(9).subarray(0, 3)),
    "E_BAD_BODY IDENTIFY failed to read body size",
  ],
  ["a body", join("IDENTIFY\n", i32(9), "{"), "E_BAD_BODY IDENTIFY failed to read body"],
];

for (const [name, bytes, error] of CUT_OFF) {
  const what = error === undefined ? "drops" : "refuses";
  Deno.test(`LookupCommandReader.next() ${what} ${name} that is cut off by the end`, () => {
    assertEquals(readInPieces(bytes, { end: true }).error, error);
    assertEquals(readInPieces(bytes), { commands: [] });
  });
}

Deno.test("LookupCommandReader.next() takes a body of the maximal size", () => {
  const empty = JSON.stringify({ ...NODE, x: "" }).length;
  const body = (size: number) => JSON.stringify({ ...NODE, x: "x".repeat(size - empty) });
  const identify = (size: number) => join("IDENTIFY\n", i32(size), body(size));

  assertEquals(readInPieces(identify(MAX_BODY_SIZE - 1)), { commands: [IDENTIFY] });
  assertEquals(readInPieces(identify(MAX_BODY_SIZE)), { commands: [IDENTIFY] });
  assertEquals(
    readInPieces(identify(MAX_BODY_SIZE + 1)).error,
    "E_BAD_BODY IDENTIFY body too big 201 > 200",
  );
});

Deno.test("LookupCommandReader.next() takes a line of LINE_LENGTH_MAX bytes, its end included, and none longer", () => {
  const line = (length: number) => bytesOf(`PING${" ".repeat(length - 5)}\n`);

  assertEquals(read([line(LINE_LENGTH_MAX - 1)]), { commands: [PING] });
  assertEquals(read([line(LINE_LENGTH_MAX)]), { commands: [PING] });
  assertEquals(read([line(LINE_LENGTH_MAX + 1)]), { commands: [], error: "E_INVALID line too long" });
  // It is refused before its end has come.
  assertEquals(
    read([line(LINE_LENGTH_MAX + 1).subarray(0, LINE_LENGTH_MAX)]).error,
    "E_INVALID line too long",
  );
});

Deno.test("LookupCommandReader.takeMagic() waits for four bytes and leaves what follows", () => {
  const reader = new LookupCommandReader(LIMITS);
  const receive = (text: string) => {
    reader.space().set(bytesOf(text));
    reader.received(text.length);
  };

  receive("  V");
  const early = reader.takeMagic();
  receive("1PING\n");

  assertEquals([early, reader.takeMagic()], [undefined, MAGIC_V1]);
  assertEquals(reader.next(), PING);
});

Deno.test("MAGIC_V1 and IDENTIFY are what nsqd sends", () => {
  assertEquals(new TextDecoder().decode(LOOKUP_MAGIC), MAGIC_V1);
  assertEquals(read([encodeLookupIdentify(INFO)]), { commands: [IDENTIFY] });
});

Deno.test("LookupCommandReader.isInCommand is true between the first and the last byte of a command", () => {
  const reader = new LookupCommandReader(LIMITS);
  const inCommand = Array.from(join("PING\n", identifyNode()), (byte) => {
    reader.space()[0] = byte;
    reader.received(1);
    reader.next();
    return reader.isInCommand;
  });

  assertEquals(inCommand.flatMap((value, index) => value ? [] : [index]), [4, inCommand.length - 1]);
});

Deno.test("LookupCommandReader.space() grows with what has come, not with what was announced", () => {
  const reader = new LookupCommandReader({ maxBodySizeBytes: 2 ** 30 });
  const announcement = join("IDENTIFY\n", i32(2 ** 30));
  reader.space().set(announcement);
  reader.received(announcement.length);
  reader.next();
  let received = announcement.length;

  for (let i = 0; i < 100; i++) {
    const count = Math.min(reader.space().length, 1000);
    reader.received(count);
    received += count;
    reader.next();
    assertLessOrEqual(reader.space().length, Math.max(64 * 1024, received));
  }
});

Deno.test("LookupCommandReader copies each byte of a large body a few times, also when it comes in small pieces", () => {
  const reader = new LookupCommandReader({ maxBodySizeBytes: 2 ** 20 });
  const bytes = join("IDENTIFY\n", i32(2 ** 20), "x".repeat(2 ** 20 - 1));

  const copied = copiedBytes(() => {
    for (let at = 0; at < bytes.length;) {
      const space = reader.space();
      const count = Math.min(space.length, 100, bytes.length - at);
      space.set(bytes.subarray(at, at + count));
      reader.received(count);
      reader.next();
      at += count;
    }
  });

  assertLessOrEqual(copied, 4 * bytes.length);
});

Deno.test("LookupCommandReader.space() gives a large buffer back when nothing waits", () => {
  const reader = new LookupCommandReader(LIMITS);
  const pings = bytesOf("PING\n".repeat(1000));
  for (let at = 0; at < pings.length;) {
    const space = reader.space();
    const part = pings.subarray(at, at + space.length);
    space.set(part);
    reader.received(part.length);
    at += part.length;
  }
  const large = reader.space().length;

  while (reader.next());

  assert(large > 1024, `${large} bytes`);
  assertEquals(reader.space().length, 1024);
});

Deno.test("LookupCommandReader makes of random bytes commands, a refusal, or waits for more", () => {
  const words = ["PING", "IDENTIFY\n", "REGISTER", "UNREGISTER t", "topic", "$", " ", "\n", "\r\n", "{}"];
  let refused = 0;
  let taken = 0;
  for (let seed = 0; seed < 500; seed++) {
    const random = new Random(seed);
    const parts = Array.from({ length: random.below(30) }, () => {
      if (random.oneIn(2)) return random.pick(["PING\n", "REGISTER t c\n", "UNREGISTER t\n", identifyNode()]);
      if (random.oneIn(8)) return i32(random.next() | 0);
      return random.oneIn(10) ? random.bytes(random.below(9)) : random.pick(words);
    });

    const { commands, error } = readInPieces(join(...parts), { end: random.oneIn(2) });

    taken += commands.length;
    if (error !== undefined) refused++;
  }
  assert(refused > 100 && taken > 100, `${refused} refused, ${taken} taken`);
});
