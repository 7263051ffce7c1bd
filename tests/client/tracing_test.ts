import * as openTelemetry from "@opentelemetry/api";
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  Consumer,
  Producer,
  type Tracing,
  type TracingAttributes,
  type TracingSpanOptions,
} from "../../src/client/mod.ts";
import { eventually } from "../support/eventually.ts";
import { FakeNsqd } from "../support/fake_nsqd.ts";

interface FakeSpan extends TracingSpanOptions {
  readonly name: string;
  /** What was active when it began. */
  readonly parent: unknown;
  readonly set: Record<string, string>;
  readonly exceptions: Error[];
  status?: { readonly code: number };
  ended: boolean;
}

/** OpenTelemetry, as far as the client uses it; keeps everything. A context is the name of the active span. */
class FakeTelemetry {
  readonly spans: FakeSpan[] = [];
  readonly recorded: (readonly [name: string, attributes: TracingAttributes])[] = [];
  active: unknown = undefined;

  readonly api: Tracing = {
    trace: {
      getTracer: () => ({
        startSpan: (name, options, context = this.active) => {
          const span: FakeSpan = { ...options, name, parent: context, set: {}, exceptions: [], ended: false };
          this.spans.push(span);
          return {
            name,
            setAttribute: (key, value) => span.set[key] = value,
            setStatus: (status) => span.status = status,
            recordException: (error) => span.exceptions.push(error),
            end: () => span.ended = true,
          };
        },
      }),
      setSpan: (_, span) => "name" in span ? span.name : undefined,
      getSpanContext: (context) =>
        context === undefined ? undefined : { traceId: "t", spanId: String(context), traceFlags: 1 },
    },
    metrics: {
      getMeter: () => ({
        createHistogram: (name) => ({ record: (_, attributes) => this.recorded.push([name, attributes]) }),
        createCounter: (name) => ({ add: (_, attributes) => this.recorded.push([name, attributes]) }),
      }),
    },
    context: {
      active: () => this.active,
      with: (context, run) => {
        const before = this.active;
        this.active = context;
        try {
          return run();
        } finally {
          this.active = before;
        }
      },
    },
  };
}

Deno.test("Producer takes the package of OpenTelemetry as it is", async () => {
  await using nsqd = new FakeNsqd();
  await using producer = new Producer({ nsqd: [nsqd.address], tracing: openTelemetry });

  await Promise.all(["a", "b"].map((body) => producer.publish("orders", body)));

  assertEquals(nsqd.lines(), ["MPUB orders"]);
});

Deno.test("Producer makes a span for one message, a child of that in which it was published", async () => {
  await using nsqd = new FakeNsqd();
  const telemetry = new FakeTelemetry();
  await using producer = new Producer({ nsqd: [nsqd.address], tracing: telemetry.api });

  await telemetry.api.context.with("request", () => producer.publish("orders", "abc"));

  const [span] = telemetry.spans;
  assertEquals([telemetry.spans.length, span.name, span.kind, span.parent, span.ended], [
    1,
    "pub orders",
    3,
    "request",
    true,
  ]);
  assertEquals(span.attributes, {
    "messaging.system": "nsq",
    "messaging.operation.name": "pub",
    "messaging.operation.type": "send",
    "messaging.destination.name": "orders",
    "messaging.message.body.size": 3,
    "server.address": "127.0.0.1",
    "server.port": nsqd.port,
  });
  assertEquals(telemetry.recorded.map(([name]) => name), [
    "messaging.client.operation.duration",
    "messaging.client.sent.messages",
  ]);
});

Deno.test("Producer makes one span for a batch, linked to those in which its messages were published", async () => {
  await using nsqd = new FakeNsqd();
  const telemetry = new FakeTelemetry();
  await using producer = new Producer({ nsqd: [nsqd.address], tracing: telemetry.api });

  await Promise.all([
    telemetry.api.context.with("one", () => producer.publish("orders", "a")),
    telemetry.api.context.with("two", () => producer.publish("orders", "b")),
    producer.publish("orders", "c"),
  ]);

  const [span] = telemetry.spans;
  assertEquals([telemetry.spans.length, span.name, span.kind], [1, "mpub orders", 2]);
  assertEquals(span.links?.map(({ context }) => context.spanId), ["one", "two"]);
  assertEquals(span.attributes["messaging.batch.message_count"], 3);
});

Deno.test("Producer says in its span what went wrong", async () => {
  await using nsqd = new FakeNsqd({ answer: () => "E_BAD_TOPIC no" });
  const telemetry = new FakeTelemetry();
  await using producer = new Producer({ nsqd: [nsqd.address], tracing: telemetry.api });

  await assertRejects(() => producer.publish("orders#ephemeral", "a"));

  const [span] = telemetry.spans;
  assertEquals([span.set, span.status?.code, span.exceptions.length, span.ended], [
    { "error.type": "E_BAD_TOPIC" },
    2,
    1,
    true,
  ]);
  assertEquals(span.attributes["messaging.destination.temporary"], true);
  assertEquals(telemetry.recorded[0][1]["error.type"], "E_BAD_TOPIC");
});

Deno.test("Consumer.run() makes a span for each run of a handler, which is active while it runs", async () => {
  await using nsqd = new FakeNsqd();
  const telemetry = new FakeTelemetry();
  await using consumer = new Consumer("orders", "billing", { nsqd: [nsqd.address], tracing: telemetry.api });
  const active: unknown[] = [];
  void consumer.run((message) => {
    active.push(telemetry.active);
    if (message.text() === "bad") throw new TypeError("no");
    return message.text() === "slow" ? Promise.resolve() : undefined;
  });
  await eventually("it is connected", () => nsqd.lines("RDY").length === 1);

  await nsqd.deliver(["good", "slow", "bad"], 2);

  await eventually("all are handled", () => telemetry.spans.filter(({ ended }) => ended).length === 3);
  assertEquals(active, ["process orders", "process orders", "process orders"]);
  assertEquals(telemetry.spans.map(({ kind, set }) => [kind, set]), [
    [4, {}],
    [4, {}],
    [4, { "error.type": "TypeError" }],
  ]);
  const { attributes } = telemetry.spans[0];
  assertEquals([attributes["messaging.message.id"], attributes["messaging.nsq.message.attempts"]], [
    "0".repeat(16),
    2,
  ]);
  assertEquals(attributes["messaging.destination.subscription.name"], "billing");
  const names = telemetry.recorded.map(([name]) => name);
  assertEquals(names.filter((name) => name === "messaging.client.consumed.messages").length, 3);
  assertEquals(names.filter((name) => name === "messaging.process.duration").length, 3);
  assert(telemetry.spans.every(({ parent }) => parent === undefined));
});
