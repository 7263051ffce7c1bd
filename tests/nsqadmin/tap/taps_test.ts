import { assertEquals, assertInstanceOf } from "@std/assert";
import type { Cluster } from "../../../src/cluster/cluster.ts";
import { Taps } from "../../../src/nsqadmin/tap/taps.ts";
import { FakeClock } from "../../support/fake_clock.ts";

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
