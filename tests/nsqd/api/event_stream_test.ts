import { assertEquals, assertRejects } from "@std/assert";
import { EventStream } from "../../../src/nsqd/api/event_stream.ts";
import type { LeasedMessage } from "../../../src/nsqd/queue/queue.ts";
import { FakeTimers } from "../../support/fake_timers.ts";
import { settle } from "../../support/settle.ts";

/** A stream of events, what its subscription is told, and its client. */
function eventStream() {
  const timers = new FakeTimers();
  const told: string[] = [];
  const stream = new EventStream(timers);
  stream.begin({ awake: () => told.push("awake"), close: () => told.push("close") });
  const reader = stream.readable.getReader();
  return {
    stream,
    timers,
    told,
    reader,
    /** What the client reads next. */
    async read(): Promise<string | undefined> {
      const { value } = await reader.read();
      return value && new TextDecoder().decode(value);
    },
    async pass(ms: number): Promise<void> {
      timers.advance(ms);
      await settle();
    },
  };
}

function message(size: number): LeasedMessage {
  return {
    id: "0123456789abcdef",
    lease: "0123456789abcdef.1.abcdefgh",
    attempts: 1,
    timestampNs: 1n,
    expiresInMs: 60_000.5,
    body: new Uint8Array(size).fill(0x61),
  };
}

Deno.test("EventStream sends all messages of a turn in one piece", async () => {
  const { stream, read } = eventStream();
  assertEquals(await read(), "retry: 2000\n\n");
  stream.send(message(1));
  stream.send(message(2));
  stream.flush();
  const event = (body: string) =>
    "id: 0123456789abcdef.1.abcdefgh\n" +
    'data: {"id":"0123456789abcdef","lease":"0123456789abcdef.1.abcdefgh","attempts":1,"timestamp":"1",' +
    `"expires_in_ms":60000,"body":"${body}"}\n\n`;

  assertEquals(await read(), event("a") + event("aa"));
  stream.end("stopping");
});

Deno.test("EventStream sends a comment every 15 s, while the client has room", async () => {
  const { stream, read, pass } = eventStream();
  await read();
  await pass(14_999);
  const comment = read();
  await pass(1);

  assertEquals(await comment, ":\n\n");
  stream.end("stopping");
});

Deno.test("EventStream has room for 64 KiB that wait, and asks for more when the client has read", async () => {
  const { stream, read, told } = eventStream();
  await read();
  stream.send(message(64 * 1024));
  assertEquals(stream.hasRoom, false);
  stream.flush();
  assertEquals(stream.hasRoom, false);
  told.length = 0;
  await read();
  await settle();

  assertEquals(stream.hasRoom, true);
  assertEquals(told, ["awake"]);
  stream.end("stopping");
});

Deno.test("EventStream leaves a client that has taken nothing for a minute of what waits for it", async () => {
  const { stream, read, told, pass, reader } = eventStream();
  await read();
  stream.send(message(64 * 1024));
  stream.flush();
  for (let i = 0; i < 3; i++) await pass(15_000);
  assertEquals(told.includes("close"), false);
  await pass(15_000);

  assertEquals(told.at(-1), "close");
  await assertRejects(() => reader.read(), Deno.errors.TimedOut);
});

Deno.test("EventStream tells its subscription when the client goes, and waits for nothing any more", async () => {
  const { stream, told, timers, reader } = eventStream();
  await reader.cancel();
  await settle();

  assertEquals(told.at(-1), "close");
  assertEquals(timers.sleeping, []);
  assertEquals(stream.hasRoom, false);
  stream.flush();
  stream.end("stopping");
});

for (
  const [reason, text] of [["stopping", "STOPPING"], ["deleted", "DELETED"], ["kicked", "KICKED"]] as const
) {
  Deno.test(`EventStream ends with an event that says it is because of ${reason}`, async () => {
    const { stream, read, timers } = eventStream();
    await read();
    stream.end(reason);
    stream.end(reason);

    assertEquals(await read(), `event: closing\ndata: {"message":"${text}"}\n\n`);
    assertEquals(await read(), undefined);
    await settle();
    assertEquals(timers.sleeping, []);
  });
}

Deno.test("EventStream whose subscription ended before it has begun ends it again", async () => {
  const told: string[] = [];
  const stream = new EventStream(new FakeTimers());
  await stream.readable.cancel();
  stream.begin({ awake: () => {}, close: () => told.push("close") });

  assertEquals(told, ["close"]);
});
