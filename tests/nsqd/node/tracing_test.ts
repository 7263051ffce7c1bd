import { assertEquals } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../../src/base/logger.ts";
import { parseTraceparent, SPANS_PER_CONSUMER_MAX, Tracing } from "../../../src/nsqd/node/tracing.ts";
import { eventually } from "../../support/eventually.ts";
import { RawClient } from "../../support/frames_client.ts";
import { startNsqd } from "../../support/nsqd_process.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const SAMPLED = `00-${TRACE}-${SPAN}-01`;

const TRACEPARENTS: readonly (readonly [text: string | undefined, isTaken: boolean])[] = [
  [SAMPLED, true],
  [`00-${TRACE}-${SPAN}-03`, true],
  // A version that is not known yet, with more behind.
  [`cc-${TRACE}-${SPAN}-01-what`, true],
  [undefined, false],
  ["", false],
  [`00-${TRACE}-${SPAN}-00`, false],
  [`ff-${TRACE}-${SPAN}-01`, false],
  [`00-${"0".repeat(32)}-${SPAN}-01`, false],
  [`00-${TRACE}-${"0".repeat(16)}-01`, false],
  [`00-${TRACE.toUpperCase()}-${SPAN}-01`, false],
  [`00-${TRACE}-${SPAN}-1`, false],
  [`00-${TRACE}-${SPAN}-011`, false],
  [` ${SAMPLED}`, false],
];

for (const [text, isTaken] of TRACEPARENTS) {
  Deno.test(`parseTraceparent() ${isTaken ? "takes" : "passes over"} ${JSON.stringify(text)}`, () => {
    const context = parseTraceparent(text);

    assertEquals(context && [context.traceId, context.spanId], isTaken ? [TRACE, SPAN] : undefined);
  });
}

Deno.test("Tracing.load() gives nothing where nobody has asked for traces", async () => {
  const lines: string[] = [];
  const logger = new Logger({ prefix: "", level: LOG_LEVELS.info, write: (line) => lines.push(line) });

  assertEquals(await Tracing.load({ nodeId: 5, logger }), undefined);
  assertEquals(lines, []);
});

interface Span {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly status: { readonly code?: number; readonly message?: string };
}

interface RawSpan extends Omit<Span, "attributes"> {
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
}

