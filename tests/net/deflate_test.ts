import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { assertEquals, assertLessOrEqual, assertNotEquals, assertRejects } from "@std/assert";
import { type Connection, writeAll } from "../../src/net/connection.ts";
import { DeflateConnection } from "../../src/net/deflate.ts";
import { bytesOf, join, textOf } from "../support/frames.ts";
import { DEFLATE_STREAMS, hex } from "../support/golden_streams.ts";
import { MemoryConnection } from "../support/memory_connection.ts";
import { settle } from "../support/nsqd_in_memory.ts";
import { Random } from "../support/random.ts";

const LEVEL = 6;
const MIB = 2 ** 20;
const READ_SIZE = 16 * 1024;

/** A connection that counts what is read from it. */
class CountedConnection extends MemoryConnection {
  readBytes = 0;

  override async read(buffer: Uint8Array): Promise<number | null> {
    const count = await super.read(buffer);
    this.readBytes += count ?? 0;
    return count;
  }
}

/** Runs `test` with a deflate connection, and closes it. */
function deflateTest(
  name: string,
  test: (ends: { deflate: DeflateConnection; inner: CountedConnection }) => Promise<void>,
  options: { readonly level?: number } = {},
): void {
  Deno.test(name, async () => {
    const inner = new CountedConnection("peer");
    const deflate = new DeflateConnection(inner, options.level ?? LEVEL);
    try {
      await test({ deflate, inner });
    } finally {
      deflate.close();
    }
  });
}

/** The next `length` bytes, or fewer at the end. */
async function read(connection: Connection, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let end = 0;
  while (end < length) {
    const count = await connection.read(bytes.subarray(end));
    if (count === null) break;
    end += count;
  }
  return bytes.subarray(0, end);
}

function flushed(data: Uint8Array): Uint8Array {
  return deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH });
}

/** The data of a stream that has been flushed, but has not ended. */
function inflated(stream: Uint8Array): Uint8Array {
  return new Uint8Array(inflateRawSync(stream, { finishFlush: constants.Z_SYNC_FLUSH }));
}

for (const { name, data, stream } of DEFLATE_STREAMS) {
  deflateTest(`DeflateConnection reads Go's stream of ${name}`, async ({ deflate, inner }) => {
    inner.push(stream);

    assertEquals(await read(deflate, data.length), data);
  });

  deflateTest(`DeflateConnection reads Go's stream of ${name}, byte by byte`, async ({ deflate, inner }) => {
    for (const byte of stream) inner.push(Uint8Array.of(byte));

    assertEquals(await read(deflate, data.length), data);
  });

  Deno.test(`DeflateConnection reads Go's stream of ${name}, cut in two anywhere`, async () => {
    for (let at = 1; at < stream.length; at++) {
      const inner = new MemoryConnection("peer");
      const deflate = new DeflateConnection(inner, LEVEL);
      inner.push(stream.subarray(0, at));
      const data1 = read(deflate, data.length);
      await settle();
      inner.push(stream.subarray(at));

      assertEquals(await data1, data, `cut at ${at}`);
      deflate.close();
    }
  });
}

deflateTest("DeflateConnection.read() gives no more than the buffer takes", async ({ deflate, inner }) => {
  inner.push(flushed(bytesOf("0123456789")));
  const buffer = new Uint8Array(4);
  const parts: string[] = [];

  for (let i = 0; i < 3; i++) parts.push(textOf(buffer.slice(0, await deflate.read(buffer) ?? 0)));

  assertEquals(parts, ["0123", "4567", "89"]);
});

deflateTest("DeflateConnection.peer is the peer of the connection below", ({ deflate }) => {
  assertEquals(deflate.peer, "peer");
  return Promise.resolve();
});

