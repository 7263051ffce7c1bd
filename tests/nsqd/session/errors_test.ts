import { assert, assertEquals } from "@std/assert";
import { failure, i32, identify, join, pub, response } from "../../support/frames.ts";
import { consumer, inMemory } from "../../support/nsqd_in_memory.ts";

const OK = response("OK");

const NAME = "E_BAD_TOPIC";
const LONG = "x".repeat(65);

/** What is sent, and the error it is answered with. */
const ERRORS: readonly (readonly [sent: string, error: string])[] = [
  ["\n", "E_INVALID invalid command "],
  ["NOPE\n", "E_INVALID invalid command NOPE"],
  ["nop\n", "E_INVALID invalid command nop"],
  ["\xff\x00\n", "E_INVALID invalid command \xff\x00"],
  [" NOP\n", "E_INVALID invalid command "],
  ["RDY 1\n", "E_INVALID cannot RDY in current state"],
  ["FIN 0123456789abcdef\n", "E_INVALID cannot FIN in current state"],
  ["REQ 0123456789abcdef 0\n", "E_INVALID cannot REQ in current state"],
  ["TOUCH 0123456789abcdef\n", "E_INVALID cannot TOUCH in current state"],
  ["CLS\n", "E_INVALID cannot CLS in current state"],

  ["SUB\n", "E_INVALID SUB insufficient number of parameters"],
  ["SUB t\n", "E_INVALID SUB insufficient number of parameters"],
  ["SUB bad/name c\n", `${NAME} SUB topic name "bad/name" is not valid`],
  [`SUB ${LONG} c\n`, `${NAME} SUB topic name "${LONG}" is not valid`],
  ["SUB  c\n", `${NAME} SUB topic name "" is not valid`],
  ["SUB \0 c\n", `${NAME} SUB topic name "\\x00" is not valid`],
  ["SUB t bad:name\n", 'E_BAD_CHANNEL SUB channel name "bad:name" is not valid'],
  ["SUB t \n", 'E_BAD_CHANNEL SUB channel name "" is not valid'],
  ['SUB t "\n', 'E_BAD_CHANNEL SUB channel name "\\"" is not valid'],
  // What is too long to be shown
  [`${"x".repeat(300)}\n`, `E_INVALID invalid command ${"x".repeat(256)}...`],
  [`PUB ${"\xff".repeat(300)}\n`, `${NAME} PUB topic name "${"\\xff".repeat(256)}"... is not valid`],
  [`MPUB ${"$".repeat(300)}\n`, `${NAME} E_BAD_TOPIC MPUB topic name "${"$".repeat(256)}"... is not valid`],
  [`SUB t ${"$".repeat(300)}\n`, `E_BAD_CHANNEL SUB channel name "${"$".repeat(256)}"... is not valid`],
  [`DPUB t ${"x".repeat(300)}\n`, `E_INVALID DPUB could not parse timeout ${"x".repeat(256)}...`],

  ["PUB\n", "E_INVALID PUB insufficient number of parameters"],
  ["PUB bad/name\n", `${NAME} PUB topic name "bad/name" is not valid`],
  ["PUB \0\n", `${NAME} PUB topic name "\\x00" is not valid`],
  ["PUB \n", `${NAME} PUB topic name "" is not valid`],
  ["PUB \xff\n", `${NAME} PUB topic name "\\xff" is not valid`],
  ["PUB \xc3\xa9\n", `${NAME} PUB topic name "\xc3\xa9" is not valid`],
  ["PUB t\n\0\0\0\0", "E_BAD_MESSAGE PUB invalid message body size 0"],
  ["PUB t\n\xff\xff\xff\xff", "E_BAD_MESSAGE PUB invalid message body size -1"],
  ["PUB t\n\0\x10\0\x01", "E_BAD_MESSAGE PUB message too big 1048577 > 1048576"],

  ["MPUB\n", "E_INVALID MPUB insufficient number of parameters"],
  ["MPUB bad/name\n", `${NAME} E_BAD_TOPIC MPUB topic name "bad/name" is not valid`],
  ["MPUB \0\n", `${NAME} E_BAD_TOPIC MPUB topic name "\\x00" is not valid`],
  ["MPUB t\n\0\0\0\0", "E_BAD_BODY MPUB invalid body size 0"],
  ["MPUB t\n\xff\xff\xff\xfe", "E_BAD_BODY MPUB invalid body size -2"],
  ["MPUB t\n\0\x50\0\x01", "E_BAD_BODY MPUB body too big 5242881 > 5242880"],
  ["MPUB t\n\0\0\0\x04\0\0\0\0", "E_BAD_BODY MPUB invalid message count 0"],
  ["MPUB t\n\0\0\0\x04\x7f\xff\xff\xff", "E_BAD_BODY MPUB invalid message count 2147483647"],
  ["MPUB t\n\0\0\0\x08\0\0\0\x01\0\0\0\0", "E_BAD_MESSAGE MPUB invalid message(0) body size 0"],
  ["MPUB t\n\0\0\0\x08\0\0\0\x01\0\x10\0\x01", "E_BAD_MESSAGE MPUB message too big 1048577 > 1048576"],

  ["DPUB t\n", "E_INVALID DPUB insufficient number of parameters"],
  ["DPUB bad/name 5\n", `${NAME} DPUB topic name "bad/name" is not valid`],
  ["DPUB \0 5\n", `${NAME} DPUB topic name "\\x00" is not valid`],
  ["DPUB t soon\n", "E_INVALID DPUB could not parse timeout soon"],
  ["DPUB t -1\n", "E_INVALID DPUB could not parse timeout -1"],
  ["DPUB t 3600001\n", "E_INVALID DPUB timeout 3600001 out of range 0-3600000"],
  ["DPUB t 5\n\0\0\0\0", "E_BAD_MESSAGE DPUB invalid message body size 0"],
  ["DPUB t 5\n\0\x10\0\x01", "E_BAD_MESSAGE DPUB message too big 1048577 > 1048576"],

  ["IDENTIFY\n\0\0\0\0", "E_BAD_BODY IDENTIFY invalid body size 0"],
  ["IDENTIFY\n\xff\xff\xff\xff", "E_BAD_BODY IDENTIFY invalid body size -1"],
  ["IDENTIFY\n\0\x50\0\x01", "E_BAD_BODY IDENTIFY body too big 5242881 > 5242880"],
  ["IDENTIFY\n\0\0\0\x01{", "E_BAD_BODY IDENTIFY failed to decode JSON body"],
  ["AUTH\n\0\0\0\x06secret", "E_AUTH_DISABLED AUTH disabled"],
  ["AUTH x\n\0\0\0\x06secret", "E_INVALID AUTH invalid number of parameters"],
  ["AUTH\n\0\0\0\0", "E_BAD_BODY AUTH invalid body size 0"],
  ["AUTH\n\0\x01\0\x01", "E_BAD_BODY AUTH body too big 65537 > 65536"],
  ["AUTH\n\0\x50\0\x01", "E_BAD_BODY AUTH body too big 5242881 > 5242880"],
];

