import { assertEquals } from "@std/assert";
import type { NsqdOptions } from "../../../src/nsqd/options.ts";
import { TOPOLOGY_AWARE_CONSUMPTION } from "../../../src/nsqd/session/options.ts";
import { identify, response } from "../../support/frames.ts";
import {
  channelOf,
  inMemory,
  type MemoryClient,
  type NsqdInMemory,
  publish,
} from "../../support/nsqd_in_memory.ts";

const HERE: Partial<NsqdOptions> = {
  topologyRegion: "europe",
  topologyZone: "europe-1",
  experiments: [TOPOLOGY_AWARE_CONSUMPTION],
};
const ZONE = { topology_region: "europe", topology_zone: "europe-1" };
const REGION = { topology_region: "europe", topology_zone: "europe-2" };
const ELSEWHERE = { topology_region: "asia", topology_zone: "asia-1" };

/** A test of how messages of topic `t`, channel `c`, are shared out. */
function topologyTest(
  name: string,
  options: Partial<NsqdOptions>,
  test: (nsqd: NsqdInMemory) => Promise<void>,
): void {
  Deno.test(name, inMemory(test, options));
}

/** A consumer that is somewhere. */
async function consumerAt(
  nsqd: NsqdInMemory,
  place: Readonly<Record<string, string>>,
  rdy: number,
): Promise<MemoryClient> {
  const client = await nsqd.connect();
  assertEquals(await client.ask(identify(place), "SUB t c\n"), [response("OK"), response("OK")]);
  await client.send(`RDY ${rdy}\n`);
  return client;
}

/** Publishes so many messages, one after the other; how many each client has got of them. */
async function shares(
  nsqd: NsqdInMemory,
  count: number,
  ...clients: readonly MemoryClient[]
): Promise<number[]> {
  for (let i = 0; i < count; i++) await publish(nsqd, `message ${i}`);
  return clients.map((client) => client.frames().length);
}

topologyTest("Session in nsqd's zone gets all messages while it is ready", HERE, async (nsqd) => {
  const [elsewhere, region, zone] = [
    await consumerAt(nsqd, ELSEWHERE, 100),
    await consumerAt(nsqd, REGION, 100),
    await consumerAt(nsqd, ZONE, 100),
  ];

  assertEquals(await shares(nsqd, 30, elsewhere, region, zone), [0, 0, 30]);
  const { zoneLocalMessageCount, regionLocalMessageCount, globalMessageCount } = channelOf(nsqd);
  assertEquals([zoneLocalMessageCount, regionLocalMessageCount, globalMessageCount], [30, 0, 0]);
});

topologyTest(
  "Session in nsqd's region gets messages that no session in its zone is ready for",
  HERE,
  async (nsqd) => {
    const [elsewhere, region, zone] = [
      await consumerAt(nsqd, ELSEWHERE, 100),
      await consumerAt(nsqd, REGION, 5),
      await consumerAt(nsqd, ZONE, 10),
    ];

    assertEquals(await shares(nsqd, 30, elsewhere, region, zone), [15, 5, 10]);
    const { zoneLocalMessageCount, regionLocalMessageCount, globalMessageCount } = channelOf(nsqd);
    assertEquals([zoneLocalMessageCount, regionLocalMessageCount, globalMessageCount], [10, 5, 15]);
  },
);

topologyTest("Session elsewhere gets messages when nobody nearer is left", HERE, async (nsqd) => {
  const [elsewhere, zone] = [await consumerAt(nsqd, ELSEWHERE, 100), await consumerAt(nsqd, ZONE, 100)];
  await zone.end();

  assertEquals(await shares(nsqd, 3, elsewhere), [3]);
});

topologyTest("Session in nsqd's zone shares messages with others there", HERE, async (nsqd) => {
  const [first, second] = [await consumerAt(nsqd, ZONE, 100), await consumerAt(nsqd, ZONE, 100)];

  assertEquals(await shares(nsqd, 10, first, second), [5, 5]);
});

topologyTest("Session gets what was published before it came, wherever it is", HERE, async (nsqd) => {
  channelOf(nsqd);
  await publish(nsqd, "early");

  const elsewhere = await consumerAt(nsqd, ELSEWHERE, 1);

  assertEquals(elsewhere.frames().length, 1);
});

topologyTest(
  "Session is as near as any other without the experiment",
  { ...HERE, experiments: [] },
  async (nsqd) => {
    const [elsewhere, zone] = [await consumerAt(nsqd, ELSEWHERE, 100), await consumerAt(nsqd, ZONE, 100)];

    assertEquals(await shares(nsqd, 10, elsewhere, zone), [5, 5]);
  },
);

topologyTest("Session is as near as any other to an nsqd that is nowhere", {
  ...HERE,
  topologyRegion: "",
  topologyZone: "",
}, async (nsqd) => {
  const [nowhere, zone] = [await consumerAt(nsqd, {}, 100), await consumerAt(nsqd, ZONE, 100)];

  assertEquals(await shares(nsqd, 10, nowhere, zone), [5, 5]);
});

topologyTest("Session that has not said where it is counts as elsewhere", HERE, async (nsqd) => {
  const [unknown, region] = [await consumerAt(nsqd, {}, 100), await consumerAt(nsqd, REGION, 100)];

  assertEquals(await shares(nsqd, 10, unknown, region), [0, 10]);
});

topologyTest("Session is in nsqd's zone by the zone's name alone", HERE, async (nsqd) => {
  const zoneOnly = await consumerAt(nsqd, { topology_zone: "europe-1" }, 100);
  const region = await consumerAt(nsqd, REGION, 100);

  assertEquals(await shares(nsqd, 10, zoneOnly, region), [10, 0]);
});
