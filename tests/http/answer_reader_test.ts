import { assertEquals, assertRejects } from "@std/assert";
import { FairShare } from "../../src/base/fair_share.ts";
import { ANSWER_HEAD_SIZE_MAX, AnswerReader } from "../../src/http/answer_reader.ts";
import { bytesOf, textOf } from "../support/frames.ts";
import { MemoryConnection } from "../support/memory_connection.ts";

/** What an answer says, that comes in those parts and then ends. */
async function read(
  parts: readonly string[],
  { onSize = () => {}, roomSize = 64 }: {
    readonly onSize?: (size: number) => void;
    readonly roomSize?: number;
  } = {},
): Promise<
  {
    readonly status: number;
    readonly body: string;
    readonly header: string | undefined;
    readonly turns: number;
  }
> {
  const connection = new MemoryConnection("127.0.0.1:5000");
  for (const part of parts) connection.push(bytesOf(part));
  connection.end();
  let turns = 0;
  const share = new FairShare(() => 0, () => Promise.resolve(void turns++));
  const room = new Uint8Array(roomSize);
  const { status, headers, bytes } = await new AnswerReader({
    connection,
    room,
    share,
    onSize,
    onHead: () => {},
  })
    .read();
  return { status, body: textOf(bytes), header: headers.get("x-a"), turns };
}

const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const LONG = "0123456789".repeat(100);

for (
  const [what, answer, body] of [
    ["whose length is told", `${OK}X-A: b\r\nContent-Length: ${LONG.length}\r\n\r\n${LONG}`, LONG],
    [
      "that comes in chunks",
      `${OK}x-a: b\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n3e8;x=y\r\n${LONG}\r\n0\r\nT: x\r\n\r\n`,
      `abc${LONG}`,
    ],
    ["that ends with its connection", `HTTP/1.0 200\r\nX-A: b\r\n\r\n${LONG}`, LONG],
    ["with lines that end as they may not", `HTTP/1.1 200 OK\nX-A: b\nContent-Length: 3\n\nabc`, "abc"],
    ["of none", `${OK}X-A: b\r\nContent-Length: 0\r\n\r\n`, ""],
    ["of none in chunks", `${OK}X-A: b\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, ""],
    ["behind which something follows", `${OK}X-A: b\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 500 x`, "abc"],
    [
      "in chunks behind which something follows",
      `${OK}X-A: b\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nmore`,
      "a",
    ],
    [
      "behind interim ones",
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nX-A: c\r\n\r\n${OK}X-A: b\r\nContent-Length: 1\r\n\r\na`,
      "a",
    ],
  ]
) {
  Deno.test(`AnswerReader.read() reads a body ${what}, in whatever parts it comes`, async () => {
    for (const parts of [[answer], [...answer], answer.match(/.{1,7}/gs) ?? []]) {
      const { status, header, body: said } = await read(parts);

      assertEquals([status, header, said], [200, "b", body]);
    }
  });
}

for (const status of [204, 304]) {
  Deno.test(`AnswerReader.read() waits for no body with status ${status}`, async () => {
    const { status: said, body } = await read([`HTTP/1.1 ${status} x\r\nContent-Length: 5\r\n\r\n`]);

    assertEquals([said, body], [status, ""]);
  });
}

