import { assertEquals, assertStringIncludes } from "@std/assert";
import { NSQ_TAIL } from "../../src/tools/nsq_tail.ts";
import { countsOf, nsqdTest } from "../support/nsqd_in_process.ts";
import { publish } from "../support/tool_messages.ts";
import { FakeToolWorld } from "../support/tool_world.ts";

type Answer = (url: URL) => Response | unknown;

/** A test with a server that answers as nsqd's HTTP API would; `asked` are the paths with their queries. */
function peekTest(
  name: string,
  answer: Answer,
  test: (address: string, asked: readonly string[]) => Promise<void>,
): void {
  Deno.test(name, async () => {
    const asked: string[] = [];
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => undefined },
      (request) => {
        const url = new URL(request.url);
        asked.push(url.pathname + url.search);
        const answered = answer(url);
        return answered instanceof Response ? answered : Response.json(answered);
      },
    );
    await test(`127.0.0.1:${server.addr.port}`, asked);
  });
}

function message(n: number, others: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    id: `000000000000000${n}`,
    state: "waiting",
    attempts: 0,
    timestamp: `170000000000000000${n}`,
    size: 1,
    body: `body ${n}`,
    ...others,
  };
}

function page(messages: readonly unknown[], cursor: string | null = null): unknown {
  return { messages, cursor, looked: messages.length, unreadable: 0, partly: 0 };
}

function flags(address: string, ...others: string[]): string[] {
  return ["--peek", "--topic=t", "--channel=ch", `--nsqd-http-address=${address}`, ...others];
}

peekTest(
  "nsq_tail --peek shows all pages, and ends",
  (url) => url.searchParams.has("cursor") ? page([message(3)]) : page([message(1), message(2)], "next&1"),
  async (address, asked) => {
    const world = new FakeToolWorld();

    assertEquals(await world.run(NSQ_TAIL, ...flags(address)), 0);

    assertEquals(world.out, "body 1\nbody 2\nbody 3\n");
    assertEquals(asked, [
      "/messages?topic=t&channel=ch&max=100&body=16384",
      "/messages?topic=t&channel=ch&max=100&body=16384&cursor=next%261",
    ]);
  },
);

peekTest(
  "nsq_tail --peek -J says where a message is",
  () => page([message(1, { state: "deferred", attempts: 2 })]),
  async (address) => {
    const world = new FakeToolWorld();

    await world.run(NSQ_TAIL, ...flags(address, "-J"));

    assertEquals(JSON.parse(world.out), {
      topic: "t",
      channel: "ch",
      id: "0000000000000001",
      timestamp: "1700000000000000001",
      attempts: 2,
      node: address,
      state: "deferred",
      body: "body 1",
    });
  },
);

peekTest(
  "nsq_tail --peek asks for long bodies alone, and leaves out those that are finished meanwhile",
  (url) => {
    if (url.pathname === "/messages") {
      return page([
        message(1, { cut: true }),
        message(2, { cut: true }),
        message(3, { body: "AP8=", encoding: "base64" }),
      ]);
    }
    if (url.searchParams.get("id") === "0000000000000002") {
      return Response.json({ message: "MESSAGE_NOT_FOUND" }, { status: 404 });
    }
    return new Response("the whole body");
  },
  async (address, asked) => {
    const world = new FakeToolWorld();

    assertEquals(await world.run(NSQ_TAIL, ...flags(address)), 0);

    assertEquals(world.outBytes, [...new TextEncoder().encode("the whole body\n"), 0, 255, 10]);
    assertEquals(asked[1], "/message?topic=t&channel=ch&id=0000000000000001&format=raw");
  },
);

peekTest(
  "nsq_tail --peek shows only so many, and what --filter and --since let through",
  () =>
    page([
      message(1, { timestamp: "1" }),
      ...[2, 3, 4].map((n) => message(n, { timestamp: `${Date.now()}000000` })),
    ], "x"),
  async (address, asked) => {
    const world = new FakeToolWorld();

    await world.run(NSQ_TAIL, ...flags(address, "-n=1", "--since=1h", "--filter=body != 'body 2'"));

    assertEquals([world.out, asked.length], ["body 3\n", 1]);
  },
);

let busy = 1;
peekTest(
  "nsq_tail --peek waits while too many look",
  () => busy-- > 0 ? Response.json({ message: "TOO_MANY_PEEKS" }, { status: 429 }) : page([message(1)]),
  async (address) => {
    const world = new FakeToolWorld();

    assertEquals([await world.run(NSQ_TAIL, ...flags(address)), world.out], [0, "body 1\n"]);
  },
);

for (
  const [status, code, text] of [
    [404, "TOPIC_NOT_FOUND", "there is no topic t"],
    [404, "CHANNEL_NOT_FOUND", "topic t has no channel ch"],
    [404, "NOT_FOUND", "it cannot show messages without delivering them; denosq's nsqd can"],
    [403, "FORBIDDEN", "it demands a token that may look: --http-token"],
    [500, "INTERNAL_ERROR", "got response 500"],
  ] as const
) {
  peekTest(
    `nsq_tail --peek says what ${status} ${code} means`,
    () => Response.json({ message: code }, { status }),
    async (address) => {
      const world = new FakeToolWorld();

      assertEquals(await world.run(NSQ_TAIL, ...flags(address)), 1);
      assertStringIncludes(world.err, text);
    },
  );
}

Deno.test("nsq_tail --peek ends with exit code 1 when nobody is there to ask", async () => {
  const world = new FakeToolWorld();

  assertEquals(await world.run(NSQ_TAIL, ...flags("127.0.0.1:1")), 1);
  assertStringIncludes(world.err, "cannot look at messages of 127.0.0.1:1 - ");
});

for (
  const [args, text] of [
    [["--peek", "--topic=t", "--nsqd-tcp-address=a:1"], "--peek needs --nsqd-http-address instead"],
    [["--peek", "--topic=t"], "--nsqd-http-address or --lookupd-http-address required"],
    [["--peek", "--nsqd-http-address=a:1"], "--topic required"],
    [["--peek", "--topic=t", "--nsqd-http-address=a:1", "--ack=requeue"], "there is nothing to --ack"],
    [["--since=1h", "--topic=t", "--nsqd-tcp-address=a:1"], "--since goes with --peek"],
  ] as const
) {
  Deno.test(`nsq_tail ${args.join(" ")} is refused: ${text}`, async () => {
    const world = new FakeToolWorld();

    assertEquals(await world.run(NSQ_TAIL, ...args), 1);
    assertStringIncludes(world.err, text);
  });
}

nsqdTest("nsq_tail --peek shows what an nsqd of ours has, and leaves it there", async (nsqd) => {
  const long = "x".repeat(100_000);
  await publish(nsqd, "t", ["a", '{"b":1}', Uint8Array.of(0, 255), long]);
  const world = new FakeToolWorld();

  const address = nsqd.httpUrl.slice("http://".length);
  assertEquals(await world.run(NSQ_TAIL, ...flags(address, "--format=%V %v{hex}\\n")), 0);

  assertEquals(world.out.split("\n").map((line) => line.slice(0, 20)), [
    "1 61",
    "7 7b2262223a317d",
    "2 00ff",
    "100000 7878787878787878".slice(0, 20),
    "",
  ]);
  assertEquals(countsOf(nsqd, "t", "ch"), { depth: 4, inFlight: 0, deferred: 0 });
});