for (const level of [1, 6, 9]) {
  deflateTest(
    `DeflateConnection.write() makes a stream that can be read after each write (level ${level})`,
    async ({ deflate, inner }) => {
      const random = new Random(level);
      const writes = [
        bytesOf("OK"),
        random.bytes(100_000),
        new Uint8Array(300_000),
        bytesOf("a"),
        new Uint8Array(1),
      ];
      let stream = new Uint8Array();
      let data = new Uint8Array();
      for (const bytes of writes) {
        await writeAll(deflate, bytes);
        stream = join(stream, ...inner.written.splice(0));
        data = join(data, bytes);

        assertEquals(inflated(stream), data);
        assertEquals(stream.slice(-4), hex("0000ffff"));
      }
    },
    { level },
  );
}

deflateTest("DeflateConnection.write() goes by its level", async ({ deflate, inner }) => {
  const text = bytesOf(Array.from({ length: 2000 }, (_, i) => `message ${i % 97}, `).join(""));

  await writeAll(deflate, text);

  assertLessOrEqual(join(...inner.written).length, flushed(text).length);
  assertNotEquals(deflateRawSync(text, { level: 1 }).length, flushed(text).length);
}, { level: 9 });

Deno.test("DeflateConnection carries anything in both directions, in any pieces", async () => {
  for (let seed = 0; seed < 5; seed++) {
    const random = new Random(seed);
    const [a, b] = [new MemoryConnection("b"), new MemoryConnection("a")];
    a.write = (bytes) => (b.push(bytes.slice()), Promise.resolve(bytes.length));
    b.write = (bytes) => (a.push(bytes.slice()), Promise.resolve(bytes.length));
    const ends = [
      new DeflateConnection(a, 1 + random.below(9)),
      new DeflateConnection(b, 1 + random.below(9)),
    ];
    const bodies = [0, 1].map(() => random.bytes(random.below(300_000)).map((byte) => byte % 17));

    const [atB, atA] = await Promise.all([
      read(ends[1], bodies[0].length),
      read(ends[0], bodies[1].length),
      ...ends.map(async (end, i) => {
        for (const part of random.chunks(bodies[i], 50_000)) await writeAll(end, part);
      }),
    ]);

    assertEquals([atB, atA], bodies);
    for (const end of ends) end.close();
  }
});

deflateTest("DeflateConnection.read() is null at the end", async ({ deflate, inner }) => {
  inner.push(flushed(bytesOf("abc")));
  inner.end();

  assertEquals(textOf(await read(deflate, 10)), "abc");
  assertEquals(await deflate.read(new Uint8Array(1)), null);
});

deflateTest(
  "DeflateConnection.read() is null when the end comes in the middle",
  async ({ deflate, inner }) => {
    const stream = flushed(new Random(1).bytes(1000));
    inner.push(stream.subarray(0, 500));
    inner.end();

    const data = await read(deflate, 1000);

    assertLessOrEqual(data.length, 500);
    assertEquals(await deflate.read(new Uint8Array(1)), null);
  },
);

deflateTest("DeflateConnection passes over what follows the end of the stream within", async (ends) => {
  const { deflate, inner } = ends;
  inner.push(join(deflateRawSync(bytesOf("abc")), "what follows is of no stream"));
  inner.end();

  assertEquals(textOf(await read(deflate, 10)), "abc");
  assertEquals(await deflate.read(new Uint8Array(1)), null);
});

const GARBAGE: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ["a block of no type", hex("07070707")],
  ["a plain command", bytesOf("PUB topic\n")],
  ["a plain block whose length is wrong", hex("0005000000")],
  ["a distance to before the beginning", hex("0a0344ffffff")],
];

for (const [name, bytes] of GARBAGE) {
  deflateTest(`DeflateConnection.read() fails with ${name}, again and again`, async ({ deflate, inner }) => {
    inner.push(join(flushed(bytesOf("abc")), bytes, new Uint8Array(100).fill(0xff)));

    const error = await assertRejects(() => read(deflate, 1000));
    const again = await assertRejects(() => deflate.read(new Uint8Array(1)));

    assertEquals(again, error);
  });
}

