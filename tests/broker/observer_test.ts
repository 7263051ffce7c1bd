import { assertEquals } from "@std/assert";
import type { FlightObserver } from "../../src/broker/consumer.ts";
import { testChannel } from "../support/broker_setup.ts";

/** Notes what it sees: bodies are `a`, `b` and so on. */
function notes(): { readonly observer: FlightObserver; readonly seen: string[] } {
  const seen: string[] = [];
  const bodies = new Map<number, string>();
  return {
    seen,
    observer: {
      began(segment, index, attempts) {
        const body = String.fromCharCode(segment.bytes[segment.bodyOffset(index)]);
        bodies.set(segment.base + index, body);
        seen.push(`${body} began ${attempts}`);
      },
      ended: (position, how) => seen.push(`${bodies.get(position)} ${how}`),
      emptied: () => seen.push("emptied"),
    },
  };
}

Deno.test("FlightObserver sees each delivery, and how it ends", () => {
  const { observer, seen } = notes();
  const test = testChannel();
  const { consumer, deliveries } = test.subscribe({ msgTimeoutMs: 1000, readyCount: 3, observer });
  test.publish("a", "b", "c");

  test.pump();
  const nowMs = test.clock.monotonicMs();
  test.channel.finish(consumer, deliveries[0].position, nowMs);
  test.channel.requeue(consumer, deliveries[1].position, { delayMs: 3_600_000, nowMs });
  test.clock.advance(1000);
  test.broker.scan(test.clock.monotonicMs());
  test.pump();
  test.channel.empty();

  assertEquals(seen, [
    "a began 1",
    "b began 1",
    "c began 1",
    "a finished",
    "b requeued",
    "c timedOut",
    "c began 2",
    "emptied",
  ]);
});

Deno.test("FlightObserver sees what a consumer that has gone still held, when its time is over", () => {
  const { observer, seen } = notes();
  const test = testChannel();
  const { consumer } = test.subscribe({ msgTimeoutMs: 1000, observer });
  test.publish("a");
  test.pump();

  test.channel.removeConsumer(consumer);
  test.clock.advance(1000);
  test.broker.scan(test.clock.monotonicMs());

  assertEquals(seen, ["a began 1", "a timedOut"]);
});
