import { assertEquals, assertInstanceOf } from "@std/assert";
import type { Cluster } from "../../../src/cluster/cluster.ts";
import { ENGLISH } from "../../../src/nsqadmin/console/texts/english.tsx";
import { runTap } from "../../../src/nsqadmin/tap/tap.ts";
import { Taps } from "../../../src/nsqadmin/tap/taps.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { deadAddress } from "../../support/ports.ts";

Deno.test("A tap ends when it cannot be found out whether it is alone, and says why", async () => {
  const [broadcast_address, port] = deadAddress().split(":");
  const node = { broadcast_address, tcp_port: Number(port), http_port: 1 };
  let asked = 0;
  const cluster = {
    topicNodes: () => {
      if (asked++ > 0) return Promise.reject(new TypeError("nothing is known"));
      return Promise.resolve({ value: [node], failures: [] });
    },
    topicStats: () =>
      Promise.resolve({ value: [{ node: `${broadcast_address}:1`, channels: [{ channel_name: "c" }] }] }),
  } as unknown as Cluster;
  const viewer = { words: ENGLISH.tap.words, message: () => {}, problem: () => {}, mayGoOn: () => true };
  const options = {
    cluster,
    order: { topic: "t", node: "", ready: 1 },
    connection: {},
    clock: new FakeClock(),
    rateMax: 1,
  };

  assertEquals(await runTap(options, viewer, new AbortController().signal), "nothing is known");
});

Deno.test("A browser may leave a tap that is already being ended: that is no error", async () => {
  const asked = Promise.withResolvers<unknown>();
  const cluster = { topicNodes: () => asked.promise } as unknown as Cluster;
  const runs: Promise<void>[] = [];
  const taps = new Taps({
    cluster,
    clock: new FakeClock(),
    connection: () => ({}),
    spawn: (run) => void runs.push(run()),
  });
  const { body } = taps.stream({ topic: "t", node: "", ready: 1 }, {
    words: ENGLISH.tap.words,
    textOf: () => "",
    mayGoOn: () => true,
  });
  assertInstanceOf(body, ReadableStream);

  taps.end();
  await body.cancel();
  asked.resolve({ value: [], failures: [] });
  await taps.ended();

  assertEquals(await Promise.allSettled(runs), [{ status: "fulfilled", value: undefined }]);
});
