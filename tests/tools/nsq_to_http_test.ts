import { createHmac } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Producer } from "../../src/client/mod.ts";
import { NSQ_TO_HTTP } from "../../src/tools/nsq_to_http.ts";
import { eventually } from "../support/eventually.ts";
import { countsOf, type NsqdInProcess, nsqdTest } from "../support/nsqd_in_process.ts";
import { FakeToolWorld } from "../support/tool_world.ts";

const DONE = { depth: 0, inFlight: 0, deferred: 0 };

async function publish(nsqd: NsqdInProcess, bodies: readonly string[]): Promise<void> {
  for (const path of ["topic/create?topic=t", "channel/create?topic=t&channel=nsq_to_http"]) {
    const answer = await fetch(`${nsqd.httpUrl}/${path}`, { method: "POST" });
    await answer.body?.cancel();
  }
  await using producer = new Producer({ nsqd: [nsqd.tcpAddress] });
  await producer.publishMany("t", bodies);
}

interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  readonly body: string;
}

/** A server that remembers what was sent to it. */
class Endpoint implements AsyncDisposable {
  readonly received: Received[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  /** @param answer What it answers to the request of that number, counted from 1. */
  constructor(answer: (count: number) => Response = () => new Response()) {
    this.#server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
      const bytes = await request.bytes();
      const { pathname, search } = new URL(request.url);
      const { method, headers } = request;
      const body = new TextDecoder().decode(bytes);
      this.received.push({ method, path: pathname + search, headers, bytes, body });
      return answer(this.received.length);
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  get bodies(): string[] {
    return this.received.map(({ body }) => body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** Runs it until `until` is true, and stops it; the result is what it was run in. */
async function sent(
  nsqd: NsqdInProcess,
  flags: readonly string[],
  until: () => boolean,
): Promise<FakeToolWorld> {
  const world = new FakeToolWorld();
  const running = world.run(NSQ_TO_HTTP, "--topic=t", `--nsqd-tcp-address=${nsqd.tcpAddress}`, ...flags);
  await eventually("it has done what it is to do", until);
  world.send("SIGTERM");
  assertEquals(await running, 0);
  return world;
}

const isDone = (nsqd: NsqdInProcess) => () => {
  assertEquals(countsOf(nsqd, "t", "nsq_to_http"), DONE);
  return true;
};

nsqdTest("nsq_to_http sends each message as the body of a POST", async (nsqd) => {
  await using endpoint = new Endpoint();
  await publish(nsqd, ["the body"]);
  await sent(nsqd, [`--post=${endpoint.url}/in?x=1`], isDone(nsqd));

  const [{ method, path, headers, body }] = endpoint.received;
  assertEquals([method, path, body], ["POST", "/in?x=1", "the body"]);
  assertEquals(headers.get("content-type"), "application/octet-stream");
  assertEquals(headers.get("user-agent"), "nsq_to_http v1.3.0");
});

nsqdTest("nsq_to_http --get puts the message into the URL", async (nsqd) => {
  await using endpoint = new Endpoint();
  await publish(nsqd, ["a b&c"]);
  await sent(nsqd, [`--get=${endpoint.url}/in?m=%s`], isDone(nsqd));

  assertEquals(endpoint.received.map(({ method, path }) => [method, path]), [["GET", "/in?m=a+b%26c"]]);
});

nsqdTest("nsq_to_http sends again what was refused, however often", async (nsqd) => {
  await using endpoint = new Endpoint((count) => new Response(null, { status: count < 8 ? 500 : 200 }));
  await publish(nsqd, ["a"]);
  const flags = [
    `--post=${endpoint.url}`,
    "--consumer-opt=default_requeue_delay,1ms",
    "--consumer-opt=max_backoff_duration,0",
  ];
  const world = await sent(nsqd, flags, () => endpoint.received.length === 8 && isDone(nsqd)());

  assertEquals(endpoint.bodies, Array(8).fill("a"));
  assertMatch(world.err, /Handler returned error \(got status code 500\) for msg [0-9a-f]{16}/);
});

nsqdTest(
  "nsq_to_http gives up when it is told to, and publishes what it gives up to the dead letters",
  async (nsqd) => {
    await using endpoint = new Endpoint(() => new Response(null, { status: 500 }));
    await publish(nsqd, ["a"]);
    const flags = [
      `--post=${endpoint.url}`,
      "--consumer-opt=max_attempts,2",
      "--consumer-opt=default_requeue_delay,1ms",
      "--consumer-opt=max_backoff_duration,0",
      "--dead-letter-topic=dead",
    ];
    await sent(nsqd, flags, () => nsqd.nsqd.broker.topics.get("dead")?.messageCount === 1 && isDone(nsqd)());

    assertEquals(endpoint.received.length, 2);
  },
);

nsqdTest("nsq_to_http waits for as long as Retry-After says", async (nsqd) => {
  await using endpoint = new Endpoint(() =>
    new Response(null, { status: 503, headers: { "Retry-After": "3600" } })
  );
  await publish(nsqd, ["a"]);
  const world = await sent(
    nsqd,
    [`--post=${endpoint.url}`],
    () => countsOf(nsqd, "t", "nsq_to_http").deferred === 1,
  );

  assertStringIncludes(world.err, "got status code 503, and asks to wait for 3600 s");
});

nsqdTest("nsq_to_http --drop-on does not send again what is wrong for ever", async (nsqd) => {
  await using endpoint = new Endpoint(() => new Response(null, { status: 422 }));
  await publish(nsqd, ["a"]);
  const flags = [`--post=${endpoint.url}`, "--drop-on=4xx", "--dead-letter-topic=dead"];
  const world = await sent(nsqd, flags, isDone(nsqd));

  assertEquals(endpoint.received.length, 1);
  assertEquals(nsqd.nsqd.broker.topics.get("dead")?.messageCount, 1);
  assertMatch(world.err, /got status code 422 for msg [0-9a-f]{16}, which is not sent again/);
});

nsqdTest(
  "nsq_to_http --mode=all sends a message to every URL, and finishes it when all have it",
  async (nsqd) => {
    await using first = new Endpoint();
    await using second = new Endpoint((count) => new Response(null, { status: count === 1 ? 500 : 200 }));
    await publish(nsqd, ["a"]);
    const flags = [
      "--mode=all",
      `--post=${first.url}`,
      `--post=${second.url}`,
      "--consumer-opt=default_requeue_delay,1ms",
      "--consumer-opt=max_backoff_duration,0",
    ];
    await sent(nsqd, flags, () => second.received.length === 2 && isDone(nsqd)());

    assertEquals(first.bodies, ["a", "a"]);
  },
);

nsqdTest("nsq_to_http --batch sends several messages as one request", async (nsqd) => {
  await using endpoint = new Endpoint();
  await publish(nsqd, ['{"a":1}', '{"a":2}', '{"a":3}']);
  await sent(nsqd, [`--post=${endpoint.url}`, "--batch=3", "--batch-wait=1h"], isDone(nsqd));

  assertEquals(endpoint.bodies, ['{"a":1}\n{"a":2}\n{"a":3}\n']);
});

nsqdTest("nsq_to_http sends what is no full batch when it is stopped", async (nsqd) => {
  await using endpoint = new Endpoint();
  await publish(nsqd, ["1"]);
  const flags = [`--post=${endpoint.url}`, "--batch=3", "--batch-wait=1h", "--batch-form=json"];
  await sent(nsqd, flags, () => countsOf(nsqd, "t", "nsq_to_http").inFlight === 1);

  // What it had taken was sent; what was still on its way to it went back.
  const { depth, inFlight } = countsOf(nsqd, "t", "nsq_to_http");
  assertEquals(inFlight, 0);
  assertEquals(endpoint.bodies, depth === 0 ? ["[1]"] : []);
});

nsqdTest(
  "nsq_to_http --meta-headers tells what a message is, and a key that stays the same",
  async (nsqd) => {
    await using endpoint = new Endpoint((count) => new Response(null, { status: count === 1 ? 500 : 200 }));
    await publish(nsqd, ["a"]);
    const flags = [
      `--post=${endpoint.url}`,
      "--meta-headers",
      "--method=put",
      "--consumer-opt=default_requeue_delay,1ms",
      "--consumer-opt=max_backoff_duration,0",
    ];
    await sent(nsqd, flags, () => endpoint.received.length === 2 && isDone(nsqd)());

    const [first, second] = endpoint.received.map(({ headers }) => headers);
    assertEquals(endpoint.received.map(({ method }) => method), ["PUT", "PUT"]);
    assertEquals([first.get("x-nsq-topic"), first.get("x-nsq-channel")], ["t", "nsq_to_http"]);
    assertEquals([first.get("x-nsq-attempts"), second.get("x-nsq-attempts")], ["1", "2"]);
    assertMatch(first.get("x-nsq-id") ?? "", /^[0-9a-f]{16}$/);
    assertMatch(first.get("x-nsq-timestamp") ?? "", /^\d{19}$/);
    assertEquals(first.get("idempotency-key"), second.get("idempotency-key"));
  },
);

nsqdTest("nsq_to_http --gzip compresses bodies, and --hmac-key-file signs what is sent", async (nsqd) => {
  await using endpoint = new Endpoint();
  await publish(nsqd, ["a".repeat(1000)]);
  const key = await Deno.makeTempFile();
  await Deno.writeTextFile(key, "secret\n");
  await sent(nsqd, [`--post=${endpoint.url}`, "--gzip", `--hmac-key-file=${key}`], isDone(nsqd));
  await Deno.remove(key);

  const [{ headers, bytes }] = endpoint.received;
  assertEquals(headers.get("content-encoding"), "gzip");
  assertEquals(gunzipSync(bytes).toString(), "a".repeat(1000));
  const signature = createHmac("sha256", "secret").update(bytes).digest("hex");
  assertEquals(headers.get("x-signature-256"), `sha256=${signature}`);
});

nsqdTest("nsq_to_http gives up a request that takes too long, and finishes nothing", async (nsqd) => {
  const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of silent) accepted.push(connection);
  })();
  await publish(nsqd, ["a"]);
  const flags = [`--post=http://127.0.0.1:${silent.addr.port}/`, "--http-client-request-timeout=20ms"];
  const world = await sent(nsqd, flags, () => countsOf(nsqd, "t", "nsq_to_http").deferred === 1);
  silent.close();
  await accepting;
  for (const connection of accepted) connection.close();

  assertStringIncludes(world.err, "no answer within 20 ms");
});

nsqdTest("nsq_to_http --sample=0 sends nothing", async (nsqd) => {
  await using endpoint = new Endpoint();
  await publish(nsqd, ["a", "b"]);
  await sent(nsqd, [`--post=${endpoint.url}`, "--sample=0"], isDone(nsqd));

  assertEquals(endpoint.received, []);
});

const FROM = "--nsqd-tcp-address=127.0.0.1:1";
const POST = "--post=http://127.0.0.1:1/";
for (
  const [args, code, text] of [
    [[FROM, POST], 1, "--topic and --channel are required"],
    [["--topic=t", FROM], 1, "--get or --post required"],
    [["--topic=t", POST], 1, "--nsqd-tcp-address or --lookupd-http-address required"],
    [
      ["--topic=t", FROM, "--get=http://a/%s", "--content-type=a/b"],
      1,
      "--content-type only used with --post",
    ],
    [["--topic=t", FROM, POST, "--get=http://a/%s"], 1, "use --get or --post not both"],
    [["--topic=t", FROM, "--get=http://a/"], 1, "invalid GET address - must be a printf string"],
    [["--topic=t", FROM, "--post=a.example:80"], 1, 'not the URL of an HTTP server: "a.example:80"'],
    [["--topic=t", FROM, POST, "--sample=1.5"], 1, "--sample must be between 0.0 and 1.0"],
    [["--topic=t", FROM, POST, "--header=nocolon"], 1, "--header value format should be 'Name: value'"],
    [
      ["--topic=t", FROM, POST, "--mode=some"],
      2,
      "must be one of round-robin, hostpool, epsilon-greedy, all",
    ],
    [["--topic=t", FROM, POST, "--drop-on=bad"], 2, "must be statuses such as 400,422 or 4xx"],
    [["--topic=t", FROM, "--get=http://a/%s", "--batch=2"], 1, "--batch needs --post"],
    [["--topic=t", FROM, POST, "--batch=2", "--meta-headers"], 1, "not with --batch"],
    [["--topic=t", FROM, POST, "--client-cert=a"], 1, "--client-cert and --client-key go together"],
    [["--topic=t", FROM, POST, "--hmac-key-file=/nowhere"], 1, "--hmac-key-file cannot be read - "],
    [["--topic=t", FROM, POST, "--retry=false"], 1, "cannot connect to nsqd 127.0.0.1:1"],
  ] as const
) {
  Deno.test(`nsq_to_http ${args.join(" ")} ends with exit code ${code} and says: ${text}`, async () => {
    const world = new FakeToolWorld();

    assertEquals(await world.run(NSQ_TO_HTTP, ...args), code);
    assertStringIncludes(world.err, text);
  });
}