deflateTest("DeflateConnection.read() fails with what the connection below fails with", async (ends) => {
  ends.inner.closed = true;

  await assertRejects(() => ends.deflate.read(new Uint8Array(1)), Deno.errors.BadResource);
});

deflateTest("DeflateConnection.write() fails with what the connection below fails with", async (ends) => {
  ends.inner.closed = true;

  await assertRejects(() => ends.deflate.write(new Uint8Array(1)), Deno.errors.BrokenPipe);
});

deflateTest(
  "DeflateConnection reads a bomb as its reader does, and no faster",
  async ({ deflate, inner }) => {
    // 1 GiB of zeros, in 1 MiB.
    const piece = flushed(new Uint8Array(MIB));
    for (let i = 0; i < 1024; i++) inner.push(piece);
    const externalBefore = Deno.memoryUsage().external;

    // The reader stops after a byte: of 16 KiB of the bomb would come 16 MiB.
    await deflate.read(new Uint8Array(1));
    await settle();
    const [stoppedBytes, stoppedMemory] = [inner.readBytes, Deno.memoryUsage().external - externalBefore];
    const data = await read(deflate, 32 * MIB);

    assertLessOrEqual(stoppedBytes, READ_SIZE);
    assertLessOrEqual(stoppedMemory, MIB);
    assertEquals(data.length, 32 * MIB);
    assertLessOrEqual(inner.readBytes, 33 * piece.length + READ_SIZE);
  },
);

deflateTest("DeflateConnection.close() ends a read that waits for the peer", async ({ deflate, inner }) => {
  const failed = assertRejects(() => deflate.read(new Uint8Array(1)), Deno.errors.Interrupted);
  await settle();

  deflate.close();

  await failed;
  assertEquals(inner.closed, true);
});

deflateTest("DeflateConnection.close() ends a read in the middle of the work", async ({ deflate, inner }) => {
  inner.push(flushed(new Uint8Array(10 * MIB)));
  const buffer = new Uint8Array(1000);
  await deflate.read(buffer);
  const ended = Promise.allSettled([(async () => {
    while (await deflate.read(buffer) !== null);
  })()]);
  await Promise.resolve();

  deflate.close();

  await ended;
  assertEquals(inner.closed, true);
});

const MOMENTS: readonly (readonly [when: string, wait: () => Promise<void>])[] = [
  ["in the middle of the work", () => Promise.resolve()],
  ["that is held", settle],
];

for (const [when, wait] of MOMENTS) {
  deflateTest(`DeflateConnection.close() ends a write ${when}`, async ({ deflate, inner }) => {
    inner.hold();
    const ended = Promise.allSettled([deflate.write(new Random(1).bytes(200_000))]);
    await wait();

    deflate.close();

    await ended;
    assertEquals(inner.written, []);
  });
}

deflateTest(
  "DeflateConnection.close() may be called again, and nothing can be read or written after",
  async (ends) => {
    ends.deflate.close();
    ends.deflate.close();

    await assertRejects(() => ends.deflate.write(new Uint8Array(1)));
    assertEquals(await ends.deflate.read(new Uint8Array(1)), null);
  },
);

deflateTest(
  "DeflateConnection is at its end when something comes behind the end of the stream",
  async (ends) => {
    const { deflate, inner } = ends;
    inner.push(deflateRawSync(bytesOf("the last")));

    assertEquals(textOf(await read(deflate, 8)), "the last");
    const reading = deflate.read(new Uint8Array(1));
    await settle();
    inner.push(bytesOf("more"));

    assertEquals(await reading, null);
  },
);

deflateTest(
  "DeflateConnection is at its end when that comes in one piece with the stream's",
  async (ends) => {
    const { deflate, inner } = ends;
    inner.push(join(deflateRawSync(bytesOf("the last")), "more"));

    assertEquals(textOf(await read(deflate, 100)), "the last");
  },
);