for (
  const [what, answer, reason] of [
    ["nothing", "", "EOF"],
    ["a part of a head", "HTTP/1.1 200 OK\r\nX-A", "unexpected EOF"],
    ["interim ones only", "HTTP/1.1 100 Continue\r\n\r\n", "EOF"],
    ["a part of a body", `${OK}Content-Length: 4\r\n\r\nabc`, "unexpected EOF"],
    ["a part of a chunk", `${CHUNKED}4\r\nabc`, "unexpected EOF"],
    ["chunks without an end", `${CHUNKED}3\r\nabc\r\n`, "unexpected EOF"],
    ["another protocol", "SSH-2.0-OpenSSH_9.6\r\n", "malformed HTTP response: it does not begin"],
    ["another version", "HTTP/2.0 200 OK\r\n\r\n", "malformed HTTP response: it does not begin"],
    ["no status", "HTTP/1.1 OK\r\n\r\n", "malformed HTTP response: it has no status"],
    ["a status of more digits", "HTTP/1.1 2000 OK\r\n\r\n", "malformed HTTP response: it has no status"],
    [
      "a protocol that was not asked for",
      "HTTP/1.1 101 x\r\n\r\n",
      "malformed HTTP response: it has no status",
    ],
    ["a line without a name", `${OK}: b\r\n\r\n`, "malformed HTTP response: a line of its head"],
    ["a line without a colon", `${OK}b\r\n\r\n`, "malformed HTTP response: a line of its head"],
    [
      "a control character in its head",
      `${OK}A: \x00\r\n\r\n`,
      "malformed HTTP response: its head has a control",
    ],
    [
      "two lengths",
      `${OK}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`,
      "malformed HTTP response: its length",
    ],
    ["a length that is none", `${OK}Content-Length: -1\r\n\r\na`, "malformed HTTP response: its length"],
    [
      "a length and chunks",
      `${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
      "its length is not clear",
    ],
    ["an encoding that nobody knows", `${OK}Transfer-Encoding: gzip\r\n\r\n`, "its length is not clear"],
    ["a chunk without a size", `${CHUNKED}x\r\n`, "malformed HTTP response: There is no size"],
    [
      "a chunk that is longer than its size",
      `${CHUNKED}1\r\nabc`,
      "malformed HTTP response: A chunk is longer",
    ],
  ]
) {
  Deno.test(`AnswerReader.read() refuses ${what}`, async () => {
    const error = await assertRejects(() => read([answer]), Error, reason);
    if (reason === "EOF") assertEquals(error.message, reason);
    // What does not end is waited for, and what is wrong is not.
    if (!reason.endsWith("EOF")) await assertRejects(() => read([...answer]), Error, reason);
  });
}

Deno.test("AnswerReader.read() reads a head as large as it may be, and none that is larger", async () => {
  const head = (size: number) => {
    const start = `${OK}Content-Length: 1\r\nX: `;
    return `${start}${"x".repeat(size - start.length - 4)}\r\n\r\n`;
  };

  for (const roomSize of [64, 1024 * 1024]) {
    assertEquals((await read([`${head(ANSWER_HEAD_SIZE_MAX)}a`], { roomSize })).body, "a");
    for (
      const answer of [`${head(ANSWER_HEAD_SIZE_MAX + 1)}a`, `${OK}X: ${"x".repeat(ANSWER_HEAD_SIZE_MAX)}`]
    ) {
      await assertRejects(
        () => read([answer], { roomSize }),
        Error,
        "malformed HTTP response: its head is too long",
      );
    }
  }
});

for (
  const [what, answer] of [
    ["whose length is told", `${OK}Content-Length: 1000\r\n\r\n${LONG}`],
    ["in chunks", `${CHUNKED}1f4\r\n${LONG.slice(500)}\r\n1f4\r\n${LONG.slice(500)}\r\n0\r\n\r\n`],
    ["that ends with its connection", `${OK}\r\n${LONG}`],
  ]
) {
  Deno.test(`AnswerReader.read() tells of each part of a body ${what}, and ends where there may be no more`, async () => {
    const sizes: number[] = [];
    await read([answer], { onSize: (size) => sizes.push(size) });
    assertEquals(sizes.at(-1), 1000);
    assertEquals(sizes.every((size, i) => i === 0 || size >= sizes[i - 1]), true);

    const refusal = new Error("too much");
    const onSize = (size: number) => {
      if (size > 600) throw refusal;
    };
    assertEquals(await assertRejects(() => read([answer], { onSize })), refusal);
  });
}

Deno.test("AnswerReader.read() takes turns where chunks are many, and none where they are large", async () => {
  const small = `${CHUNKED}${"1\r\na\r\n".repeat(1000)}0\r\n\r\n`;
  const large = `${CHUNKED}3e8\r\n${LONG}\r\n0\r\n\r\n`;

  assertEquals((await read([small])).turns > 0, true);
  assertEquals((await read([large])).turns, 0);
});

Deno.test("AnswerReader.read() reads one answer after the other to the same memory", async () => {
  const room = new Uint8Array(4096);
  const share = new FairShare();
  for (const body of [LONG, "short", LONG.slice(1)]) {
    const connection = new MemoryConnection("127.0.0.1:5000");
    connection.push(bytesOf(`${CHUNKED}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`));
    const reader = new AnswerReader({ connection, room, share, onSize: () => {}, onHead: () => {} });

    assertEquals(textOf((await reader.read()).bytes), body);
    assertEquals(reader.room, room);
  }
});
