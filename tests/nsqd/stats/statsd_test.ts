import { assertEquals } from "@std/assert";
import { FakeSleep } from "../../support/fake_sleep.ts";
import { httpApi } from "../../support/http_api.ts";
import { StatsdLoop, type StatsdWorld } from "../../../src/nsqd/stats/statsd_loop.ts";
import { percentileName } from "../../../src/nsqd/stats/statsd_names.ts";
import { statsdPrefixOf, statsdRefusal } from "../../../src/nsqd/stats/statsd_options.ts";
import { statsdPackets } from "../../../src/nsqd/stats/statsd_packets.ts";
import { defaultOptions } from "../../../src/config/option.ts";
import { NSQD_OPTIONS, type NsqdOptions } from "../../../src/nsqd/options.ts";
import { eventually } from "../../support/eventually.ts";

/** A loop on a broker of its own, whose packets are gathered. */
function statsd(given: Partial<NsqdOptions> = {}) {
  const options: NsqdOptions = {
    ...defaultOptions(NSQD_OPTIONS),
    statsdAddress: "statsd.example:8125",
    statsdPrefix: "",
    statsdMemStats: false,
    ...given,
  };
  const api = httpApi({ options });
  const time = new FakeSleep();
  const packets: string[] = [];
  const opened: string[] = [];
  let refusal = "";
  const world: StatsdWorld = {
    sleep: async (ms, signal) => {
      await time.sleep(ms, signal);
      api.clock.advance(ms);
    },
    open({ hostname, port }) {
      opened.push(`${hostname}:${port}`);
      if (refusal !== "") return Promise.reject(new Error(refusal));
      return Promise.resolve({
        send(packet) {
          packets.push(new TextDecoder().decode(packet));
          return Promise.resolve();
        },
        [Symbol.dispose]() {},
      });
    },
  };
  const loop = new StatsdLoop({ ...api.context, logger: api.context.logger, options }, world);
  const end = new AbortController();
  const running = loop.run(end.signal);
  return {
    ...api,
    time,
    opened,
    /** What has been sent since the last call, once there is something, as lines. */
    async lines(): Promise<string[]> {
      await eventually("a push", () => packets.length > 0 && time.left.length > 0);
      return packets.splice(0).join("").split("\n").slice(0, -1);
    },
    packets,
    logged: api.lines,
    refuse: (text: string) => refusal = text,
    [Symbol.asyncDispose]: async () => {
      end.abort();
      await running;
    },
  };
}

Deno.test("statsdLoop sends NSQ's names in NSQ's order, counters as differences", async () => {
  await using nsqd = statsd({ e2eProcessingLatencyPercentiles: [0.99] });
  const channel = nsqd.broker.topic("t").channel("c");
  channel.latency?.insert(2_000_000, nsqd.clock.monotonicMs());
  await nsqd.request("POST", "/mpub?topic=t", "1\n22");

  await nsqd.time.advance(60_000);
  const first = await nsqd.lines();
  await nsqd.request("POST", "/pub?topic=t", "333");
  await nsqd.time.advance(60_000);
  const second = await nsqd.lines();

  assertEquals(first, [
    "topic.t.message_count:2|c",
    "topic.t.message_bytes:3|c",
    "topic.t.depth:0|g",
    "topic.t.backend_depth:0|g",
    "topic.t.e2e_processing_latency_99:2000000|g",
    "topic.t.channel.c.message_count:2|c",
    "topic.t.channel.c.depth:2|g",
    "topic.t.channel.c.backend_depth:0|g",
    "topic.t.channel.c.in_flight_count:0|g",
    "topic.t.channel.c.deferred_count:0|g",
    "topic.t.channel.c.requeue_count:0|c",
    "topic.t.channel.c.timeout_count:0|c",
    "topic.t.channel.c.clients:0|g",
    "topic.t.channel.c.e2e_processing_latency_99:2000000|g",
  ]);
  assertEquals(
    second.filter((line) => /message_(count|bytes)/.test(line)),
    ["topic.t.message_count:1|c", "topic.t.message_bytes:3|c", "topic.t.channel.c.message_count:1|c"],
  );
});

Deno.test("statsdLoop counts down for a topic that was deleted and made again, as NSQ does", async () => {
  await using nsqd = statsd();
  await nsqd.request("POST", "/mpub?topic=t", "1\n22");
  await nsqd.time.advance(60_000);
  await nsqd.lines();

  nsqd.broker.deleteTopic("t");
  nsqd.broker.topic("t");
  await nsqd.time.advance(60_000);

  assertEquals((await nsqd.lines())[0], "topic.t.message_count:-2|c");
});