/** The same of a consumer. */
const CONSUMER_ERRORS: readonly (readonly [sent: string, error: string])[] = [
  ["SUB t c\n", "E_INVALID cannot SUB in current state"],
  ["IDENTIFY\n\0\0\0\x02{}", "E_INVALID cannot IDENTIFY in current state"],
  ["AUTH\n\0\0\0\x06secret", "E_INVALID cannot AUTH in current state"],
  ["RDY x\n", "E_INVALID RDY could not parse count x"],
  ["RDY -1\n", "E_INVALID RDY could not parse count -1"],
  ["RDY 2501\n", "E_INVALID RDY count 2501 out of range 0-2500"],
  ["FIN\n", "E_INVALID FIN insufficient number of params"],
  ["FIN short\n", "E_INVALID invalid message ID"],
  ["FIN 0123456789abcdef0\n", "E_INVALID invalid message ID"],
  ["REQ 0123456789abcdef\n", "E_INVALID REQ insufficient number of params"],
  ["REQ short 0\n", "E_INVALID invalid message ID"],
  ["REQ 0123456789abcdef soon\n", "E_INVALID REQ could not parse timeout soon"],
  ["TOUCH\n", "E_INVALID TOUCH insufficient number of params"],
  ["TOUCH short\n", "E_INVALID invalid message ID"],
  ["CLS\nCLS\n", "E_INVALID cannot CLS in current state"],
  ["CLS\nSUB t c\n", "E_INVALID cannot SUB in current state"],
];

for (const [sent, error] of ERRORS) {
  Deno.test(
    `Session answers ${JSON.stringify(sent)} with ${JSON.stringify(error)}, and closes`,
    inMemory(async (nsqd) => {
      const client = await nsqd.connect();

      assertEquals(await client.ask(sent, "NOP\n"), [failure(error)]);
      assert(client.connection.closed);
    }),
  );
}

for (const [sent, error] of CONSUMER_ERRORS) {
  Deno.test(
    `Session of a consumer answers ${JSON.stringify(sent)} with ${JSON.stringify(error)}, and closes`,
    inMemory(async (nsqd) => {
      const client = await consumer(nsqd);

      assertEquals((await client.ask(sent)).at(-1), failure(error));
      assert(client.connection.closed);
    }),
  );
}