/** Takes what OpenTelemetry exports by OTLP. */
class Collector implements AsyncDisposable {
  readonly spans: Span[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      const data = await request.json();
      for (const { scopeSpans } of data.resourceSpans ?? []) {
        for (const { spans } of scopeSpans) this.spans.push(...(spans as RawSpan[]).map(readable));
      }
      return Response.json({});
    });
  }

  /** What makes a program export to it. */
  get env(): Record<string, string> {
    return {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${this.#server.addr.port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_BSP_SCHEDULE_DELAY: "50",
    };
  }

  /** The span of the publish, and the others by attempt: what is exported apart may come in any order. */
  sorted(): { readonly published: Span; readonly deliveries: readonly Span[] } {
    const isPublish = ({ name }: Span) => !name.startsWith("process ");
    const attempts = ({ attributes }: Span) => Number(attributes["messaging.nsq.message.attempts"]);
    const deliveries = this.spans.filter((span) => !isPublish(span));
    return {
      published: this.spans.filter(isPublish)[0],
      deliveries: deliveries.sort((a, b) => attempts(a) - attempts(b)),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

function readable({ attributes, ...span }: RawSpan): Span {
  const entries = attributes.map(({ key, value }) => [key, Object.values(value)[0]]);
  return { ...span, attributes: Object.fromEntries(entries) };
}

async function publish(httpAddress: string, path: string, headers: Record<string, string>): Promise<void> {
  const response = await fetch(`http://${httpAddress}${path}`, { method: "POST", body: "hello", headers });
  assertEquals(await response.text(), "OK");
}

Deno.test("A collector sees a publish as a part of the client's trace, and each delivery linked to it", async () => {
  await using collector = new Collector();
  await using nsqd = await startNsqd({ args: ["--node-id=5"], env: collector.env });
  await nsqd.run(async () => {
    await publish(nsqd.httpAddress, "/pub?topic=t", { traceparent: SAMPLED });
    await publish(nsqd.httpAddress, "/pub?topic=t", { traceparent: `00-${TRACE}-${SPAN}-00` });
    await publish(nsqd.httpAddress, "/pub?topic=t", {});
    using client = await RawClient.connect(nsqd.tcpAddress);
    await client.ask("SUB t c\n");
    await client.send("RDY 1\n");
    const { id } = await client.message();
    await client.send(`REQ ${id} 0\n`);
    for (let finished = 0; finished < 3; finished++) {
      await client.send(`FIN ${(await client.message()).id}\n`);
    }

    await eventually("all spans", () => collector.spans.length >= 3);
  });
  await nsqd.stop();

  const { published, deliveries } = collector.sorted();
  assertEquals([published.name, published.kind, published.traceId, published.parentSpanId], [
    "pub t",
    4,
    TRACE,
    SPAN,
  ]);
  assertEquals(published.attributes, {
    "messaging.system": "nsq",
    "messaging.destination.name": "t",
    "messaging.operation.name": "pub",
    "messaging.operation.type": "send",
    "messaging.message.body.size": 5,
  });
  assertEquals(
    deliveries.map(({ name, kind, links, attributes, status }) => [
      name,
      kind,
      links.map(({ traceId, spanId }) => [traceId, spanId]),
      attributes["messaging.nsq.message.attempts"],
      attributes["error.type"],
      status.code ?? 0,
    ]),
    [
      ["process t", 5, [[TRACE, published.spanId]], 1, "requeued", 2],
      ["process t", 5, [[TRACE, published.spanId]], 2, undefined, 0],
    ],
  );
  const [, { attributes: { "messaging.message.id": id, "messaging.client.id": client, ...attributes } }] =
    deliveries;
  assertEquals([typeof id, String(id).length, typeof client], ["string", 16, "string"]);
  assertEquals(attributes, {
    "messaging.system": "nsq",
    "messaging.destination.name": "t",
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
    "messaging.destination.subscription.name": "c",
    "messaging.consumer.group.name": "c",
    "messaging.message.body.size": 5,
    "messaging.nsq.message.attempts": 2,
  });
});

Deno.test("The context of a trace survives a restart, and an MPUB's is each message's", async () => {
  await using collector = new Collector();
  const dataPath = await Deno.makeTempDir({ prefix: "denosq_test_" });
  try {
    {
      await using nsqd = await startNsqd({ dataPath, env: collector.env });
      const response = await fetch(`http://${nsqd.httpAddress}/mpub?topic=t`, {
        method: "POST",
        body: "a\nb",
        headers: { traceparent: SAMPLED },
      });
      assertEquals(await response.text(), "OK");
    }
    {
      await using nsqd = await startNsqd({ dataPath, env: collector.env });
      using client = await RawClient.connect(nsqd.tcpAddress);
      await client.ask("SUB t c\n");
      await client.send("RDY 2\n");
      for (let i = 0; i < 2; i++) await client.send(`FIN ${(await client.message()).id}\n`);
      await eventually("all spans", () => collector.spans.length >= 3);
    }

    const { published, deliveries } = collector.sorted();
    assertEquals([published.name, published.attributes["messaging.batch.message_count"]], ["mpub t", 2]);
    assertEquals(deliveries.map(({ name, links }) => [name, links[0].spanId]), [
      ["process t", published.spanId],
      ["process t", published.spanId],
    ]);
  } finally {
    await Deno.remove(dataPath, { recursive: true });
  }
});

Deno.test("A consumer over HTTP gets the context of a traced publish in each form, and its deliveries have spans", async () => {
  await using collector = new Collector();
  await using nsqd = await startNsqd({ env: collector.env });
  let contexts: (string | undefined)[] = [];
  await nsqd.run(async () => {
    const ask = (path: string, body = "") =>
      fetch(`http://${nsqd.httpAddress}/${path}`, { method: "POST", body });
    const received = async (channel: string) => {
      const { messages } = await (await ask(`receive?topic=t&channel=${channel}`)).json();
      return messages as { lease: string; traceparent?: string; body: string }[];
    };
    const channels = ["json", "raw", "events"].map((channel) => `channel/create?topic=t&channel=${channel}`);
    for (const path of ["topic/create?topic=t", ...channels]) {
      assertEquals(await (await ask(path)).text(), "");
    }
    await publish(nsqd.httpAddress, "/pub?topic=t", { traceparent: SAMPLED });
    await publish(nsqd.httpAddress, "/pub?topic=t", {});

    const [traced, untraced] = await received("json");
    assertEquals(Object.keys(untraced).includes("traceparent"), false);
    assertEquals(
      await (await ask("requeue?topic=t&channel=json", traced.lease)).text(),
      '{"done":1}',
    );
    const [again] = await received("json");
    assertEquals(await (await ask("finish?topic=t&channel=json", again.lease)).text(), '{"done":1}');

    const raw: (string | null)[] = [];
    for (let i = 0; i < 2; i++) {
      const { headers, body } = await ask("receive?topic=t&channel=raw&format=raw");
      await body?.cancel();
      raw.push(headers.get("traceparent"));
      const answer = await ask("finish?topic=t&channel=raw", headers.get("nsq-lease") ?? "");
      assertEquals(await answer.text(), '{"done":1}');
    }
    assertEquals(raw[1], null);

    const events = await eventsOf(`http://${nsqd.httpAddress}/subscribe?topic=t&channel=events&ack=auto`, 2);
    assertEquals(Object.keys(events[1]).includes("traceparent"), false);

    contexts = [traced.traceparent, again.traceparent, raw[0] ?? undefined, events[0].traceparent];
    await eventually("all spans", () => collector.spans.length >= 5);
  });
  await nsqd.stop();

  const published = collector.spans.find(({ name }) => name === "pub t");
  assertEquals(contexts, Array(4).fill(`00-${TRACE}-${published?.spanId}-01`));
  const link = [[TRACE, published?.spanId]];
  const deliveries = collector.spans.filter(({ name }) => name === "process t");
  assertEquals(collector.spans.length, 1 + deliveries.length);
  assertEquals(
    deliveries.map(({ kind, links, attributes }) => [
      kind,
      links.map(({ traceId, spanId }) => [traceId, spanId]),
      attributes["messaging.destination.subscription.name"],
      attributes["messaging.client.id"],
      attributes["messaging.nsq.message.attempts"],
      attributes["error.type"],
    ]),
    [
      [5, link, "json", "127.0.0.1", 1, "requeued"],
      [5, link, "json", "127.0.0.1", 2, undefined],
      [5, link, "raw", "127.0.0.1", 1, undefined],
      [5, link, "events", "127.0.0.1", 1, undefined],
    ],
  );
});

/** The data of so many events. */
async function eventsOf(url: string, count: number): Promise<{ readonly traceparent?: string }[]> {
  const { body } = await fetch(url);
  const events: { readonly traceparent?: string }[] = [];
  let text = "";
  for await (const piece of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += piece;
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) if (line.startsWith("data: ")) events.push(JSON.parse(line.slice(6)));
    if (events.length >= count) break;
  }
  return events;
}

Deno.test("A message that was traced is received without its context by a run in which nobody asks for traces", async () => {
  await using collector = new Collector();
  const dataPath = await Deno.makeTempDir({ prefix: "denosq_test_" });
  try {
    {
      await using nsqd = await startNsqd({ dataPath, env: collector.env });
      await publish(nsqd.httpAddress, "/pub?topic=t", { traceparent: SAMPLED });
    }
    await using nsqd = await startNsqd({ dataPath });
    const response = await fetch(`http://${nsqd.httpAddress}/receive?topic=t&channel=c&wait=10s`, {
      method: "POST",
    });
    const { messages: [message] } = await response.json();

    assertEquals(message.body, "hello");
    assertEquals(Object.keys(message).includes("traceparent"), false);
  } finally {
    await Deno.remove(dataPath, { recursive: true });
  }
});

Deno.test(`Of the traced messages that a consumer holds, ${SPANS_PER_CONSUMER_MAX} have a span at a time`, async () => {
  await using collector = new Collector();
  await using nsqd = await startNsqd({ env: collector.env });
  const count = SPANS_PER_CONSUMER_MAX + 1;
  const response = await fetch(`http://${nsqd.httpAddress}/mpub?topic=t`, {
    method: "POST",
    body: "a\n".repeat(count),
    headers: { traceparent: SAMPLED },
  });
  assertEquals(await response.text(), "OK");
  using client = await RawClient.connect(nsqd.tcpAddress);
  await client.ask("SUB t c\n");
  await client.send(`RDY ${count}\n`);
  const ids: string[] = [];
  while (ids.length < count) ids.push((await client.message()).id);
  await client.send(...ids.map((id) => `FIN ${id}\n`));
  // All have been finished then.
  await client.send("RDY 1\n");
  await publish(nsqd.httpAddress, "/pub?topic=t", { traceparent: SAMPLED });
  await client.send(`FIN ${(await client.message()).id}\n`);
  await eventually(
    "the last span",
    () => collector.spans.filter(({ name }) => name === "process t").length > SPANS_PER_CONSUMER_MAX,
  );
  await nsqd.stop();

  const delivered = collector.spans.filter(({ name }) => name === "process t");
  assertEquals(delivered.length, SPANS_PER_CONSUMER_MAX + 1);
  assertEquals(delivered.filter(({ attributes }) => attributes["error.type"] !== undefined), []);
});
