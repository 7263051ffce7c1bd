/**
 * nsqd on a machine whose clock is set while clients are connected.
 *
 * @module
 */
import { assertEquals, assertLessOrEqual } from "@std/assert";
import { RawClient } from "../support/frames_client.ts";
import { identify, type MessageFrame, pub, response } from "../support/frames.ts";
import { startNsqd } from "../support/nsqd_process.ts";
import { SteppedClock } from "../support/stepped_clock.ts";

const HEARTBEAT = response("_heartbeat_");
const HEARTBEAT_INTERVAL_MS = 1000;
/** More than nsqd takes to notice a step, and than a client may be silent. */
const BEATS = 4;
const SECOND_MS = 1000;
const HOUR_MS = 3600 * SECOND_MS;
/** Of the tested timestamps; the steps are longer. */
const TOLERANCE_MS = 30 * SECOND_MS;

Deno.test("Nsqd serves healthy clients on while the machine's clock is set forward and back", async () => {
  using clock = new SteppedClock();
  await using nsqd = await startNsqd({ command: clock.command("nsqd") });
  await nsqd.run(async () => {
    const address = nsqd.tcpAddress;
    using publisher = await RawClient.connect(address);
    using consumer = await RawClient.connect(address);
    await consumer.ask(identify({ heartbeat_interval: HEARTBEAT_INTERVAL_MS }));
    await consumer.ask("SUB t c\n");
    await consumer.send("RDY 2\n");
    await publisher.ask(pub("t", "held"));
    const held = await consumer.message();

    for (const shiftMs of [90 * SECOND_MS, HOUR_MS, -HOUR_MS]) {
      clock.set(shiftMs);

      // Nothing else comes: what is in flight is not given out again.
      for (let i = 0; i < BEATS; i++) {
        assertEquals(await consumer.frame(), HEARTBEAT, `clock set by ${shiftMs} ms`);
        await consumer.send("NOP\n");
      }
      assertEquals(await publisher.ask(pub("t", `at ${shiftMs}`)), "OK");
      const message = await nextMessage(consumer);
      assertEquals([message.body, message.attempts], [`at ${shiftMs}`, 1]);
      // It has noticed.
      const offMs = Number(message.timestampNs / 1_000_000n) - (Date.now() + shiftMs);
      assertLessOrEqual(Math.abs(offMs), TOLERANCE_MS);
      await consumer.send(`FIN ${message.id}\n`);
    }

    await consumer.send(`FIN ${held.id}\n`);
    assertEquals(await consumer.frame(), HEARTBEAT);
    const stats = await (await fetch(`http://${nsqd.httpAddress}/stats?format=json&topic=t`)).json();
    const { depth, in_flight_count, timeout_count, requeue_count, client_count } =
      stats.topics[0].channels[0];
    assertEquals({ depth, in_flight_count, timeout_count, requeue_count, client_count }, {
      depth: 0,
      in_flight_count: 0,
      timeout_count: 0,
      requeue_count: 0,
      client_count: 1,
    });
  });
});

/** The next message; what takes its time on a machine that does much else has heartbeats before it. */
async function nextMessage(consumer: RawClient): Promise<MessageFrame> {
  for (;;) {
    const frame = await consumer.frame();
    if (frame.type === "message") return frame;
    assertEquals(frame, HEARTBEAT);
    await consumer.send("NOP\n");
  }
}