Deno.test(
  "Session refuses SUB when heartbeats are disabled",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();

    const answers = await client.ask(identify({ heartbeat_interval: -1 }), "SUB t c\n");

    assertEquals(answers, [OK, failure("E_INVALID cannot SUB with heartbeats disabled")]);
  }),
);

Deno.test(
  "Session carries out nothing after a fatal error",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();

    const answers = await client.ask("NOPE\n", pub("t", "a"));

    assertEquals(answers, [failure("E_INVALID invalid command NOPE")]);
    assertEquals(nsqd.broker.topics.size, 0);
  }),
);

Deno.test(
  "Session makes the topic of an MPUB that it refuses, as NSQ does, and not the one of a PUB",
  inMemory(async (nsqd) => {
    await (await nsqd.connect()).ask("MPUB made\n", i32(0));
    await (await nsqd.connect()).ask("PUB not_made\n", i32(0));

    assertEquals([...nsqd.broker.topics.keys()], ["made"]);
  }),
);

Deno.test(
  "Session logs an error with its cause, and sends it without",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();

    client.connection.push(join("PUB t\n", i32(5), "ab"));
    const answers = await client.end();

    assertEquals(answers, [failure("E_BAD_MESSAGE PUB failed to read message body")]);
    assertEquals(
      nsqd.lines.filter((line) => line.startsWith("ERROR")),
      ["ERROR: [127.0.0.1:5001] - E_BAD_MESSAGE PUB failed to read message body - unexpected EOF"],
    );
  }),
);

/** What a client sends before it ends its side in the middle of a command, and what it is answered. */
const CUT_OFF: readonly (readonly [sent: string, error: string | undefined])[] = [
  ["PU", undefined],
  ["PUB t", undefined],
  ["PUB t\n\0\0", "E_BAD_MESSAGE PUB failed to read message body size"],
  ["PUB t\n\0\0\0\x02a", "E_BAD_MESSAGE PUB failed to read message body"],
  ["DPUB t 5\n", "E_BAD_MESSAGE DPUB failed to read message body size"],
  ["DPUB t 5\n\0\0\0\x02a", "E_BAD_MESSAGE DPUB failed to read message body"],
  ["MPUB t\n\0", "E_BAD_BODY MPUB failed to read body size"],
  ["MPUB t\n\0\0\0\x0a\0\0", "E_BAD_BODY MPUB failed to read message count"],
  ["MPUB t\n\0\0\0\x0a\0\0\0\x02\0\0\0\x01a\0", "E_BAD_MESSAGE MPUB failed to read message(1) body size"],
  ["MPUB t\n\0\0\0\x0a\0\0\0\x01\0\0\0\x02a", "E_BAD_MESSAGE MPUB failed to read message body"],
  ["IDENTIFY\n\0", "E_BAD_BODY IDENTIFY failed to read body size"],
  ["IDENTIFY\n\0\0\0\x02{", "E_BAD_BODY IDENTIFY failed to read body"],
  ["AUTH\n", "E_BAD_BODY AUTH failed to read body size"],
  ["AUTH\n\0\0\0\x06sec", "E_BAD_BODY AUTH failed to read body"],
];

for (const [sent, error] of CUT_OFF) {
  Deno.test(
    `Session answers the end of the input after ${JSON.stringify(sent)} with ${JSON.stringify(error)}`,
    inMemory(async (nsqd) => {
      const client = await nsqd.connect();

      const early = await client.ask(sent);

      assertEquals(early, []);
      assertEquals(await client.end(), error === undefined ? [] : [failure(error)]);
      assert(client.connection.closed);
    }),
  );
}

Deno.test(
  "Session tells of each error with its code, the client's address and the text",
  inMemory(async (nsqd) => {
    const client = await nsqd.connect();
    await client.ask("NOPE\n");
    await nsqd.connect({ magic: "  V9" });

    assertEquals(nsqd.errors, [
      "E_INVALID 127.0.0.1:5001 E_INVALID invalid command NOPE",
      "E_BAD_PROTOCOL 127.0.0.1:5002 magic '  V9'",
    ]);
  }),
);

Deno.test(
  "Session tells of a client that takes too long",
  inMemory(async (nsqd) => {
    await nsqd.connect();

    await nsqd.pass(61_000);

    assertEquals(nsqd.errors, [
      "TCP_TIMEOUT 127.0.0.1:5001 no command in time after connecting - i/o timeout",
    ]);
  }),
);

Deno.test(
  "Session tells of no error when a client only knocks, and of one when its magic is cut off",
  inMemory(async (nsqd) => {
    await (await nsqd.connect({ magic: "" })).end();
    await (await nsqd.connect({ magic: "  V" })).end();

    assertEquals(nsqd.errors, [
      "TCP_BROKEN 127.0.0.1:5002 failed to read protocol version - unexpected EOF",
    ]);
  }),
);