Deno.test("statsdLoop sends the use of memory under NSQ's names, unless told not to", async () => {
  await using nsqd = statsd({ statsdMemStats: true });

  await nsqd.time.advance(60_000);

  assertEquals((await nsqd.lines()).map((line) => line.replace(/:\d+/, "")), [
    "mem.heap_objects|g",
    "mem.heap_idle_bytes|g",
    "mem.heap_in_use_bytes|g",
    "mem.heap_released_bytes|g",
    "mem.gc_pause_usec_100|g",
    "mem.gc_pause_usec_99|g",
    "mem.gc_pause_usec_95|g",
    "mem.next_gc_bytes|g",
    "mem.gc_runs|c",
  ]);
});

Deno.test("statsdLoop leaves out ephemeral topics and channels if told to", async () => {
  await using nsqd = statsd({ statsdExcludeEphemeral: true });
  nsqd.broker.topic("t").channel("c#ephemeral");
  nsqd.broker.topic("t#ephemeral").channel("c");

  await nsqd.time.advance(60_000);

  assertEquals(
    (await nsqd.lines()).map((line) => line.split(":")[0]),
    ["topic.t.message_count", "topic.t.message_bytes", "topic.t.depth", "topic.t.backend_depth"],
  );
});

for (const intervalMs of [1000, 1]) {
  Deno.test(`statsdLoop pushes every ${intervalMs} ms, with which NSQ panics`, async () => {
    await using nsqd = statsd({ statsdIntervalMs: intervalMs });
    nsqd.broker.topic("t");

    await nsqd.time.advance(intervalMs);
    await nsqd.lines();
    await nsqd.time.advance(intervalMs);

    assertEquals((await nsqd.lines()).length, 4);
  });
}

Deno.test("statsdLoop spreads packets over the interval but for its last second", async () => {
  await using nsqd = statsd({ statsdIntervalMs: 5000, statsdUdpPacketSizeBytes: 1 });
  nsqd.broker.topic("t");

  await nsqd.time.advance(5000);
  await eventually("the first packet", () => nsqd.packets.length === 1);
  await nsqd.time.advance(999);
  const early = nsqd.packets.length;
  await nsqd.time.advance(1);
  await nsqd.time.advance(2000);

  assertEquals([early, nsqd.packets.length], [1, 4]);
});

Deno.test("statsdLoop says once that it cannot push, and tries again", async () => {
  await using nsqd = statsd();
  nsqd.broker.topic("t");
  const failures = () => nsqd.logged.filter((line) => line.includes("failed to push"));
  nsqd.refuse("no such host");

  await nsqd.time.advance(120_000);
  const twice = [nsqd.opened.length, failures().length];
  nsqd.refuse("");
  await nsqd.time.advance(60_000);

  assertEquals(twice, [2, 1]);
  assertEquals((await nsqd.lines()).length, 4);
});

Deno.test("statsdPackets() fills packets up to their size, and has a longer line in one of its own", () => {
  const packetsOf = (size: number) =>
    [...statsdPackets(["a:1|c\nb:2|c\n", "long:3|c\n"], size)].map((each) => new TextDecoder().decode(each));

  assertEquals(packetsOf(11), ["a:1|c\n", "b:2|c\n", "long:3|c\n"]);
  assertEquals(packetsOf(12), ["a:1|c\nb:2|c\n", "long:3|c\n"]);
  assertEquals(packetsOf(21), ["a:1|c\nb:2|c\nlong:3|c\n"]);
  assertEquals(packetsOf(0), ["a:1|c\nb:2|c\nlong:3|c\n"]);
});

Deno.test("percentileName() rounds as Go prints it: halves to the even side", () => {
  assertEquals(
    [1, 0.99, 0.999, 0.985, 0.995].map((quantile) =>
      percentileName(quantile).slice("e2e_processing_latency_".length)
    ),
    ["100", "99", "100", "98", "100"],
  );
});

Deno.test("statsdPrefixOf() puts the node's address in place of each %s, and a dot at the end", () => {
  const prefix = (statsdPrefix: string, broadcastAddress = "my.host") =>
    statsdPrefixOf({ statsdPrefix, broadcastAddress, broadcastHttpPort: 4151 });

  assertEquals(prefix("nsq.%s"), "nsq.my_host_4151.");
  assertEquals(prefix("%s.%s."), "my_host_4151.my_host_4151.");
  assertEquals(prefix("nsq.%s", "::1"), "nsq.[__1]_4151.");
  assertEquals(prefix(""), "");
});

Deno.test("statsdRefusal() refuses what nothing can be sent to, and an interval that is none", () => {
  const refusal = (given: Partial<NsqdOptions>) =>
    statsdRefusal({ ...defaultOptions(NSQD_OPTIONS), ...given });

  assertEquals(refusal({ statsdAddress: "nowhere" }), '--statsd-address must be <addr>:<port>: "nowhere"');
  assertEquals(
    refusal({ statsdAddress: "a:1", statsdIntervalMs: 0 }),
    "--statsd-interval must be above 0",
  );
  assertEquals(refusal({ statsdAddress: "a:1", statsdIntervalMs: 1 }), undefined);
  assertEquals(refusal({ statsdIntervalMs: 0 }), undefined);
});
